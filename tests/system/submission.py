"""Submissions built from docs/message-format.md with Python's `cryptography`, independently of the project's own code:
good ones, and ones that are broken in one chosen place. Every step can be replaced by the caller."""

import base64
import datetime
import os
import re
import uuid
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

INNSENDING = "urn:tpf:innsending:1"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
DS = "http://www.w3.org/2000/09/xmldsig#"
OAEP = XENC11 + "rsa-oaep"
OAEP_MGF1P = XENC + "rsa-oaep-mgf1p"
RSA_1_5 = XENC + "rsa-1_5"
AES256_GCM = XENC11 + "aes256-gcm"
AES128_GCM = XENC11 + "aes128-gcm"
AES256_CBC = XENC + "aes256-cbc"
DES3 = XENC + "tripledes-cbc"

_METHODS = {
    OAEP: f'<xenc:EncryptionMethod Algorithm="{OAEP}"><ds:DigestMethod xmlns:ds="{DS}" Algorithm="{XENC}sha256"/>'
          f'<xenc11:MGF xmlns:xenc11="{XENC11}" Algorithm="{XENC11}mgf1sha256"/></xenc:EncryptionMethod>',
    OAEP_MGF1P: f'<xenc:EncryptionMethod Algorithm="{OAEP_MGF1P}"><ds:DigestMethod xmlns:ds="{DS}" Algorithm="{DS}sha1"/>'
                '</xenc:EncryptionMethod>',
    RSA_1_5: f'<xenc:EncryptionMethod Algorithm="{RSA_1_5}"/>',
}
_PADDINGS = {
    OAEP: padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
    OAEP_MGF1P: padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    RSA_1_5: padding.PKCS1v15(),
}
_KEY_BYTES = {AES256_GCM: 32, AES128_GCM: 16, AES256_CBC: 32}


@dataclass(frozen=True)
class PublicKey:
    """A key as the key file names it."""
    id: str
    key: rsa.RSAPublicKey

    @staticmethod
    def from_pem(key_id, pem):
        return PublicKey(key_id, serialization.load_pem_public_key(pem))


def read_key_file(text):
    """{owner: PublicKey} of a published key file; of several keys of an owner the last."""
    text = text.decode("utf-16") if text[:2] in (b"\xff\xfe", b"\xfe\xff") else text.decode("utf-8-sig")
    keys = {}
    for attributes, modulus, exponent in re.findall(
            r"<Nokkel\s([^>]*)>.*?<Modulus>(.*?)</Modulus>\s*<Exponent>(.*?)</Exponent>", text, re.S):
        values = dict(re.findall(r'(\w+)="([^"]*)"', attributes))
        numbers = rsa.RSAPublicNumbers(*(int.from_bytes(base64.b64decode(v), "big") for v in (exponent, modulus)))
        keys[values["eier"], values["id"]] = PublicKey(values["id"], numbers.public_key())
    return keys


def wrap(key, content_key, transport=OAEP):
    return key.key.encrypt(content_key, _PADDINGS[transport])


def encrypt(plaintext, content_key, cipher=AES256_GCM):
    if cipher in (AES256_GCM, AES128_GCM):
        iv = os.urandom(12)
        return iv + AESGCM(content_key).encrypt(iv, plaintext, None)
    if cipher != AES256_CBC:
        return os.urandom(len(plaintext) + 28)  # an algorithm that is to be refused before anything is opened
    pad = 16 - len(plaintext) % 16
    iv = os.urandom(16)
    encryptor = Cipher(algorithms.AES(content_key), modes.CBC(iv)).encryptor()
    return iv + encryptor.update(plaintext + bytes(pad - 1) + bytes([pad])) + encryptor.finalize()


def encrypted_data(key, plaintext, transport=OAEP, cipher=AES256_GCM, key_id=None, wrapped=None, sealed=None,
                   method=None, declare=True):
    """An EncryptedData element (bytes). `wrapped` and `sealed` replace the octets; `method` the key's method element."""
    content_key = os.urandom(_KEY_BYTES.get(cipher, 32))
    wrapped = wrap(key, content_key, transport) if wrapped is None else wrapped
    sealed = encrypt(plaintext, content_key, cipher) if sealed is None else sealed
    names = f' xmlns:xenc="{XENC}"' if declare else ""
    return (f'<xenc:EncryptedData{names} Type="{XENC}Content"><xenc:EncryptionMethod Algorithm="{cipher}"/>'
            f'<ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>{_METHODS[transport] if method is None else method}'
            f'<ds:KeyInfo><ds:KeyName>{key.id if key_id is None else key_id}</ds:KeyName></ds:KeyInfo>'
            f'<xenc:CipherData><xenc:CipherValue>{base64.b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData>'
            f'</xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{base64.b64encode(sealed).decode()}'
            f'</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>').encode()


