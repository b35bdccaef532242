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

TOOL = ""
TRIGGERS = ("audit_next_only", "audit_no_update", "audit_no_delete",
            "audit_nodes_next_only", "audit_nodes_no_update", "audit_nodes_no_delete")
SIZES = (0, 1, 2, 7, 16, 37)


def tool(*args, data=""):
    done = subprocess.run([TOOL, *map(str, args)], input=data.encode(), capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return lines if args[0] == "verify" else lines[0]


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

    def tampered(self, number, rng):
        """A copy of the log in which one thing is otherwise; what was done, and the copy."""
        log = Path(self.folder.name) / f"tampered-{number}.db"
        shutil.copy(self.logs[37], log)
        db = sqlite3.connect(log)
        for trigger in TRIGGERS:
            db.execute(f"DROP TRIGGER {trigger}")
        kind = rng.choice(("bit", "bit", "deletion", "swap", "truncation", "rewrite"))
        one, other = rng.sample(range(1, 38), 2)
        if kind == "bit":
            column = rng.choice(("time", "kind", "actor", "message", "fields", "leaf", "hash"))
            table, key = ("audit_nodes", "id") if column == "hash" else ("audit", "seq")
            (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {key}=?", (min(one, 34),)).fetchone()
            if value is None:
                value = "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"
            elif isinstance(value, int):
                value ^= 1 << rng.randrange(30)
            else:
                data = bytearray(value if isinstance(value, bytes) else value.encode())
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(7)
                value = bytes(data) if isinstance(value, bytes) else bytes(data).decode(errors="replace")
            db.execute(f"UPDATE {table} SET {column}=? WHERE {key}=?", (value, min(one, 34)))
            kind = f"bit of {column}"
        elif kind == "deletion":
            db.execute("DELETE FROM audit WHERE seq=?", (one,))
        elif kind == "swap":
            db.executescript(f"UPDATE audit SET seq=0 WHERE seq={one}; UPDATE audit SET seq={one} WHERE seq={other};"
                             f"UPDATE audit SET seq={other} WHERE seq=0")
        elif kind == "truncation":
            size = one - 1
            db.execute("DELETE FROM audit WHERE seq>?", (size,))
            if rng.random() < 0.7:
                db.execute("DELETE FROM audit_nodes WHERE id>?", (size - bin(size).count("1"),))
        else:
            self.rewrite(db, one)
        db.commit()
        db.close()
        return f"{kind} at {one} and {other}", log

    @staticmethod
    def rewrite(db, seq):
        """As who may write the file and knows this format: an entry changed, every hash made anew."""
        db.execute("UPDATE audit SET actor='ola' WHERE seq=?", (seq,))
        rows = db.execute("SELECT seq, time, kind, actor, message, fields, leaf FROM audit ORDER BY seq").fetchall()
        leaves = [verifier.leaf_hash(verifier.entry_bytes(row, i)) for i, row in enumerate(rows, 1)]
        db.executemany("UPDATE audit SET leaf=? WHERE seq=?", [(leaf, i) for i, leaf in enumerate(leaves, 1)])
        nodes = []
        for i in range(1, len(leaves) + 1):
            span = 2
            while i % span == 0:
                nodes.append(root_of(leaves[i - span: i]))
                span *= 2
        db.executemany("UPDATE audit_nodes SET hash=? WHERE id=?", [(node, i) for i, node in enumerate(nodes, 1)])

    def test_both_find_every_tamper(self):
        seed = random.SystemRandom().randrange(1 << 32)
        rng = random.Random(seed)
        kept = (37, root_of(self.leaves))
        made = [self.tampered(number, rng) for number in range(200)]
        theirs = tool("verify", f"37:{b64(kept[1])}", *(log for _, log in made))
        for (what, log), said in zip(made, theirs, strict=True):
            with self.subTest(seed=seed, what=what):
                self.assertIn("wrong", said)
                with self.assertRaises((verifier.Wrong, sqlite3.Error)):
                    verifier.verify_log(log, [kept])


class Notes(unittest.TestCase):
    TEXT = f"tpf.example/log\n37\n{b64(bytes(range(32)))}\n"

    def setUp(self):
        self.keys = [Ed25519PrivateKey.generate() for _ in range(2)]
        self.vkeys = [self.vkey("tpf.example/log", 1, self.keys[0]), self.vkey("register.example", 4, self.keys[1])]

    @staticmethod
    def vkey(name, kind, key):
        data = bytes([kind]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{name}+{verifier.sha256(name.encode() + bytes([10]) + data)[:4].hex()}+{b64(data)}"

    def line(self, vkey, signature):
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
        last = good.rindex("\u2014")
        bad = [good.replace("37", "38", 1), good.replace("tpf.", "tpg.", 1), good[:-1], good + "\n", good.replace("\n\n", "\n", 1),
               good[:last] + good[last:].replace("A", "B", 1), self.ours(1 << 63)]
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
    known, rest = parser.parse_known_args()
    TOOL = known.tool
    unittest.main(argv=[sys.argv[0], *rest])
