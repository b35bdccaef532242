"""The TPF's side of formats.md § 2 (register layer), § 3 and § 6, written anew with Python's own libraries: an outside
judge of the register. Nothing here shares code with the programs under test."""

import base64
import hashlib
import http.client
import os
import signal
import ssl
import subprocess
import tempfile
import time
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SENDER = ("0301", "00", "974761076")


def pseudonym(number, version=1):
    """Any 20 bytes will do here: what stands in them is not the register's business."""
    raw = hashlib.sha256(b"person %d" % number).digest()[:20]
    return "%d-%s" % (version, base64.b32encode(raw).decode().lower())


def seal(public_key, plaintext, key_name="IPLOS-2026", cipher="aes256-gcm", transport="rsa-oaep"):
    key = os.urandom(32 if cipher == "aes256-gcm" else 16)
    iv = os.urandom(12)
    content = iv + AESGCM(key).encrypt(iv, plaintext, None)
    if transport == "rsa-oaep":
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        method = ('<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#rsa-oaep">'
                  '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
                  '<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#"'
                  ' Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/></xenc:EncryptionMethod>')
    else:
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        method = '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>'
    wrapped = public_key.encrypt(key, oaep)
    return ('<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"'
            ' Type="http://www.w3.org/2001/04/xmlenc#Content">'
            '<xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#%s"/>'
            '<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>%s'
            '<ds:KeyInfo><ds:KeyName>%s</ds:KeyName></ds:KeyInfo>'
            '<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>'
            '<xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>'
            % (cipher, method, key_name, base64.b64encode(wrapped).decode(), base64.b64encode(content).decode()))


def ref(meldings_id, position):
    return '<i:Ref xmlns:i="urn:tpf:innsending:1" meldingsId="%s" person="%d"/>' % (meldings_id, position)


def person(pseudonyms, sealed):
    return "<p:Person>%s%s</p:Person>" % ("".join(pseudonyms), sealed)


def element(value):
    return "<p:Pseudonym>%s</p:Pseudonym>" % value


def message(meldings_id, persons, register="IPLOS", versions="1", count=None, sender=SENDER, navn="Kari Nordmann"):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n'
            '<p:PseudonymisertMelding xmlns:p="urn:tpf:pseudonymisert:1" versjon="1" domene="%s" nokkelversjon="%s">'
            '<p:MeldingsId>%s</p:MeldingsId><p:Meldingstype>IPLOS</p:Meldingstype>'
            '<p:Avsender><p:Kommunenummer>%s</p:Kommunenummer><p:Bydelsnummer>%s</p:Bydelsnummer>'
            '<p:Organisasjonsnummer>%s</p:Organisasjonsnummer></p:Avsender>'
            '<p:Mottaker><p:Register>%s</p:Register></p:Mottaker><p:Opprettet>2027-01-04T09:30:00Z</p:Opprettet>'
            '<p:Kontaktperson><p:Epost>kari@kommune.example</p:Epost><p:Navn>%s</p:Navn>'
            '<p:Mobiltelefon>+4790000000</p:Mobiltelefon></p:Kontaktperson>'
            '<p:Periode><p:Fra>2026-01-01</p:Fra><p:Til>2026-12-31</p:Til></p:Periode>'
            '<p:AntallPersoner>%d</p:AntallPersoner>%s</p:PseudonymisertMelding>\n'
            % ((register, versions, meldings_id) + sender + (register, navn, len(persons) if count is None else count,
               "".join(persons)))).encode()


def simple_message(public_key, meldings_id, count=2, **kwargs):
    persons = [person([element(pseudonym(n))], seal(public_key, (ref(meldings_id, n) + "<Data>%d</Data>" % n).encode()))
               for n in range(1, count + 1)]
    return message(meldings_id, persons, **kwargs)


def name_of(meldings_id, sender=SENDER):
    return "-".join(sender + (meldings_id,))


def new_id():
    return str(uuid.uuid4())


class Pki:
    """A CA, a server's and a client's certificate, and one client that the CA does not know; made with openssl."""

    def __init__(self, folder):
        self.folder = folder
        self._ca("ca")
        self._ca("other-ca")
        self._leaf("server", "ca", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self._leaf("client", "ca", "extendedKeyUsage=clientAuth")
        self._leaf("stranger", "other-ca", "extendedKeyUsage=clientAuth")

    def path(self, name):
        return os.path.join(self.folder, name)

    def _run(self, *args):
        subprocess.run(["openssl"] + list(args), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _ca(self, name):
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-subj", "/CN=" + name, "-keyout", self.path(name + ".key"), "-out", self.path(name + ".pem"))

    def _leaf(self, name, ca, extension):
        with open(self.path(name + ".ext"), "w") as f:
            f.write(extension + "\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                  "-keyout", self.path(name + ".key"), "-out", self.path(name + ".csr"))
        self._run("x509", "-req", "-days", "2", "-in", self.path(name + ".csr"), "-CA", self.path(ca + ".pem"), "-CAkey",
                  self.path(ca + ".key"), "-CAcreateserial", "-extfile", self.path(name + ".ext"), "-out",
                  self.path(name + ".pem"))

    def client_context(self, name="client", version=ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = version
        context.maximum_version = version
        context.load_verify_locations(self.path("ca.pem"))
        if name:
            context.load_cert_chain(self.path(name + ".pem"), self.path(name + ".key"))
        return context


class Core:
    """The core's signing key."""

    def __init__(self, folder):
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.public_path = os.path.join(folder, "core.public.pem")
        with open(self.public_path, "wb") as f:
            f.write(self.key.public_key().public_bytes(serialization.Encoding.PEM,
                                                       serialization.PublicFormat.SubjectPublicKeyInfo))

    def headers(self, name, body_digest, register="IPLOS"):
        text = b"\0".join([b"tpf-melding-v1", register.encode(), name.encode(), body_digest.hex().encode()])
        return {
            "Content-Type": "application/xml",
            "Idempotency-Key": name,
            "Content-Digest": "sha-256=:%s:" % base64.b64encode(body_digest).decode(),
            "TPF-Signature": base64.b64encode(self.key.sign(text)).decode(),
        }


class Register:
    """A running `tpf-register serve`, on a port of its own; stopped by its own process id."""

    def __init__(self, program, keys, pki, core, store, *options):
        self.pki = pki
        self.port_file = tempfile.mktemp(dir=pki.folder, prefix="port-")
        self.log_path = tempfile.mktemp(dir=pki.folder, prefix="log-")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--listen", "127.0.0.1:0", "--register", "IPLOS", "--store", store, "--certificate",
                 pki.path("server.pem"), "--key", pki.path("server.key"), "--client-ca", pki.path("ca.pem"), "--tpf-key",
                 core.public_path, "--receipt-key", os.path.join(keys, "IPLOS-2026-receipt.private.pem"), "--port-file",
                 self.port_file] + list(options), stderr=log)
        end = time.monotonic() + 60
        while not os.path.exists(self.port_file):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the register did not start: " + self.log())
            time.sleep(0.02)
        with open(self.port_file) as f:
            self.port = int(f.read())

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def connect(self, context=None, timeout=120):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context or self.pki.client_context())

    def post(self, body, headers, connection=None, path="/v1/meldinger", method="POST"):
        """(status, headers, body) of one request; a connection of its own unless one is given."""
        used = connection or self.connect()
        try:
            used.request(method, path, body=body, headers=headers)
            answer = used.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            if not connection:
                used.close()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)
