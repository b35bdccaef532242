"""The C++ (audit_tool) and the second verifier (verifier.py) held against one another, both ways, and against tampers."""
import argparse
import base64
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import verifier  # noqa: E402

TOOL, TAMPERS, SEED = "", 300, None
TRIGGERS = ("audit_next_only", "audit_no_update", "audit_no_delete",
            "audit_nodes_next_only", "audit_nodes_no_update", "audit_nodes_no_delete")
SIZES = (0, 1, 2, 7, 16, 37)


def tool(*args, data=""):
    done = subprocess.run([TOOL, *map(str, args)], input=data.encode(), capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return lines if args[0] in ("verify", "judge") else lines[0]


def b64(data):
    return base64.b64encode(data).decode()


def root_of(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else verifier.sha256(b"")
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return verifier.node_hash(root_of(leaves[:k]), root_of(leaves[k:]))


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return path(m, leaves[:k]) + [root_of(leaves[k:])] if m < k else path(m - k, leaves[k:]) + [root_of(leaves[:k])]


def subproof(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [root_of(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return subproof(m, leaves[:k], whole) + [root_of(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [root_of(leaves[:k])]


class Logs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.logs = {}
        for size in SIZES:
            cls.logs[size] = Path(cls.folder.name) / f"{size}.db"
            tool("make", cls.logs[size], size)
        db = sqlite3.connect(cls.logs[37])
        cls.leaves = [leaf for (leaf,) in db.execute("SELECT leaf FROM audit ORDER BY seq")]
        db.close()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_both_say_the_same_of_good_logs(self):
        empty = (0, verifier.sha256(b""))
        for size, log in self.logs.items():
            said = verifier.verify_log(log, [empty])
            self.assertEqual(said["entries"], size)
            self.assertEqual(tool("verify", f"0:{b64(empty[1])}", log), [said])
        self.assertEqual(said["root"], b64(root_of(self.leaves)))

    def test_proofs_of_the_one_verify_in_the_other(self):
        log = self.logs[37]
        for size in (1, 2, 5, 8, 31, 37):
            leaves = self.leaves[:size]
            for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
                theirs = tool("inclusion", log, index + 1, size)
                self.assertEqual(theirs, {"size": size, "root": b64(root_of(leaves)), "proof": [b64(p) for p in path(index, leaves)]})
                verifier.verify_inclusion(leaves[index], index, size, path(index, leaves), root_of(leaves))
                self.assertEqual(tool("check-inclusion", log, index + 1, data=json.dumps(theirs)), {"verified": True})
                if size == 37:
                    self.assertIn("wrong", tool("check-inclusion", log, (index + 1) % size + 1, data=json.dumps(theirs)))
                old = index + 1
                theirs = tool("consistency", log, old, size)
                ours = subproof(old, leaves)
                self.assertEqual(theirs["proof"], [b64(p) for p in ours])
                verifier.verify_consistency(old, root_of(leaves[:old]), size, root_of(leaves), ours)
                self.assertEqual(tool("check-consistency", data=json.dumps(theirs)), {"verified": True})
                if ours:
                    at, bit = random.randrange(len(ours)), random.randrange(256)
                    ours[at] = (int.from_bytes(ours[at], "big") ^ 1 << bit).to_bytes(32, "big")
                    theirs["proof"] = [b64(p) for p in ours]
                    self.assertIn("wrong", tool("check-consistency", data=json.dumps(theirs)))
                    with self.assertRaises(verifier.Wrong):
                        verifier.verify_consistency(old, root_of(leaves[:old]), size, root_of(leaves), ours)

    def test_tiles_of_the_one_verify_in_the_other(self):
        for size in (1, 37, 300, 66000 if TAMPERS > 1000 else 600):
            with self.subTest(size=size):
                log, folder = Path(self.folder.name) / f"tiles-{size}.db", Path(self.folder.name) / f"tiles-{size}"
                tool("make", log, size)
                said = tool("tiles", log, folder)
                keys = Parties()
                (folder / "checkpoint").write_text(keys.note(size, said["root"]))
                self.assertEqual(verifier.verify_tiles(folder, [keys.log]), {"size": size, "entries": size})
                for path in random.sample(sorted(p for p in folder.rglob("*") if p.is_file()), 2 if size > 256 else 1):
                    data = bytearray(path.read_bytes())
                    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
                    good = path.read_bytes()
                    path.write_bytes(data)
                    with self.assertRaises(verifier.Wrong, msg=str(path)):
                        verifier.verify_tiles(folder, [keys.log])
                    path.write_bytes(good)

    def test_requests_to_a_witness(self):
        log, keys, note = self.logs[37], Parties(), Path(self.folder.name) / "note"
        for old in (0, 1, 8, 20, 37):
            note.write_text(keys.note(37, b64(root_of(self.leaves))))
            request = tool("request", log, old, note)["request"].encode()
            before = keys.note(old, b64(root_of(self.leaves[:old]))).encode() if old else None
            self.assertEqual(verifier.verify_request(request, keys.log, before)["size"], 37)
            other = keys.note(old or 3, b64(root_of(self.leaves[1:][:old or 3]))).encode()
            with self.assertRaises(verifier.Wrong):
                verifier.verify_request(request, keys.log, other)


class Parties:
    """A log's key and a witness's, and what they sign."""

    def __init__(self):
        self.keys = [Ed25519PrivateKey.generate() for _ in range(2)]
        self.log, self.witness = Notes.vkey("unit/tpf/1", 1, self.keys[0]), Notes.vkey("IPLOS", 4, self.keys[1])

    def note(self, size, root, cosigner=None):
        text = f"unit/tpf/1\n{size}\n{root}\n"
        lines = Notes.line(self.log, self.keys[0].sign(text.encode()))
        if cosigner is not None:
            time = (1800000000).to_bytes(8, "big")
            lines += Notes.line(self.witness, time + cosigner.sign(b"cosignature/v1\ntime 1800000000\n" + text.encode()))
        return text + "\n" + lines


class Tampers(unittest.TestCase):
    """A log of 37 entries, of which a witness cosigned the first 31. Whatever is changed of those, or of what the witness said, is
    found by both verifiers, also when every hash was made anew and the log's own key signed it."""

    WITNESSED, ENTRIES = 31, 37

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(dir="/dev/shm")
        cls.place = Path(cls.folder.name)
        cls.good = cls.place / "good.db"
        tool("make", cls.good, cls.ENTRIES)
        with sqlite3.connect(cls.good) as db:
            for trigger in TRIGGERS:
                db.execute(f"DROP TRIGGER {trigger}")
            cls.leaves = [leaf for (leaf,) in db.execute("SELECT leaf FROM audit ORDER BY seq")]
            db.execute("PRAGMA journal_mode=DELETE")
        db.close()
        cls.parties = Parties()
        cls.note = cls.parties.note(cls.WITNESSED, b64(root_of(cls.leaves[: cls.WITNESSED])), cls.parties.keys[1])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def judged(self, pairs):
        """What each verifier says: None is good."""
        lines = "".join(f"{log}\t{note}\n" for log, note in pairs)
        theirs = [said.get("wrong") for said in tool("judge", self.parties.log, self.parties.witness, data=lines)]
        ours = []
        for log, note in pairs:
            try:
                head = verifier.checkpoint_of(note.read_bytes(), [self.parties.log, self.parties.witness])
                verifier.verify_log(log, [(head["size"], verifier.hash_of(head["root"]))])
                ours.append(None)
            except (verifier.Wrong, sqlite3.Error) as wrong:
                ours.append(str(wrong))
        return theirs, ours

    def bit(self, db, note, rng):
        column = rng.choice(("time", "kind", "actor", "message", "fields", "leaf", "hash"))
        table, key = ("audit_nodes", "id") if column == "hash" else ("audit", "seq")
        at = rng.randrange(1, self.WITNESSED - 5 if column == "hash" else self.WITNESSED + 1)
        (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {key}=?", (at,)).fetchone()
        if value is None:
            value = "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"
        elif isinstance(value, int):
            value ^= 1 << rng.randrange(30)
        else:
            data = bytearray(value if isinstance(value, bytes) else value.encode())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(7)
            value = bytes(data) if isinstance(value, bytes) else bytes(data).decode(errors="replace")
        db.execute(f"UPDATE {table} SET {column}=? WHERE {key}=?", (value, at))
        return f"{column} at {at}", note

    def deletion(self, db, note, rng):
        at = rng.randrange(1, self.WITNESSED + 1)
        db.execute("DELETE FROM audit WHERE seq=?", (at,))
        return f"at {at}", note

    def swap(self, db, note, rng):
        one, other = rng.sample(range(1, self.WITNESSED + 1), 2)
        db.executescript(f"UPDATE audit SET seq=0 WHERE seq={one}; UPDATE audit SET seq={one} WHERE seq={other};"
                         f"UPDATE audit SET seq={other} WHERE seq=0")
        return f"{one} and {other}", note

    def truncation(self, db, note, rng):
        size = rng.randrange(self.WITNESSED)
        db.execute("DELETE FROM audit WHERE seq>?", (size,))
        if rng.random() < 0.7:
            db.execute("DELETE FROM audit_nodes WHERE id>?", (size - bin(size).count("1"),))
        return f"to {size}", note

    def signature(self, db, note, rng):
        """Of a signature line: a bit, or another's key under the same name; or the text under it."""
        kind = rng.choice(("bit", "text", "log's", "witness's", "none"))
        head, tail = note.split("\n\n")
        lines = tail.splitlines(keepends=True)
        at = rng.randrange(2)
        if kind == "bit":
            name, data = lines[at].rstrip("\n").rsplit(" ", 1)
            raw = bytearray(base64.b64decode(data))
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
            lines[at] = f"{name} {b64(bytes(raw))}\n"
        elif kind == "text":
            data = bytearray(head.encode())
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(7)
            head = data.decode(errors="replace")
        elif kind == "none":
            del lines[at]
        else:
            stranger = Parties()
            stranger.log, stranger.witness = self.parties.log, self.parties.witness
            text = (head + "\n").split("\n")
            made = stranger.note(text[1], text[2], stranger.keys[1]).split("\n\n")[1].splitlines(keepends=True)
            at = kind == "witness's"
            lines[at] = made[at]
        return kind, head + "\n\n" + "".join(lines)

    def fork(self, db, note, rng):
        """As who may write the file, knows this format, and has the log's key, but not the witness's: all hashes made anew."""
        at = rng.randrange(1, self.WITNESSED + 1)
        rows = [list(row) for row in db.execute("SELECT seq, time, kind, actor, message, fields, leaf FROM audit ORDER BY seq")]
        kind = rng.choice(("edit", "removal", "insertion", "swap", "cut"))
        if kind == "edit":
            rows[at - 1][3] += "x"
        elif kind == "removal":
            del rows[at - 1]
        elif kind == "insertion":
            rows.insert(at - 1, [0, 1800000000, "operator", "ola", None, '{"reason":"x"}', b""])
        elif kind == "swap":
            other = rng.choice([n for n in range(1, self.WITNESSED + 1) if n != at])
            rows[at - 1], rows[other - 1] = rows[other - 1], rows[at - 1]
        else:
            rows = rows[: rng.randrange(self.WITNESSED)]
        for number, row in enumerate(rows, 1):
            row[0] = number
            row[6] = verifier.leaf_hash(verifier.entry_bytes(tuple(row), number))
        leaves = [row[6] for row in rows]
        nodes = [root_of(leaves[i - (1 << level): i]) for i in range(1, len(leaves) + 1) for level in range(1, 7) if i % (1 << level) == 0]
        db.execute("DELETE FROM audit")
        db.execute("DELETE FROM audit_nodes")
        db.executemany("INSERT INTO audit VALUES(?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO audit_nodes VALUES(?, ?)", enumerate(nodes, 1))
        if rng.random() < 0.5 and len(leaves) >= self.WITNESSED:
            stranger = Ed25519PrivateKey.generate()
            return f"{kind} at {at}, signed again", self.parties.note(self.WITNESSED, b64(root_of(leaves[: self.WITNESSED])), stranger)
        return f"{kind} at {at}", note

    def test_the_good_one_is_good(self):
        note = self.place / "good.note"
        note.write_text(self.note)
        self.assertEqual(self.judged([(self.good, note)]), ([None], [None]))

    def test_what_comes_after_the_witness_is_not_its_matter(self):
        """Else the others would be found for another reason."""
        with sqlite3.connect(self.good) as good, sqlite3.connect(self.place / "longer.db") as db:
            good.backup(db)
            rows = db.execute("SELECT seq, time, kind, actor, message, fields FROM audit WHERE seq>31").fetchall()
            self.assertEqual(len(rows), 6)
            db.execute("DELETE FROM audit WHERE seq>33")
            db.execute("DELETE FROM audit_nodes WHERE id>31")
        good.close()
        db.close()
        note = self.place / "longer.note"
        note.write_text(self.note)
        self.assertEqual(self.judged([(self.place / "longer.db", note)]), ([None], [None]))

    def test_both_find_every_tamper(self):
        seed = SEED if SEED is not None else random.SystemRandom().randrange(1 << 32)
        rng = random.Random(seed)
        kinds = (self.bit, self.deletion, self.swap, self.truncation, self.signature, self.fork)
        done = dict.fromkeys((kind.__name__ for kind in kinds), 0)
        left = TAMPERS
        while left > 0:
            batch = []
            for number in range(min(left, 250)):
                log, note = self.place / f"{number}.db", self.place / f"{number}.note"
                shutil.copy(self.good, log)
                db = sqlite3.connect(log)
                db.execute("PRAGMA synchronous=OFF")
                db.execute("PRAGMA journal_mode=MEMORY")
                kind = rng.choice(kinds)
                done[kind.__name__] += 1
                what, text = kind(db, self.note, rng)
                db.commit()
                db.close()
                note.write_text(text)
                batch.append((f"{kind.__name__} {what}", log, note))
            theirs, ours = self.judged([(log, note) for _, log, note in batch])
            for (what, _, _), their, our in zip(batch, theirs, ours, strict=True):
                self.assertIsNotNone(their, f"the C++ did not find: {what}, seed {seed}")
                self.assertIsNotNone(our, f"the Python did not find: {what}, seed {seed}")
            left -= len(batch)
        print(f"{TAMPERS} tampers found by both, seed {seed}: {done}", file=sys.stderr)


class Notes(unittest.TestCase):
    TEXT = f"tpf.example/log\n37\n{b64(bytes(range(32)))}\n"

    def setUp(self):
        self.keys = [Ed25519PrivateKey.generate() for _ in range(2)]
        self.vkeys = [self.vkey("tpf.example/log", 1, self.keys[0]), self.vkey("register.example", 4, self.keys[1])]

    @staticmethod
    def vkey(name, kind, key):
        data = bytes([kind]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{name}+{verifier.sha256(name.encode() + bytes([10]) + data)[:4].hex()}+{b64(data)}"

    @staticmethod
    def line(vkey, signature):
        name, key_id, _ = vkey.split("+", 2)
        return f"\u2014 {name} {b64(bytes.fromhex(key_id) + signature)}\n"

    def ours(self, time=1800000000):
        cosigned = f"cosignature/v1\ntime {time}\n{self.TEXT}".encode()
        return (self.TEXT + "\n" + self.line(self.vkeys[0], self.keys[0].sign(self.TEXT.encode()))
                + self.line(self.vkeys[1], time.to_bytes(8, "big") + self.keys[1].sign(cosigned)))

    def test_keys_and_notes_are_the_same_bytes(self):
        seeds = [key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()).hex() for key in self.keys]
        self.assertEqual(tool("vkey", "tpf.example/log", 1, seeds[0])["vkey"], self.vkeys[0])
        self.assertEqual(tool("vkey", "register.example", 4, seeds[1])["vkey"], self.vkeys[1])
        note = tool("sign", "tpf.example/log", seeds[0], data=self.TEXT)["note"]
        note = tool("cosign", "register.example", seeds[1], 1800000000, data=note)["note"]
        self.assertEqual(note, self.ours())

    def test_both_open_it(self):
        opened = verifier.verify_note(self.ours().encode(), self.vkeys)
        self.assertEqual(tool("open", *self.vkeys, data=self.ours()), opened)
        self.assertEqual(opened["signatures"][1]["time"], 1800000000)
        self.assertEqual(verifier.parse_checkpoint(opened["text"])["size"], 37)

    def test_both_refuse_what_was_changed(self):
        good = self.ours()
        byte = good.rindex(" ") + 40  # of the last signature, behind key id and time: another key's line would be passed over
        bad = [good.replace("37", "38", 1), good.replace("tpf.", "tpg.", 1), good[:-1], good + "\n", good.replace("\n\n", "\n", 1),
               good[:byte] + ("B" if good[byte] == "A" else "A") + good[byte + 1:], self.ours(1 << 63)]
        for note in bad:
            with self.subTest(note=note):
                self.assertIn("wrong", tool("open", *self.vkeys, data=note))
                with self.assertRaises(verifier.Wrong):
                    verifier.verify_note(note.encode(), self.vkeys)


class Documentation(unittest.TestCase):
    def test_its_example(self):
        text = (Path(__file__).resolve().parents[2] / "docs/audit-log.md").read_text()
        entries = re.findall(r'^\{"actor".*\}$', text, re.MULTILINE)
        hashes = re.findall(r"^(?:leaf \d|node 1,0|root) +([0-9a-f]{64})", text, re.MULTILINE)
        leaves = [verifier.leaf_hash(entry.encode()) for entry in entries]
        self.assertEqual(len(leaves), 3)
        self.assertEqual(hashes, [h.hex() for h in [*leaves, root_of(leaves[:2]), root_of(leaves)]])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--tampers", type=int, default=TAMPERS, help="how many; the long form is 10000 and more")
    parser.add_argument("--seed", type=int, help="of a run to be repeated")
    known, rest = parser.parse_known_args()
    TOOL, TAMPERS, SEED = known.tool, known.tampers, known.seed
    unittest.main(argv=[sys.argv[0], *rest])
