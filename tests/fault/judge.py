"""Judges an end state: what is promised (docs/reliability.md) against what lies on disk. Reads files only, so that it
serves whoever made the state: killed processes, failed calls, or a power cut. Written from docs/spool-format.md, without
the project's own code.

judge(place, messages) wants a system at rest: all programs stopped after they had worked off what was there."""

import base64
import functools
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

import load

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
FINAL = ("delivered", "quarantined", "held", "discarded", "duplicate")
# Entries that each state's way leaves in the audit log: kind, least, most.
WAYS = {
    "delivered": (("received", 1, 1), ("pseudonymised", 1, 1), ("delivered", 1, 1), ("quarantined", 0, 0), ("duplicate", 0, 0)),
    "quarantined": (("received", 1, 1), ("quarantined", 1, 1), ("delivered", 0, 0)),
    "duplicate": (("received", 1, 1), ("duplicate", 1, 1), ("delivered", 0, 0), ("pseudonymised", 0, 0)),
}


@dataclass
class Place:
    """Where an installation keeps what. `others`: further folders in which no clear text may stand."""
    spool: Path
    journal: Path        # journal.db
    store: Path          # of the register
    others: tuple = ()
    retention: bool = True  # payloads of what was delivered are kept


class Judge:
    def __init__(self, place, messages):
        self.place, self.messages = place, messages
        self.faults = []
        self.rows, self.audit = {}, []

    def fault(self, text):
        self.faults.append(text)

    def check(self, condition, text):
        if not condition:
            self.fault(text)
        return condition

    def run(self):
        if self.read_journal():
            self.judge_chain()
            self.judge_ways()
            self.judge_messages()
            self.judge_register()
            self.judge_answers()
            self.judge_lists()
            self.judge_folders()
        self.judge_clear_text()
        return self.faults

    # --- the journal ---
    def read_journal(self):
        with tempfile.TemporaryDirectory() as copy:
            for suffix in ("", "-wal"):
                source = Path(f"{self.place.journal}{suffix}")
                if source.exists():
                    shutil.copy(source, Path(copy) / f"journal.db{suffix}")
            db = sqlite3.connect(Path(copy) / "journal.db")
            db.row_factory = sqlite3.Row
            try:
                for (said,) in db.execute("PRAGMA integrity_check"):
                    self.check(said == "ok", f"journal: {said}")
                columns = [c["name"] for c in db.execute("PRAGMA table_info(messages)")]
                for row in db.execute("SELECT * FROM messages"):
                    self.rows[row["id"]] = dict(row)
                    self.check(row["digest"] == _row_digest(row, columns), f"journal: digest of row {row['id']} is wrong")
                self.audit = [dict(e) for e in db.execute("SELECT * FROM audit ORDER BY seq")]
                self.nodes = [n["hash"] for n in db.execute("SELECT * FROM audit_nodes ORDER BY id")]
                self.notes = [(n["witness"], n["note"]) for n in db.execute("SELECT witness, note FROM audit_checkpoints")]
                counts = {state: number for state, number in db.execute("SELECT state, messages FROM counts") if number}
                self.names = [dict(n) for n in db.execute("SELECT * FROM names")]
            except sqlite3.Error as error:
                self.fault(f"journal cannot be read: {error}")
                return False
            finally:
                db.close()
        counted = {}
        for row in self.rows.values():
            counted[row["state"]] = counted.get(row["state"], 0) + 1
        self.check(counts == counted, f"journal: counts {counts} for rows {counted}")
        committed = {(r["name"], r["id"], r["input_sha256"]) for r in self.rows.values() if r["committed"] is not None}
        named = {(f"{n['avsender']}-{n['meldings_id']}", n["spool_id"], n["input_sha256"]) for n in self.names}
        self.check(committed == named, f"journal: names {named ^ committed} do not agree with the committed rows")
        return True

    def judge_chain(self):
        peaks, nodes, roots = [], iter(self.nodes), {}
        for number, entry in enumerate(self.audit, 1):
            canonical = {"actor": entry["actor"], "fields": json.loads(entry["fields"]), "kind": entry["kind"],
                         "seq": entry["seq"], "time": _utc(entry["time"]), "v": 1}
            if entry["message"] is not None:
                canonical["message"] = entry["message"]
            text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            peaks.append(hashlib.sha256(b"\0" + text).digest())
            if not self.check(entry["seq"] == number and entry["leaf"] == peaks[-1], f"audit: the tree breaks at {entry['seq']}"):
                return
            completed = number
            while completed % 2 == 0:
                right, completed = peaks.pop(), completed // 2
                peaks[-1] = hashlib.sha256(b"\1" + peaks[-1] + right).digest()
                if not self.check(next(nodes, None) == peaks[-1], f"audit: a node over entry {number} is wrong"):
                    return
            roots[number] = functools.reduce(lambda right, left: hashlib.sha256(b"\1" + left + right).digest(), reversed(peaks))
        self.check(next(nodes, None) is None, "audit: more nodes than entries")
        # Each transaction ends in a checkpoint over all that it appended, and a start makes up for what came before the key.
        own = max((int(note.split("\n")[1]) for witness, note in self.notes if witness == ""), default=0)
        self.check(own == len(self.audit), f"audit: the log's own checkpoint covers {own} of {len(self.audit)} entries")
        cosigned = [note.read_text() for note in (self.place.store / "sjekkpunkt").glob("*/siste.note")]
        for note in [note for _, note in self.notes] + cosigned:
            origin, size, root = note.split("\n")[:3]
            self.check(base64.b64encode(roots.get(int(size), b"")).decode() == root, f"audit: the checkpoint of {size} entries is of another log")

    def judge_ways(self):
        """Each state has its audit entries, and none that belongs to another."""
        kinds = {}
        for entry in self.audit:
            if entry["message"] is not None:
                kinds.setdefault(entry["message"], []).append(entry["kind"])
        for unknown in kinds.keys() - self.rows.keys():
            self.fault(f"audit speaks of {unknown}, which the journal does not know")
        for message, row in self.rows.items():
            for kind, least, most in WAYS.get(row["state"], ()):
                found = kinds.get(message, []).count(kind)
                self.check(least <= found <= most, f"{message} is {row['state']} with {found} audit entries {kind}")

    # --- the load ---
    def judge_messages(self):
        by_input = {}
        for row in self.rows.values():
            by_input.setdefault(row["input_sha256"], []).append(row)
        for message in self.messages:
            rows = by_input.pop(message.sha256, [])
            self.judge_message(message, rows)
        for row in (r for rows in by_input.values() for r in rows):
            self.fault(f"{row['id']} ({row['state']}, {row['code']}) is of no message of the load")

    def judge_message(self, message, rows):
        for spool_id in message.acknowledged:
            if spool_id is not None:
                self.check(any(r["id"] == spool_id for r in rows), f"LOST: {spool_id} was acknowledged ({message.name})")
        if message.must_be_there() and not self.check(rows, f"LOST: {message.name} was acknowledged and is nowhere"):
            return
        if message.source == "operator":  # a dropped file that could not be removed is taken again
            self.check(len(rows) <= message.attempts, f"{message.name} was handed over {message.attempts} times, is there {len(rows)} times")
        wanted = "quarantined" if message.code else "delivered"
        own = [r for r in rows if r["state"] != "duplicate"]
        for row in rows:
            self.check(row["state"] in FINAL, f"{message.name} is still {row['state']} ({row['attempt_code']}: {row['attempt_reason']})")
        for row in own:
            self.check(row["state"] == wanted and (row["code"] or "") == message.code,
                       f"{message.name} is {row['state']} {row['code']} ({row['reason']}), not {wanted} {message.code}")
            if message.output:
                self.check(row["output_sha256"] == message.output_sha256, f"{message.name}: the journal has another output's digest")
        if rows and not message.code:
            self.check(len(own) == 1, f"{message.name} was committed {len(own)} times")
        for row in own if message.code else ():
            kept = self.place.spool / "quarantine" / row["id"] / "innsending.xml"
            self.check(kept.is_file() and kept.read_bytes() == message.data, f"{message.name}: quarantined without its bytes")

    def judge_register(self):
        """Exactly what was delivered, to the byte, and nothing that the journal did not log."""
        held = sorted(os.listdir(self.place.store / "meldinger")) if (self.place.store / "meldinger").exists() else []
        delivered = {r["name"]: r for r in self.rows.values() if r["state"] == "delivered"}
        for name in set(held) - delivered.keys():
            self.fault(f"DISCLOSED: the register has {name}, which the journal does not call delivered")
        for name, row in delivered.items():
            if not self.check(name in held, f"UNTRUE: {name} is called delivered, and the register does not have it"):
                continue
            receipt = json.loads((self.place.store / "meldinger" / name / "kvittering.json").read_text())
            self.check(receipt["kvittering"] == row["register_kvittering"], f"{name}: another receipt than the register's")
        for message in self.messages:
            if message.name in held:
                got = (self.place.store / "meldinger" / message.name / "melding.xml").read_bytes()
                self.check(got == message.output, f"WRONG BYTES: the register has {len(got)} bytes of {message.name}, "
                           f"not the {len(message.output)} expected")

    def judge_answers(self):
        """The sender's receipt says what is so."""
        words = {"delivered": "levert", "discarded": "avvist", "held": "under behandling"}
        for row in self.rows.values():
            path = self.place.spool / "kvittering" / row["source"] / f"{row['id']}.json"
            if not self.check(path.is_file(), f"{row['id']} ({row['state']}) has no kvittering"):
                continue
            answer = json.loads(path.read_text())
            said = self.rows.get(row["duplicate_of"], row) if row["state"] == "duplicate" else row
            wanted = words.get(said["state"]) or ("avvist" if said["code"] == "ANTALL" else "under behandling")
            self.check(answer["status"] == wanted, f"UNTRUE: the kvittering of {row['id']} says {answer['status']}, it is {said['state']}")
            self.check(answer.get("registerKvittering") == said["register_kvittering"], f"the kvittering of {row['id']} has another receipt")

    def judge_lists(self):
        """The pseudonym log (docs/audit-log.md): a list for each message that was pseudonymised, and none of another."""
        said = {e["message"]: json.loads(e["fields"]).get("pseudonyms_sha256") for e in self.audit if e["kind"] == "pseudonymised"}
        outputs = {m.output_sha256: m.output for m in self.messages if m.output}
        found = {p.name: p for p in (self.place.spool / "pseudonyms").glob("*/*")}
        for message in found.keys() - said.keys():
            self.fault(f"left over: a list of {message}, which was never pseudonymised")
        for message, digest in said.items():
            path = found.get(message)
            if not self.check(path is not None, f"LOST: {message} has no list in the pseudonym log"):
                continue
            data = path.read_bytes()
            self.check(path.parent.name == message[:2] and hashlib.sha256(data).hexdigest() == digest,
                       f"the list of {message} is not the one that the log names")
            output = outputs.get(self.rows.get(message, {}).get("output_sha256"))
            if output:
                self.check(data == pseudonym_list(message, output, data[68:100]), f"the list of {message} is not that of what was sent")

    # --- the folders ---
    def judge_folders(self):
        """Nothing lies anywhere that no rule of docs/spool-format.md explains."""
        spool = self.place.spool
        allowed = {"work": set(), "quarantine": set()}
        for row in self.rows.values():
            if row["state"] == "delivered" and self.place.retention and row["removed"] is None:
                allowed["work"] |= {row["id"], row["id"] + ".ut"}
            if row["state"] in ("quarantined", "held"):
                allowed["quarantine"].add(row["id"])
        for folder in ("inbox/tmp", "inbox/new", "work", "outbox", "quarantine", "receipts/tmp", "receipts/new"):
            for name in sorted(os.listdir(spool / folder)) if (spool / folder).exists() else ():
                self.check(name in allowed.get(folder, ()), f"left over: {folder}/{name}")
        for row in self.rows.values():
            if row["state"] == "delivered" and row["id"] in allowed["work"]:
                self.check((spool / "work" / row["id"] / "innsending.xml").exists(), f"{row['id']}: its payload is gone before its time")
        for path in spool.rglob("*.tmp"):
            self.fault(f"left over: {path.relative_to(spool)}")
        for path in (self.place.store / "tmp").glob("*"):
            self.fault(f"left over in the register: tmp/{path.name}")

    def judge_clear_text(self):
        """No number anywhere; the contact person only in what goes to the register; nothing that was sealed."""
        numbers = {n.encode() for m in self.messages for n in m.numbers}
        contact = {load.EPOST.encode(), load.NAVN.encode(), load.MOBIL.encode()}
        pattern = re.compile(b"|".join(sorted(numbers | {load.SEALED.encode()})))
        for root in (self.place.spool, self.place.journal.parent, self.place.store, *self.place.others):
            for path in Path(root).rglob("*"):
                if not path.is_file():
                    continue
                data = path.read_bytes()
                self.check(not pattern.search(data), f"CLEAR TEXT in {path}")
                if path.name != "melding.xml":
                    self.check(not any(c in data for c in contact), f"the contact person's data in {path}")