@dataclass(frozen=True)
class Header:
    meldings_id: str
    meldingstype: str = "IPLOS"
    kommune: str = "0301"
    bydel: str = "00"
    orgnr: str = "974761076"
    register: str = "IPLOS"

    @property
    def sender(self):
        return f"{self.kommune}-{self.bydel}-{self.orgnr}"

    @property
    def name(self):
        return f"{self.sender}-{self.meldings_id}"

    def xml(self):
        return (f"<i:MeldingsId>{self.meldings_id}</i:MeldingsId><i:Meldingstype>{self.meldingstype}</i:Meldingstype>"
                f"<i:Avsender><i:Kommunenummer>{self.kommune}</i:Kommunenummer><i:Bydelsnummer>{self.bydel}</i:Bydelsnummer>"
                f"<i:Organisasjonsnummer>{self.orgnr}</i:Organisasjonsnummer></i:Avsender>"
                f"<i:Mottaker><i:Register>{self.register}</i:Register></i:Mottaker>")


@dataclass
class Submission:
    """What a submission is made of. `layer_edit`, `outer_edit`: bytes → bytes, applied to the TPF layer's plaintext and
    to the whole; an edit that changes nothing is a mistake in the test and is refused."""
    tpf_key: PublicKey
    register_key: PublicKey
    numbers: list
    header: Header = field(default_factory=lambda: Header(str(uuid.uuid4())))
    hode: Header = None
    opprettet: str = None
    epost: str = "kari@kommune.example"
    navn: str = "Kari Nordmann"
    mobil: str = "98765432"
    antall: object = None
    contents: list = None
    seal: dict = field(default_factory=dict)          # options of encrypted_data for the TPF layer
    seal_person: dict = field(default_factory=dict)   # and for the persons
    layer_edit: object = None
    outer_edit: object = None

    def person(self, position, number):
        content = self.contents[position - 1] if self.contents else f"<Tjeneste>{position}</Tjeneste>"
        ref = f'<i:Ref xmlns:i="{INNSENDING}" meldingsId="{self.header.meldings_id}" person="{position}"/>'
        return (b"<i:Person><i:Fodselsnummer>" + number.encode() + b"</i:Fodselsnummer>"
                + encrypted_data(self.register_key, (ref + content).encode(), **self.seal_person) + b"</i:Person>")

    def layer(self):
        now = self.opprettet or datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        hode = self.hode or self.header
        head = (f"<i:Hode>{hode.xml()}<i:Opprettet>{now}</i:Opprettet></i:Hode>"
                f"<i:Kontaktperson><i:Epost>{self.epost}</i:Epost><i:Navn>{self.navn}</i:Navn>"
                f"<i:Mobiltelefon>{self.mobil}</i:Mobiltelefon></i:Kontaktperson>"
                "<i:Periode><i:Fra>2026-01-01</i:Fra><i:Til>2026-12-31</i:Til></i:Periode>"
                f"<i:AntallPersoner>{len(self.numbers) if self.antall is None else self.antall}</i:AntallPersoner>")
        return head.encode() + b"".join(self.person(i, n) for i, n in enumerate(self.numbers, 1))

    def build(self):
        layer = _edited(self.layer(), self.layer_edit)
        sealed = encrypted_data(self.tpf_key, layer, **self.seal)
        whole = (f'<?xml version="1.0" encoding="UTF-8"?>\n<i:Innsending xmlns:i="{INNSENDING}" versjon="1">'
                 f"{self.header.xml()}").encode() + sealed + b"</i:Innsending>\n"
        return _edited(whole, self.outer_edit)

    def but(self, **changes):
        return replace(self, **changes)


def _edited(data, edit):
    if edit is None:
        return data
    changed = edit(data)
    if changed == data:
        raise AssertionError("the test's edit changed nothing")
    return changed


def swap(old, new, count=1):
    """An edit: the first `count` occurrences of `old` become `new`."""
    old, new = (x.encode() if isinstance(x, str) else x for x in (old, new))
    return lambda data: data.replace(old, new, count)


def last(old, new):
    """An edit: the last occurrence."""
    old, new = (x.encode() if isinstance(x, str) else x for x in (old, new))

    def edit(data):
        at = data.rfind(old)
        return data if at < 0 else data[:at] + new + data[at + len(old):]
    return edit


def pattern(regex, new):
    """An edit: the first match of a regular expression."""
    return lambda data: re.sub(regex.encode(), new.encode(), data, count=1, flags=re.S)
