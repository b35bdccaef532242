#!/usr/bin/env python3
"""A second verifier of the audit log, written from docs/audit-log.md alone: Python's standard library, and `cryptography` for
Ed25519. It shares no code with the program and changes nothing.

  verifier.py log DB [--head SIZE:ROOT]…        every entry, leaf, node and the root; the log must have each head
  verifier.py inclusion DB SEQ                  reads {"size", "root", "proof"} (base64) from standard input
  verifier.py consistency                       reads {"old", "old_root", "size", "root", "proof"} from standard input
  verifier.py note VKEY…                        reads a signed note from standard input
  verifier.py proof FILE VKEY…                  a message's entries; every key must have signed
  verifier.py tiles DIR VKEY…                   an exported log: tiles, and bundles where there are some
  verifier.py request FILE VKEY [OLD]           what a witness is asked for; OLD: the note that it cosigned last
  verifier.py segment DIR VKEY…                 an archived year; keys other than the log's must have cosigned
  verifier.py archive DIR VKEY…                 all years in a folder, and that they are one log

Prints one JSON object. Exit status 1: it does not verify; the object says why.
"""
import argparse
import atexit
import base64
import datetime
import hashlib
import json
import pathlib
import re
import shutil
import sqlite3
import sys
import tempfile
import unicodedata

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
MOST = 2**63 - 1


class Wrong(Exception):
    pass


def must(good, what):
    if not good:
        raise Wrong(what)


# --- entries ---

def json_text(text):
    """As RFC 8785 writes a text."""
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def fields_of(text, place):
    """The member's bytes must be its one form."""
    try:
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        raise Wrong(f"{place}: fields are no JSON") from None
    must(isinstance(pairs, list) and all(isinstance(v, str) and re.fullmatch("[a-z0-9_]+", k) for k, v in pairs),
         f"{place}: fields are not an object of texts")
    names = [k for k, _ in pairs]
    must(names == sorted(set(names)), f"{place}: fields are not sorted")
    must("{" + ",".join(f"{json_text(k)}:{json_text(v)}" for k, v in pairs) + "}" == text, f"{place}: fields are not canonical")
    return text


def utc(seconds, place):
    try:
        time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        raise Wrong(f"{place}: time") from None
    return f"{time:%Y}".rjust(4, "0") + f"{time:-%m-%dT%H:%M:%SZ}"


def entry_bytes(row, number):
    seq, time, kind, actor, message, fields, _ = row
    place = f"audit entry {number}"
    must(seq == number, f"audit entry {seq} stands where entry {number} belongs")
    must(isinstance(time, int) and isinstance(actor, str) and isinstance(fields, str), f"{place}: a column of another type")
    must(isinstance(kind, str) and re.fullmatch("[a-z-]+", kind), f"{place}: kind")
    must(message is None or (isinstance(message, str) and UUID4.match(message)), f"{place}: message")
    members = [f'"actor":{json_text(actor)}', f'"fields":{fields_of(fields, place)}', f'"kind":"{kind}"']
    if message is not None:
        members.append(f'"message":"{message}"')
    members += [f'"seq":{seq}', f'"time":"{utc(time, place)}"', '"v":1']
    return ("{" + ",".join(members) + "}").encode()


# --- the tree ---

def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def fold(peaks):
    """The root, from the roots of perfect subtrees, the largest first."""
    if not peaks:
        return sha256(b"")
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def verify_inclusion(leaf, index, size, proof, root):
    """RFC 9162 § 2.1.3.2"""
    must(0 <= index < size, "the leaf is not in a tree of that size")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        must(sn != 0, "the proof is too long")
        if fn % 2 == 1 or fn == sn:
            r = node_hash(p, r)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    must(sn == 0, "the proof is too short")
    must(r == root, "the proof leads to another root")


def verify_consistency(first, first_root, second, second_root, proof):
    """RFC 9162 § 2.1.4.2"""
    if first == 0 or first == second:
        must(not proof, "a proof where none is needed")
        must(first != 0 or first_root == sha256(b""), "not the root of the empty tree")
        must(first != second or first_root == second_root, "two roots of one size")
        return
    must(0 < first < second and proof, "no such proof")
    proof = list(proof)
    if first & (first - 1) == 0:
        proof.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn % 2 == 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        must(sn != 0, "the proof is too long")
        if fn % 2 == 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    must(sn == 0, "the proof is too short")
    must(fr == first_root, "the proof leads to another old root")
    must(sr == second_root, "the proof leads to another root")


