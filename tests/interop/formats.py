"""formats.md in Python, written from the page and from no code of ours: what both programs here need.

Works with Debian's python3 and python3-cryptography alone.
"""

import base64
import hashlib
import hmac
import os
import xml.etree.ElementTree as ET

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

INNSENDING = "urn:tpf:innsending:1"
PSEUDONYMISERT = "urn:tpf:pseudonymisert:1"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
DS = "http://www.w3.org/2000/09/xmldsig#"
SHA256 = XENC + "sha256"
MGF1_SHA256 = XENC11 + "mgf1sha256"
CIPHERS = {XENC11 + "aes256-gcm": 32, XENC11 + "aes128-gcm": 16}

TRANSPORTS = {
    # name: (URI, DigestMethod, MGF, padding)
    "rsa-oaep": (XENC11 + "rsa-oaep", SHA256, MGF1_SHA256,
                 padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)),
    "rsa-oaep-mgf1p": (XENC + "rsa-oaep-mgf1p", None, None,
                       padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)),
    "rsa-oaep-mgf1p-sha256": (XENC + "rsa-oaep-mgf1p", SHA256, None,
                              padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA256(), None)),
}


class Refused(Exception):
    """Something is not as formats.md has it."""


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def load_key_file(path):
    """§ 5: {id: (owner, public key)} of a published key file."""
    content = open(path, "rb").read()
    text = content.decode("utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else content.decode("utf-8-sig")
    keys = {}
    for nokkel in ET.fromstring(strip_declaration(text)).iter("Nokkel"):
        value = nokkel.find("{%s}RSAKeyValue" % DS)
        modulus, exponent = (int.from_bytes(base64.b64decode("".join(value.find("{%s}%s" % (DS, part)).text.split())),
                                            "big") for part in ("Modulus", "Exponent"))
        keys[nokkel.get("id")] = (nokkel.get("eier"), rsa.RSAPublicNumbers(exponent, modulus).public_key())
    return keys


def strip_declaration(text):
    """ElementTree refuses a declared encoding in text that is decoded already."""
    if text.startswith("<?xml"):
        text = text[text.index("?>") + 2:]
    return text.lstrip()


def load_public(path):
    return serialization.load_pem_public_key(open(path, "rb").read())


def load_private(path, passphrase=None):
    return serialization.load_pem_private_key(open(path, "rb").read(), passphrase)


def lines(data, width):
    text = base64.b64encode(data).decode()
    if not width:
        return text
    return "\n" + "".join(text[at:at + width] + "\n" for at in range(0, len(text), width))


def encrypted_data(plaintext, key_name, public_key, transport="rsa-oaep", cipher="aes256-gcm", width=0, declare=True):
    """An EncryptedData element (text) that seals `plaintext` (bytes) for `public_key`."""
    uri, digest, mgf, pad = TRANSPORTS[transport]
    key = os.urandom(CIPHERS[XENC11 + cipher])
    iv = os.urandom(12)
    octets = iv + AESGCM(key).encrypt(iv, plaintext, None)
    method = ""
    if digest:
        method += '<ds:DigestMethod Algorithm="%s"/>' % digest
    if mgf:
        method += '<xenc11:MGF xmlns:xenc11="%s" Algorithm="%s"/>' % (XENC11, mgf)
    return ('<xenc:EncryptedData%s Type="%sContent"><xenc:EncryptionMethod Algorithm="%s"/><ds:KeyInfo>'
            '<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="%s">%s</xenc:EncryptionMethod>'
            '<ds:KeyInfo><ds:KeyName>%s</ds:KeyName></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>%s'
            '</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData>'
            '<xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>') % (
                ' xmlns:xenc="%s" xmlns:ds="%s"' % (XENC, DS) if declare else "", XENC, XENC11 + cipher, uri, method,
                key_name, lines(public_key.encrypt(key, pad), width), lines(octets, width))


def only(element, tag):
    found = element.findall(tag)
    if len(found) != 1:
        raise Refused("%d times %s" % (len(found), tag))
    return found[0]


def key_name_of(data):
    return only(data, "{%s}KeyInfo/{%s}EncryptedKey/{%s}KeyInfo/{%s}KeyName" % (DS, XENC, DS, DS)).text.strip()


def decrypt(data, private_key):
    """The plaintext of an EncryptedData element (ElementTree) that is sealed for `private_key`."""
    cipher = only(data, "{%s}EncryptionMethod" % XENC).get("Algorithm")
    wrapped = only(data, "{%s}KeyInfo/{%s}EncryptedKey" % (DS, XENC))
    method = only(wrapped, "{%s}EncryptionMethod" % XENC)
    digest = method.find("{%s}DigestMethod" % DS)
    mgf = method.find("{%s}MGF" % XENC11)
    said = (method.get("Algorithm"), digest.get("Algorithm") if digest is not None else None,
            mgf.get("Algorithm") if mgf is not None else None)
    if said == (XENC + "rsa-oaep-mgf1p", XENC + "../09/xmldsig#sha1", None) or said[1] == DS + "sha1":
        said = (said[0], None, said[2])
    pads = [pad for (uri, d, m, pad) in TRANSPORTS.values() if (uri, d, m) == said]
    if not pads or cipher not in CIPHERS:
        raise Refused("an algorithm that formats.md does not have")
    value = "{%s}CipherData/{%s}CipherValue" % (XENC, XENC)
    key = private_key.decrypt(base64.b64decode("".join(only(wrapped, value).text.split()), validate=True), pads[0])
    octets = base64.b64decode("".join(only(data, value).text.split()), validate=True)
    return AESGCM(key).decrypt(octets[:12], octets[12:], None)


def pseudonym(key, domain, version, identity):
    """§ 4."""
    mac = hmac.new(key, b"tpf-pseudonym-v1\0" + domain.encode() + b"\0" + identity.encode(), hashlib.sha256).digest()
    return "%d-%s" % (version, base64.b32encode(mac[:20]).decode().lower())


def valid_number(text, rule_2032=True, test=False):
    """The kind of a number ("fodselsnummer", "d", "h", "fh", "duf", "npid") or None: domain.md, "Identity numbers"."""
    if not text.isascii() or not text.isdigit():
        return None
    if len(text) == 12:
        return "duf"
    if len(text) != 11:
        return None
    digits = [int(c) for c in text]
    k1 = sum(w * d for w, d in zip((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), digits)) % 11
    k2 = sum(w * d for w, d in zip((5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1), digits)) % 11
    strict = k1 == 0 and k2 == 0
    if digits[0] >= 8:
        return "fh" if strict else None
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:6])
    d_number = day > 40
    day -= 40 if d_number else 0

    def exists(shift):
        m = month - shift
        if not 1 <= m <= 12:
            return False
        last = (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[m - 1]
        return 1 <= day <= last

    person = strict or (rule_2032 and k1 <= 3 and k2 == 0)
    if person and (any(exists(s) for s in (65, 80)) if test else exists(0)):
        return "d" if d_number else "fodselsnummer"
    if strict and not d_number and exists(60 if test else 20):
        return "npid"
    return "h" if exists(40) else None