def pseudonym_list(message, output, salt):
    """The list of a message, made from what was sent of it and the list's 32 random bytes."""
    head = output[:output.index(b"<p:MeldingsId>")]
    register = re.search(rb'domene="([A-Z]+)"', head)[1]
    versions = [int(v) for v in re.search(rb'nokkelversjon="([0-9 ]+)"', head)[1].split()]
    persons = re.findall(rb"<p:Person[ >].*?</p:Person>", output, re.DOTALL)
    out = b"tpf-pseudonyms-1" + bytes.fromhex(message.replace("-", "")) + register.ljust(12, b"\0")
    out += b"".join(n.to_bytes(4, "big") for n in (len(persons), len(versions), *versions))
    out = out.ljust(68, b"\0") + salt
    for person in persons:
        known = re.findall(rb"<p:Pseudonym>\d+-([a-z2-7]{32})</p:Pseudonym>", person)
        out += b"".join(base64.b32decode(p.upper()) for p in known) or b"\0" * 20 * len(versions)
    return out + b"tpf-pseudonyms-slutt"


def _row_digest(row, columns):
    digest = hashlib.sha256()
    for column in columns:
        if column == "digest":
            continue
        value = row[column]
        if value is None:
            text = b""
        elif isinstance(value, int):
            text = b"i%d" % value
        else:
            text = b"t%d:" % len(value.encode()) + value.encode()
        digest.update(column.encode() + b"=" + text + b"\n")
    return digest.hexdigest()


def _utc(seconds):
    import datetime
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def judge(place, messages):
    """What is broken, one text each; empty: all promises are kept."""
    return Judge(place, messages).run()