def open_database(path):
    """The file as it is; where a write-ahead log lies beside it, a copy of both."""
    wal = pathlib.Path(f"{path}-wal")
    if not wal.exists() or wal.stat().st_size == 0:
        db = sqlite3.connect(f"{pathlib.Path(path).resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    else:
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        shutil.copy(path, f"{folder.name}/log.db")
        shutil.copy(wal, f"{folder.name}/log.db-wal")
        db = sqlite3.connect(f"{folder.name}/log.db")
    must(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",), "the database is damaged")
    return db


def verify_log(path, heads):
    """`heads`: [(size, root)] that somebody kept."""
    wanted = {}
    for size, root in heads:
        must(wanted.setdefault(size, root) == root, f"two roots for {size} entries: one of them is of another log")
    db = open_database(path)
    nodes = db.execute("SELECT id, hash FROM audit_nodes ORDER BY id")
    peaks, size, last_node = [], 0, 0
    if 0 in wanted:
        must(wanted.pop(0) == fold([]), "the head of 0 entries is another one")
    for row in db.execute("SELECT seq, time, kind, actor, message, fields, leaf FROM audit ORDER BY seq"):
        entry = entry_bytes(row, size + 1)
        must(leaf_hash(entry) == row[6], f"audit entry {size + 1} does not match its leaf hash")
        peaks.append(row[6])
        size += 1
        level, perfect = 0, size
        while perfect % 2 == 0:
            right, level, perfect, last_node = peaks.pop(), level + 1, perfect // 2, last_node + 1
            peaks[-1] = node_hash(peaks[-1], right)
            place = f"node {(size - 1) >> level} of level {level}"
            node = nodes.fetchone()
            must(node is not None and node[0] == last_node, f"{place} is missing")
            must(node[1] == peaks[-1], f"{place} does not follow from its entries")
        if size in wanted:
            must(wanted.pop(size) == fold(peaks), f"the head of {size} entries is another one: the log was changed")
    must(nodes.fetchone() is None, f"nodes that {size} entries do not make up: entries at the end are missing")
    must(not wanted, f"the log has {size} entries, a kept head has {max(wanted, default=0)}: the end is missing")
    return {"entries": size, "root": base64.b64encode(fold(peaks)).decode()}


# --- notes ---

def from_base64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{what}: no base64") from None
    must(base64.b64encode(data).decode() == text, f"{what}: base64 in another form")
    return data


def is_name(name):
    return name != "" and not any(c == "+" or c < " " or c == "\x85" or unicodedata.category(c) in ("Zs", "Zl", "Zp") for c in name)


class Key:
    def __init__(self, vkey):
        parts = vkey.split("+", 2)
        must(len(parts) == 3 and is_name(parts[0]), "not a vkey")
        self.name = parts[0]
        data = from_base64(parts[2], "vkey")
        must(len(data) == 33 and data[0] in (1, 4), "a vkey of another type or length")
        self.type, self.public = data[0], Ed25519PublicKey.from_public_bytes(data[1:])
        self.id = sha256(self.name.encode() + b"\n" + data)[:4]
        must(parts[1] == self.id.hex(), "the vkey's id is another one")

    def verify(self, text, signature):
        """The time that a cosignature names."""
        time, message = None, text.encode()
        if self.type == 4:
            parse_checkpoint(text)
            must(len(signature) == 72, "a cosignature of another length")
            time, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            must(time <= MOST, "a cosignature's time is out of range")
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            self.public.verify(signature, message)
        except InvalidSignature:
            raise Wrong(f"the signature of {self.name} does not verify") from None
        return time


def parse_note(data):
    must(len(data) <= 1 << 20, "a note larger than any")
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise Wrong("a note is UTF-8") from None
    must(not any(c < " " and c != "\n" for c in note), "a control character in a note")
    must("\n\n" in note and note.endswith("\n"), "not a signed note")
    at = note.rindex("\n\n")
    text, lines = note[: at + 1], note[at + 2:].split("\n")[:-1]
    must(1 <= len(lines) <= 100, "a note has 1 to 100 signatures")
    signatures = []
    for line in lines:
        parts = line.split(" ", 2)
        must(len(parts) == 3 and parts[0] == "\u2014" and is_name(parts[1]), "not a signature line")
        signature = from_base64(parts[2], "signature line")
        must(len(signature) > 4, "a signature line without a signature")
        signatures.append((parts[1], signature[:4], signature[4:]))
    return text, signatures


def parse_checkpoint(text):
    lines = text.split("\n")
    must(lines.pop() == "" and len(lines) >= 3 and all(lines), "not a checkpoint")
    must(re.fullmatch("0|[1-9][0-9]*", lines[1]) and int(lines[1]) <= MOST, "a checkpoint's size")
    root = from_base64(lines[2], "a checkpoint's root")
    must(len(root) == 32, "a checkpoint's root is 32 bytes")
    return {"origin": lines[0], "size": int(lines[1]), "root": lines[2], "extensions": lines[3:]}


def verify_note(data, vkeys):
    keys = [Key(vkey) for vkey in vkeys]
    text, signatures = parse_note(data)
    good = []
    for name, key_id, signature in signatures:
        for key in keys:
            if (key.name, key.id) == (name, key_id):
                good.append({"name": name, "type": key.type, "time": key.verify(text, signature)})
    must(good, "no signature of a known key")
    return {"text": text, "signatures": good}


def checkpoint_of(data, vkeys):
    """Of a note that each of these keys signed; the log's key has its origin as its name."""
    opened = verify_note(data, vkeys)
    must({s["name"] for s in opened["signatures"]} >= {Key(vkey).name for vkey in vkeys}, "a key has not signed")
    checkpoint = parse_checkpoint(opened["text"])
    must(any(s["type"] == 1 and s["name"] == checkpoint["origin"] for s in opened["signatures"]), "the log's own key has not signed")
    return checkpoint


def hash_of(text):
    data = from_base64(text, "a hash")
    must(len(data) == 32, "a hash is 32 bytes")
    return data


# --- what is handed out ---

def parse_entry(data):
    """A row, from an entry's bytes in their one form."""
    try:
        entry = json.loads(data)
        must(isinstance(entry, dict) and set(entry) - {"message"} == {"actor", "fields", "kind", "seq", "time", "v"}, "an entry's members")
        time = datetime.datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%SZ")
        seconds = round((time - datetime.datetime(1970, 1, 1)).total_seconds())
        fields = "{" + ",".join(f"{json_text(k)}:{json_text(v)}" for k, v in entry["fields"].items()) + "}"
        row = (entry["seq"], seconds, entry["kind"], entry["actor"], entry.get("message"), fields, None)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise Wrong("not an entry") from None
    must(entry["v"] == 1 and isinstance(row[0], int) and 0 < row[0] < 2**53, "an entry's number or version")
    must(entry_bytes(row, row[0]) == data, "an entry that is not canonical")
    return row


def verify_proof(data, vkeys):
    try:
        file = json.loads(data)
        must(list(file) == ["form", "message", "checkpoint", "entries"] and file["form"] == "tpf-bevis-1", "not a proof")
        entries = [(one["entry"].encode(), [hash_of(h) for h in one["proof"]]) for one in file["entries"]]
        must(all(list(one) == ["entry", "proof"] for one in file["entries"]), "not a proof")
        checkpoint = checkpoint_of(file["checkpoint"].encode(), vkeys)
    except (ValueError, TypeError, AttributeError, KeyError):
        raise Wrong("not a proof") from None
    must(entries, "a proof of nothing")
    last = 0
    for entry, path in entries:
        row = parse_entry(entry)
        must(row[0] > last and row[4] == file["message"], "entries out of order, or of another message")
        last = row[0]
        verify_inclusion(leaf_hash(entry), last - 1, checkpoint["size"], path, hash_of(checkpoint["root"]))
    return {"message": file["message"], "entries": len(entries), "size": checkpoint["size"]}


def number_path(n):
    parts = []
    while True:
        parts.insert(0, f"{n % 1000:03}" if not parts else f"x{n % 1000:03}")
        n //= 1000
        if n == 0:
            return "/".join(parts)


def tiles_of(root, level, count, unit):
    """The pieces of one level, each of up to 256 units; `unit` None: they have lengths of their own."""
    for n in range(-(-count // 256)):
        width = min(256, count - n * 256)
        path = root / f"tile/{level}" / (number_path(n) + ("" if width == 256 else f".p/{width}"))
        try:
            data = path.read_bytes()
        except OSError:
            raise Wrong(f"{path} is missing") from None
        must(unit is None or len(data) == width * unit, f"{path} has another length")
        yield path, width, data


def verify_tiles(folder, vkeys):
    root = pathlib.Path(folder)
    try:
        checkpoint = checkpoint_of((root / "checkpoint").read_bytes(), vkeys)
    except OSError:
        raise Wrong("no checkpoint") from None
    size, leaves, level, below = checkpoint["size"], [], 0, None
    while size >> 8 * level:
        hashes = []
        for _, width, data in tiles_of(root, level, size >> 8 * level, 32):
            hashes += [data[i: i + 32] for i in range(0, 32 * width, 32)]
        if level == 0:
            leaves = hashes
        else:
            for n, one in enumerate(hashes):
                must(perfect(below[256 * n: 256 * (n + 1)]) == one, f"hash {n} of level {level} does not follow from those below it")
        below, level = hashes, level + 1
    must(fold(peaks_of(leaves)) == hash_of(checkpoint["root"]), "the tiles have another root than the checkpoint")
    entries = 0
    if (root / "tile/entries").exists():
        for path, width, data in tiles_of(root, "entries", size, None):
            for _ in range(width):
                length = int.from_bytes(data[:2], "big")
                entry, data = data[2: 2 + length], data[2 + length:]
                must(len(entry) == length and leaf_hash(entry) == leaves[entries], f"entry {entries + 1} is another one")
                must(parse_entry(entry)[0] == entries + 1, f"entry {entries + 1} has another number")
                entries += 1
            must(data == b"", f"{path} is longer than its entries")
    return {"size": size, "entries": entries}


def perfect(hashes):
    while len(hashes) > 1:
        hashes = [node_hash(a, b) for a, b in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def peaks_of(leaves):
    peaks, at = [], 0
    for level in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> level & 1:
            peaks.append(perfect(leaves[at: at + (1 << level)]))
            at += 1 << level
    return peaks


def verify_request(data, vkey, old_note=None):
    """The note that a witness may cosign: it follows from the one that it cosigned last (none: from nothing)."""
    head, blank, note = data.partition(b"\n\n")
    lines = head.decode(errors="replace").split("\n")
    must(blank and re.fullmatch("old (0|[1-9][0-9]*)", lines[0]), "not a request to a witness")
    proof = [hash_of(line) for line in lines[1:]]
    must(len(proof) <= 64, "a proof that is too long")
    now = checkpoint_of(note, [vkey])
    old = {"origin": now["origin"], "size": 0, "root": base64.b64encode(sha256(b"")).decode()}
    if old_note is not None:
        old = checkpoint_of(old_note, [vkey])
    must(old["origin"] == now["origin"], "another log's checkpoint")
    must(old["size"] == int(lines[0][4:]), f"the request is from another size than {old['size']}")
    verify_consistency(old["size"], hash_of(old["root"]), now["size"], hash_of(now["root"]), proof)
    return {"size": now["size"], "note": note.decode()}


def under(vkey, name):
    """The same key under another name."""
    data = base64.b64decode(vkey.split("+", 2)[2])
    return f"{name}+{sha256(name.encode() + bytes([10]) + data)[:4].hex()}+{base64.b64encode(data).decode()}"


def verify_archive(folder, vkeys):
    """The years in a folder: one log, none missing between the first and the last."""
    years = [verify_segment(path.parent, vkeys) for path in pathlib.Path(folder).glob("*/segment.json")]
    years.sort(key=lambda year: year["first"])
    must(years, "no segments")
    for one, next_one in zip(years, years[1:]):
        must(next_one["first"] == one["last"] + 1, "years are missing, or there twice")
        must(next_one["before"] == one["root"], f"{next_one['year']} does not follow from {one['year']}")
        must(next_one["origin"] == one["origin"] or next_one["origins"], f"{next_one['year']} has another origin, and no entry says so")
    return {"years": [year["year"] for year in years]}


def witness_file(name):
    plain = re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name)
    return name if plain else "sha256-" + sha256(name.encode()).hex()[:32]


def verify_segment(folder, vkeys):
    """An archived year: its entries go on from the tree before them and end in the tree that its checkpoint stands for."""
    root = pathlib.Path(folder)
    try:
        text = (root / "segment.json").read_text()
        entries = (root / "entries.jsonl").read_bytes()
        note = (root / "checkpoint").read_bytes()
        header = json.loads(text)
        must(json.dumps(header, separators=(",", ":"), ensure_ascii=False) + "\n" == text, "segment.json is not in its form")
        must(list(header) == ["form", "origin", "year", "first", "last", "before"] and header["form"] == "tpf-segment-1", "not a segment")
        first, last, before = header["first"], header["last"], [hash_of(h) for h in header["before"]]
        must(0 < first <= last and len(before) == (first - 1).bit_count(), "a segment's numbers")
    except (OSError, ValueError, TypeError, KeyError):
        raise Wrong("not a segment") from None
    must(entries.endswith(b"\n"), "the last entry is cut off")
    # Peaks, each with the number of leaves below it.
    peaks = list(zip([1 << b for b in reversed(range(64)) if (first - 1) >> b & 1], before, strict=True))
    number, origins = first - 1, []
    for line in entries[:-1].split(b"\n"):
        row, number = parse_entry(line), number + 1
        must(row[0] == number, f"entry {row[0]} stands where entry {number} should")
        must(number != first or utc(row[1], "")[:4] == str(header["year"]), "its first entry is of another year")
        if row[2] == "log-origin":
            origins.append(json.loads(row[5])["origin"])
        peak = (1, leaf_hash(line))
        while peaks and peaks[-1][0] == peak[0]:
            below = peaks.pop()
            peak = (below[0] * 2, node_hash(below[1], peak[1]))
        peaks.append(peak)
    must(number == last, "entries are missing, or too many")
    must(row[2] == "segment-closed" and row[5] == json.dumps({"first": str(first), "year": str(header["year"])}, separators=(",", ":")),
         "its last entry does not close it")
    must(not origins or origins[-1] == header["origin"], "its newest log-origin entry has another origin")
    end = fold([h for _, h in peaks])
    # The log's key may be given under the origin of today.
    own = [under(vkey, header["origin"]) for vkey in vkeys if Key(vkey).type == 1]
    checkpoint = checkpoint_of(note, own)
    must((checkpoint["origin"], checkpoint["size"], hash_of(checkpoint["root"])) == (header["origin"], last, end),
         "the entries are not those that its checkpoint stands for")
    for vkey in vkeys:
        if Key(vkey).type == 1:
            continue
        try:
            request = (root / "cosigned" / witness_file(Key(vkey).name)).read_bytes()
        except OSError:
            raise Wrong(f"{Key(vkey).name} has not cosigned") from None
        head, _, cosigned = request.partition(b"\n\n")
        lines = head.decode(errors="replace").split("\n")
        must(lines[0] == f"old {last}", "the proof is from another size")
        later = checkpoint_of(cosigned, [*own, vkey])
        must(later["origin"] == header["origin"], "another log's checkpoint")
        verify_consistency(last, end, later["size"], hash_of(later["root"]), [hash_of(line) for line in lines[1:]])
    return {"year": header["year"], "origin": header["origin"], "origins": origins, "first": first, "last": last, "before": fold(before).hex(), "root": end.hex()}


# --- commands ---

def head(text):
    size, root = text.split(":", 1)
    return int(size), base64.b64decode(root)


def run(args):
    if args.command == "log":
        return verify_log(args.db, args.head)
    if args.command == "note":
        return verify_note(sys.stdin.buffer.read(), args.vkey)
    if args.command == "proof":
        return verify_proof(pathlib.Path(args.file).read_bytes(), args.vkey)
    if args.command == "tiles":
        return verify_tiles(args.folder, args.vkey)
    if args.command == "segment":
        return verify_segment(args.folder, args.vkey)
    if args.command == "archive":
        return verify_archive(args.folder, args.vkey)
    if args.command == "request":
        old = pathlib.Path(args.old).read_bytes() if args.old else None
        return verify_request(pathlib.Path(args.file).read_bytes(), args.vkey, old)
    given = json.load(sys.stdin)
    proof = [from_base64(node, "proof") for node in given["proof"]]
    must(all(len(node) == 32 for node in proof), "a proof's node is 32 bytes")
    root = from_base64(given["root"], "root")
    if args.command == "inclusion":
        row = open_database(args.db).execute("SELECT seq, time, kind, actor, message, fields, leaf FROM audit WHERE seq=?", (args.seq,)).fetchone()
        must(row is not None, "no such entry")
        verify_inclusion(leaf_hash(entry_bytes(row, args.seq)), args.seq - 1, given["size"], proof, root)
    else:
        verify_consistency(given["old"], from_base64(given["old_root"], "old_root"), given["size"], root, proof)
    return {"verified": True}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    log = commands.add_parser("log")
    log.add_argument("db")
    log.add_argument("--head", type=head, action="append", default=[])
    inclusion = commands.add_parser("inclusion")
    inclusion.add_argument("db")
    inclusion.add_argument("seq", type=int)
    commands.add_parser("consistency")
    commands.add_parser("note").add_argument("vkey", nargs="+")
    for name, what in (("proof", "file"), ("tiles", "folder")):
        one = commands.add_parser(name)
        one.add_argument(what)
        one.add_argument("vkey", nargs="+")
    for name in ("segment", "archive"):
        one = commands.add_parser(name)
        one.add_argument("folder")
        one.add_argument("vkey", nargs="+")
    request = commands.add_parser("request")
    request.add_argument("file")
    request.add_argument("vkey")
    request.add_argument("old", nargs="?")
    try:
        print(json.dumps(run(parser.parse_args())))
    except (Wrong, sqlite3.Error) as wrong:
        print(json.dumps({"wrong": str(wrong)}))
        sys.exit(1)


if __name__ == "__main__":
    main()
