"""The search for canaries: identity numbers and contact persons' data, in any form in which they could have leaked.

Looked at: the bytes as they are; without NULs (UTF-16 of either order); every run of base64 (either alphabet, at all four
alignments) and of hexadecimal, decoded. In each of these a number is found whole, split by up to two separators between
digits, or backwards; and digests of it (MD5, SHA-1, SHA-256), raw, in hex or in base64."""

import base64
import hashlib
import re

_DIGITS = re.compile(rb"[0-9](?:[ \t\r\n.,_/:-]{0,2}[0-9]){10,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}[ :]?){8,}")
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_HASHES = (hashlib.md5, hashlib.sha1, hashlib.sha256)
_SEALED = 300   # longer runs of base64 are sealed content or wrapped keys: no digest is looked for in them
_PREFIX = 8     # bytes of a digest that are compared


class Canaries:
    """`numbers`: identity numbers; `texts`: e-mail addresses and names; `mobiles`: eight digits each."""

    def __init__(self, numbers, texts=(), mobiles=()):
        self.numbers = {n.encode() for n in numbers}
        self.backwards = {n[::-1] for n in self.numbers}
        self.texts = [t.lower().encode() for t in texts]
        self.mobiles = [re.compile(rb"(?<![0-9a-f])(?:\+?47|0047)?" + rb"[ .-]?".join(bytes([d]) for d in m.encode())
                                   + rb"(?![0-9a-f])") for m in mobiles]
        secret = [*self.numbers, *(t.encode() for t in texts), *(m.encode() for m in mobiles)]
        self.digests = {h(s).digest()[:_PREFIX] for s in secret for h in _HASHES}
        self._known = {}

    def search(self, data):
        """What was found, as short texts; empty: nothing. The same bytes are searched once."""
        key = hashlib.sha256(data).digest()
        if key not in self._known:
            self._known[key] = self._search(data)
        return self._known[key]

    def _search(self, data):
        found = set()
        for form, view in _views(data):
            found |= {f"{form}: {what}" for what in self._in_view(view)}
        for form, view in _digest_views(data):
            if not self.digests.isdisjoint(view[i:i + _PREFIX] for i in range(len(view) - _PREFIX + 1)):
                found.add(f"{form}: digest")
        return sorted(found)

    def _in_view(self, view):
        for run in _DIGITS.finditer(view):
            digits = re.sub(rb"[^0-9]", b"", run.group())
            for size in (11, 12):
                windows = {digits[i:i + size] for i in range(len(digits) - size + 1)}
                if windows & self.numbers:
                    yield "number"
                if windows & self.backwards:
                    yield "number backwards"
        lower = view.lower()
        for text in self.texts:
            if text in lower:
                yield "contact person"
        for mobile in self.mobiles:
            if mobile.search(lower):
                yield "mobile number"


def _views(data):
    yield "plain", data
    if b"\0" in data:
        yield "UTF-16", data.replace(b"\0", b"")
    decoded = [piece for run in _BASE64.findall(data) for piece in _unbase64(run)]
    joined = b"\n".join(decoded)
    yield "base64", joined
    yield "base64 of UTF-16", joined.replace(b"\0", b"")
    hexed = b"\n".join(piece for run in _HEX.findall(data) for piece in _unhex(run))
    yield "hex", hexed
    yield "hex of UTF-16", hexed.replace(b"\0", b"")


def _digest_views(data):
    """Without sealed content, which is long and has no digests."""
    short = _BASE64.sub(lambda run: b"" if len(run.group()) > _SEALED else run.group(), data)
    yield "plain", short
    yield "hex", b"\n".join(piece for run in _HEX.findall(short) for piece in _unhex(run))
    yield "base64", b"\n".join(piece for run in _BASE64.findall(short) for piece in _unbase64(run))


def _unbase64(run):
    run = run.translate(_URLSAFE)
    for start in range(4):
        part = run[start:]
        part = part[:len(part) - len(part) % 4] if len(part) % 4 == 1 else part + b"=" * (-len(part) % 4)
        yield base64.b64decode(part)


def _unhex(run):
    digits = re.sub(rb"[ :]", b"", run)
    for start in range(2):
        part = digits[start:]
        yield bytes.fromhex(part[:len(part) - len(part) % 2].decode())


_CONTACT = re.compile(rb"<p:Kontaktperson>.*?</p:Kontaktperson>", re.S)


def search_folder(folder, canaries, may_hold=lambda path: False):
    """{relative path: findings} of all files and names below. In a pseudonymised message (melding.xml) the Kontaktperson
    element may hold what it is there for. `may_hold`: files that are left out, by relative path."""
    hits = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        found = [f"name, {what}" for what in canaries.search(path.name.encode())]
        if path.is_file() and not path.is_symlink() and not may_hold(str(name)):
            data = path.read_bytes()
            if path.name == "melding.xml":
                data = _CONTACT.sub(b"", data)
            found += canaries.search(data)
        if found:
            hits[str(name)] = found
    return hits
