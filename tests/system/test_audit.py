"""The audit log seen by those who hold the installation to it: a register that witnesses it, an auditor with a proof file and a key,
whoever gets an exported folder. The judge is the second verifier (tests/audit/verifier.py), which shares no code with the programs."""

import base64
import csv
import html.parser
import io
import json
import os
import shutil
import sqlite3

import env
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from log_case import WHY, LogCase, verifier


class Page(html.parser.HTMLParser):
    """A page taken apart: its tags are balanced, its tables and key figures are kept as texts."""
    VOID = ("meta", "rect", "line", "path")

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.figures, self.tags, self.words = [], [], {}, set(), []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attributes):
        assert tag in self.VOID, tag

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        data = data.replace("\u00a0", "")
        if "dt" in self.open:
            self.name = data
        elif "dd" in self.open:
            self.figures[self.name] = int(data)
        elif "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        elif "style" not in self.open:
            self.words.append(data)


class Audit(LogCase):
    shared_settings = {}

    def test_a_register_holds_what_was_logged_before_it_got_anything(self):
        row = self.delivered()
        log, witness, origin = self.vkeys()
        head = verifier.checkpoint_of(self.siste(self.shared).read_bytes(), [log, witness])
        self.assertEqual(head["origin"], origin)
        entries = self.shared.ask("audit show", message=row["id"], limit=100)["entries"]
        seq = {entry["kind"]: entry["seq"] for entry in entries}
        self.assertGreaterEqual(head["size"], seq["pseudonymised"])
        (delivered,) = [entry for entry in entries if entry["kind"] == "delivered"]
        self.assertGreaterEqual(int(delivered["fields"]["cosigned_size"]), seq["pseudonymised"])
        done = self.shared.ctl("audit", "verify", "--checkpoint", str(self.siste(self.shared)), json_output=True)
        self.assertTrue(done["good"])
        self.assertEqual(done["checkpoint"]["cosigned"][0]["witness"], "IPLOS")
        self.assertIn("good: every entry", self.shared.ctl("audit", "verify").stdout.decode())

    def test_a_report_says_what_the_log_says(self):
        inst = self.installation(operators_group="operator")
        inst.start()
        for persons in (3, 4):
            inst.wait_state(inst.submit(self.good(numbers=["", self.numbers[1], "13097248023", self.numbers[2]][:persons],
                                                  persons=persons).build()), "delivered")
        bad = inst.wait_state(inst.submit(self.good(antall=9).build()), "quarantined")
        inst.ctl("queue", "retry", bad["id"], "--reason", "<script>alert(1)</script> & more")
        env.until("the second quarantine", lambda: len([e for e in inst.ask("audit show", limit=1000)["entries"]
                                                        if e["kind"] == "quarantined"]) == 2)
        out = inst.folder / "tmp/report.html"
        today = inst.ask("audit show", limit=1)["entries"][0]["time"][:10]
        said = inst.ctl("audit", "report", "--from", today, "--out", out, "--reason", "the yearly review", json_output=True)
        self.assertTrue(said["good"])
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)
        text = out.read_text()
        page = Page(text)
        entries = inst.ask("audit show", limit=1000)["entries"]
        self.assertIn("audit report", [e["fields"].get("command") for e in entries])
        kinds = [e["kind"] for e in entries]
        self.assertEqual(page.figures, {"Received": 3, "Delivered": 2, "Quarantined": 2, "Duplicates": 0, "Discarded": 0, "Persons": 7,
                                        "No number (E30)": 2, "Wrong number (E31)": 2})
        self.assertEqual((kinds.count("received"), kinds.count("delivered"), kinds.count("quarantined")), (3, 2, 2))
        (day,) = [row for table in page.tables for row in table if row[0] == today]
        self.assertEqual(day[1:], ["3", "2", "2", "0", "0", "7", "2", "2"])
        (kommune,) = [row for table in page.tables for row in table if row[0] == "0301"]
        self.assertEqual(kommune[1:9], day[1:])
        (retry,) = [row for row in page.tables[-1] if row[3] == "queue retry"]
        self.assertEqual(retry[4], "<script>alert(1)</script> & more")
        words = " ".join(page.words)
        for part in ("TEST INSTALLATION", "ANTALL", "the yearly review", "All", inst.ask("audit key")["origin"]):
            self.assertIn(part, words + str(page.tables))
        self.assertNotIn("script", page.tags)
        self.assertFalse({"img", "link", "iframe", "object", "a"} & page.tags)
        for wrong in (("--from", "today"), ("--from", today, "--to", "2020-01-01")):
            self.assertEqual(inst.ctl("audit", "report", *wrong, "--out", out, *WHY, check=False).returncode, 1)
        # A list that was changed: the report says so first, and the status too.
        (changed, *_) = [p for p in (inst.spool / "pseudonyms").rglob("*") if p.is_file()]
        changed.write_bytes(changed.read_bytes()[::-1])
        done = inst.ctl("audit", "report", "--from", today, "--out", out, "--reason", "again", check=False)
        self.assertEqual((done.returncode, done.stderr), (1, b""))
        words = " ".join(Page(out.read_text()).words)
        self.assertIn("These figures cannot be relied on", words)
        self.assertIn(f"the list of {changed.name}", words)
        self.assertNotIn("Yes.", words)
        # An entry that was changed: there is no report, and no service either.
        self.assertEqual(inst.core.stop(), 0)
        with sqlite3.connect(inst.folder / "journal/journal.db") as db:
            db.execute("DROP TRIGGER audit_no_update")
            db.execute("UPDATE audit SET actor='nobody' WHERE seq=3")
        db.close()
        inst.start_core()
        out.unlink()
        done = inst.ctl("audit", "report", "--from", today, "--out", out, *WHY, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"audit entry 3", done.stderr)
        self.assertFalse(out.exists())
        self.assertEqual(inst.core.wait(), 1)

    def test_a_proof_file_is_verified_by_others(self):
        row = self.delivered()
        log, witness, _ = self.vkeys()
        file = self.shared.folder / "bevis.json"
        said = self.shared.ctl("audit", "prove", row["meldings_id"] if "meldings_id" in row else row["id"], "--out", file, *WHY, json_output=True)
        self.assertEqual(said["cosigned_by"], "IPLOS")
        proved = verifier.verify_proof(file.read_bytes(), [log, witness])
        self.assertEqual(proved["message"], row["id"])
        self.assertGreaterEqual(proved["entries"], 2)
        shown = self.shared.ctl("audit", "verify-proof", file, "--key", log, "--witness", witness).stdout.decode()
        self.assertIn("proved: these entries", shown)
        self.assertIn("IPLOS cosigned at", shown)
        # Another key, a changed entry, a changed hash: nothing is proved.
        stranger = log.split("+", 1)[0]
        good = json.loads(file.read_text())
        for change in ("actor", "proof", "key"):
            bad, key = json.loads(json.dumps(good)), log
            if change == "actor":
                bad["entries"][0]["entry"] = bad["entries"][0]["entry"].replace('"actor":"tpfd"', '"actor":"tpfx"')
            elif change == "proof":
                first = bytearray(base64.b64decode(bad["entries"][0]["proof"][0]))
                first[5] ^= 4
                bad["entries"][0]["proof"][0] = base64.b64encode(first).decode()
            else:
                key = self.vkey(stranger, 1, Ed25519PrivateKey.generate())
            other = self.shared.folder / "bevis-2.json"
            other.write_text(json.dumps(bad, separators=(",", ":"), ensure_ascii=False) + "\n")
            done = self.shared.ctl("audit", "verify-proof", other, "--key", key, check=False)
            self.assertEqual((done.returncode, b"BEVIS" in done.stderr), (1, True), (change, done.stderr))
            with self.assertRaises(verifier.Wrong):
                verifier.verify_proof(other.read_bytes(), [key])

    def test_an_offline_witness(self):
        key, inst = Ed25519PrivateKey.generate(), self.shared
        log, _, _ = self.vkeys()
        witness, last = self.vkey("riksrevisjonen.example", 4, key), None
        for _ in range(2):
            self.delivered()
            request, answer = inst.folder / "request", inst.folder / "answer"
            inst.ctl("audit", "witness", "export", "--out", request, "--witness", "riksrevisjonen.example")
            asked = verifier.verify_request(request.read_bytes(), log, last)
            text = asked["note"].partition("\n\n")[0] + "\n"
            time = 1800000000
            signature = time.to_bytes(8, "big") + key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
            name, key_id, _ = witness.split("+", 2)
            line = f"\u2014 {name} {base64.b64encode(bytes.fromhex(key_id) + signature).decode()}\n"
            answer.write_text(line)
            taken = inst.ctl("audit", "witness", "import", answer, request, "--key", witness, *WHY, json_output=True)
            self.assertEqual(taken["entries"], asked["size"])
            last = asked["note"].encode()
        self.assertIn("riksrevisjonen.example", inst.ctl("audit", "verify").stdout.decode())
        # Without the request the lines are no note; another's line is not this key's.
        self.assertEqual(inst.ctl("audit", "witness", "import", answer, "--key", witness, *WHY, check=False).returncode, 1)
        other = self.vkey("riksrevisjonen.example", 4, Ed25519PrivateKey.generate())
        self.assertEqual(inst.ctl("audit", "witness", "import", answer, request, "--key", other, *WHY, check=False).returncode, 1)

    def test_an_exported_folder(self):
        self.delivered()
        log, _, _ = self.vkeys()
        folder = self.shared.folder / "tiles"
        for more in ([], ["--entries"]):
            done = self.shared.ctl("audit", "export", folder, *WHY, *more, json_output=True)
            said = verifier.verify_tiles(folder, [log])
            self.assertEqual(said["size"], done["entries"])
            self.assertEqual(said["entries"], done["entries"] if more else 0)
            self.delivered()

    def test_checkpoints_that_follow_and_that_do_not(self):
        self.delivered()
        older, newer = self.shared.folder / "older", self.shared.folder / "newer"
        shutil.copy(self.siste(self.shared), older)
        self.delivered()
        newer.write_text(self.shared.ask("audit key")["checkpoint"])
        proof = self.shared.folder / "proof"
        self.assertTrue(self.shared.ctl("audit", "consistency", older, newer, "--out", proof, json_output=True)["good"])
        log, _, _ = self.vkeys()
        verifier.verify_request(proof.read_bytes(), log, older.read_bytes())
        text = newer.read_text().split("\n")
        text[2] = base64.b64encode(bytes(32)).decode()
        newer.write_text("\n".join(text))
        self.assertEqual(self.shared.ctl("audit", "consistency", older, newer, check=False).returncode, 1)
        done = self.shared.ctl("audit", "verify", "--checkpoint", newer, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"WRONG: the given checkpoint: it is no checkpoint that a key of this log signed", done.stdout)

    def test_a_checkpoint_that_the_log_key_signed_of_another_log(self):
        """Whoever has the key can sign anything: the root tells. Here another installation that was given the same ring."""
        for _ in range(2):
            self.delivered()
        inst, other = self.shared, self.installation()
        other.start_core()
        note = inst.folder / "other.note"
        note.write_text(other.ask("audit key")["checkpoint"])
        log, _, _ = self.vkeys(other)
        self.assertLess(verifier.checkpoint_of(note.read_bytes(), [log])["size"], inst.ask("status")["audit"]["entries"])
        done = inst.ctl("audit", "verify", "--checkpoint", note, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"entries of this log are others", done.stdout)

    def test_readings_say_why(self):
        inst = self.shared
        newest = inst.folder / "newest"
        newest.write_text(inst.ask("audit key")["checkpoint"])
        message = inst.folder / "checked.xml"
        message.write_bytes(self.good().build())
        inst.ctl("audit", "verify")
        inst.ctl("journal", "check")
        inst.ctl("keys", "check", "--reason", "ticket 4712")
        inst.ctl("check", message, "--reason", "ticket 4713")
        inst.ctl("audit", "consistency", newest, newest, "--reason", "ticket 4711")
        inst.ctl("audit", "export", inst.folder / "tiles-2", "--entries", *WHY)
        found = {e["fields"]["command"]: e["fields"] for e in inst.ctl("audit", "show", "--kind", "operator", json_output=True)["entries"]
                 if "command" in e["fields"]}
        self.assertEqual(found["audit verify"]["reason"], "routine")
        self.assertEqual(found["journal check"]["reason"], "routine")
        self.assertEqual(found["audit consistency"]["reason"], "ticket 4711")
        self.assertEqual(found["keys check"]["reason"], "ticket 4712")
        self.assertEqual(found["check"]["reason"], "ticket 4713")
        self.assertEqual(found["audit export"]["entries"], "true")

    def test_an_export_that_was_cut_off_is_completed(self):
        while self.shared.ask("status")["audit"]["entries"] < 256:
            for _ in range(20):
                self.shared.ask("audit consistency", old=0, new=1)
        log, _, _ = self.vkeys()
        folder = self.shared.folder / "tiles-3"
        self.shared.ctl("audit", "export", folder, *WHY)
        full = folder / "tile/0/000"
        full.write_bytes(full.read_bytes()[:77])
        done = self.shared.ctl("audit", "export", folder, *WHY, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        verifier.verify_tiles(folder, [log])

    def test_a_register_name_means_that_register(self):
        key, inst = Ed25519PrivateKey.generate(), self.shared
        self.delivered()
        mine = self.vkey("IPLOS", 4, key)
        text = inst.ask("audit key")["checkpoint"].partition("\n\n")[0] + "\n"
        time = 1800000000
        signature = time.to_bytes(8, "big") + key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        line = f"\u2014 IPLOS {base64.b64encode(bytes.fromhex(mine.split('+')[1]) + signature).decode()}\n"
        answer = inst.folder / "mine"
        answer.write_text(inst.ask("audit key")["checkpoint"] + line)
        done = inst.ctl("audit", "witness", "import", answer, "--key", mine, *WHY, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"IPLOS is a register", done.stderr)

    def test_what_nobody_cosigned_is_not_called_witnessed(self):
        """By somebody who may write the journal's file: a note of the log's own under a register's name."""
        inst = self.installation().start()
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.stop()
        db = sqlite3.connect(inst.folder / "journal/journal.db")
        db.execute("UPDATE audit_checkpoints SET note=(SELECT note FROM audit_checkpoints WHERE witness='' ORDER BY size DESC LIMIT 1), "
                   "size=(SELECT max(size) FROM audit_checkpoints WHERE witness='') WHERE witness='IPLOS'")
        db.execute("INSERT INTO audit_checkpoints SELECT 'nobody.example', origin, day, size, note FROM audit_checkpoints WHERE witness=''")
        db.commit()
        db.close()
        inst.start_core()
        done = inst.ctl("audit", "verify", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn(b"\ncosigned ", done.stdout)
        self.assertIn(b"WRONG: IPLOS's of", done.stdout)
        self.assertIn(b"WRONG: nobody.example's of", done.stdout)

    def test_show_filters_and_forms(self):
        inst = self.shared
        row = self.delivered()
        env.until("the sender's answer", lambda: any(
            e["kind"] == "answered" for e in inst.ask("audit show", message=row["id"], limit=100)["entries"]))
        whole = inst.ctl("audit", "show", json_output=True)["entries"]
        self.assertEqual([e["seq"] for e in whole], list(range(1, len(whole) + 1)))
        self.assertEqual(whole[-1]["fields"]["command"], "audit show")
        self.assertEqual(whole[-1]["fields"]["reason"], "a test")
        mine = {e["seq"] for e in whole if e.get("message") == row["id"]}
        ask = lambda *a: inst.ctl("audit", "show", *a, json_output=True)["entries"]  # noqa: E731
        self.assertEqual({e["seq"] for e in ask("--message", row["id"])}, mine)
        self.assertLessEqual(mine, {e["seq"] for e in ask("--kommune", "0301")})
        self.assertLessEqual(mine, {e["seq"] for e in ask("--register", "IPLOS")})
        self.assertEqual(ask("--kommune", "4601"), [])
        self.assertEqual(ask("--register", "KPR"), [])
        self.assertEqual({e["kind"] for e in ask("--kind", "delivered")}, {"delivered"})
        self.assertTrue(all(e["actor"] != "tpfd" for e in ask("--operator", whole[-1]["actor"])))
        self.assertEqual(ask("--from", "2100-01-01"), [])
        self.assertEqual(ask("--to", "2000-01-01"), [])
        self.assertEqual(len(ask("--limit", "3")), 3)
        newest = ask("--newest-first", "--limit", "5")
        self.assertEqual([e["seq"] for e in newest], list(range(newest[0]["seq"], newest[0]["seq"] - 5, -1)))
        rows = list(csv.reader(io.StringIO(inst.ctl("audit", "show", "--csv", "--message", row["id"]).stdout.decode())))
        self.assertEqual(rows[0], ["seq", "time", "kind", "actor", "message", "fields"])
        self.assertEqual({int(r[0]) for r in rows[1:]}, mine)
        # A reading goes on for whoever began it, with what was asked for then.
        first = inst.ask("audit show", kind="delivered", limit=1)
        more = inst.ask("audit show", reading=first["reading"], after=first["next"], limit=1000, kind="start")
        self.assertEqual({e["kind"] for e in more["entries"]} - {"delivered"}, set())
        with self.assertRaises(env.CoreError):
            inst.ask("audit show", reading="7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11")
        done = env.run([env.BIN / "tpfctl", "--config", inst.config, "audit", "show"], check=False)
        self.assertEqual(done.returncode, 2)


class Disagreement(LogCase):
    def test_a_journal_put_back_is_refused_by_the_register_and_told_of(self):
        inst = self.installation().start()
        first = inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.stop()
        shutil.copytree(inst.folder / "journal", inst.folder / "backup")
        shutil.copytree(inst.spool / "checkpoints", inst.folder / "offers")
        inst.start()
        for _ in range(3):
            inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.stop()
        # As whoever restores machine and spool from a backup of the same night; the register is somewhere else.
        shutil.rmtree(inst.folder / "journal")
        shutil.copytree(inst.folder / "backup", inst.folder / "journal")
        for part in ("work", "outbox", "checkpoints"):
            for entry in (inst.spool / part).iterdir():
                if first["id"] not in entry.name:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        for offer in (inst.folder / "offers").iterdir():
            shutil.copy(offer, inst.spool / "checkpoints")
        inst.start()
        message = inst.submit(self.good().build())
        env.until("the core to tell of it", lambda: any(
            e["kind"] == "contradicted" for e in inst.ask("audit show", message="", limit=1000)["entries"]))
        self.assertEqual(inst.row(message)["state"], "committed")
        self.assertEqual(inst.row(message)["waits_for"]["code"], "SJEKKPUNKT_STRID")
        self.assertIn("ALARM: a register holds another audit log", inst.log_tail("tpfd.log", 400))
        (register,) = (inst.store() / "sjekkpunkt").glob("*/siste.note")
        done = inst.ctl("audit", "verify", "--checkpoint", register, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"WRONG", done.stdout)
        (told,) = inst.ask("status")["witnesses"]
        self.assertEqual(told["code"], "SJEKKPUNKT_STRID")
        # Both sides' operators agree on a new origin: the message goes by itself.
        new = inst.ctl("audit", "new-origin", "--reason", "restored from the backup, a test", json_output=True)["origin"]
        inst.registers["IPLOS"].stop()
        inst.start_register(extra=("--log-origin", new))
        inst.wait_state(message, "delivered")
        entries = inst.ask("audit show", kind="log-origin", limit=10)["entries"]
        self.assertEqual(entries[-1]["fields"]["origin"], new)
        held = verifier.parse_checkpoint(register.read_text().partition("\n\n")[0] + "\n")
        self.assertEqual(entries[-1]["fields"]["previous_root"], held["root"])

    def test_a_machine_put_back_with_an_offer_that_the_register_knows_by_now(self):
        """The register takes the first message again, with the offer of then; its answer tells, and no other goes that way."""
        inst = self.installation().start()
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.registers["IPLOS"].stop()
        waiting = inst.submit(self.good().build())
        inst.wait_state(waiting, "committed")
        inst.stop()
        for part in (inst.folder / "journal", inst.spool):
            shutil.copytree(part, inst.folder / "image" / part.name, symlinks=True)
        inst.start()
        inst.wait_state(waiting, "delivered")
        for _ in range(2):
            inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.stop()
        for part in (inst.folder / "journal", inst.spool):
            shutil.rmtree(part)
            shutil.copytree(inst.folder / "image" / part.name, part, symlinks=True)
        inst.start()
        inst.wait_state(waiting, "delivered")
        told = lambda: [e for e in inst.ask("audit show", kind="contradicted", limit=100)["entries"]]  # noqa: E731
        env.until("the core to tell of it", told)
        message = inst.submit(self.good().build())
        env.until("the register to refuse", lambda: "waits_for" in inst.row(message) or inst.row(message)["state"] == "delivered")
        self.assertEqual(inst.row(message)["state"], "committed")
        self.assertEqual(inst.row(message)["waits_for"]["code"], "SJEKKPUNKT_STRID")
        self.assertEqual(len(told()), 1)

    def test_a_rewritten_log_is_refused(self):
        """By somebody who may write the journal's file: an entry is changed, every hash made anew."""
        inst = self.installation().start()
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.stop()
        journal = inst.folder / "journal/journal.db"
        shutil.rmtree(inst.folder / "journal/copy", ignore_errors=True)
        rewrite(journal)
        for copy in (inst.folder / "journal").glob("copy*"):
            shutil.rmtree(copy)
        inst.start_register()
        inst.start_core()
        inst.start_forward()
        self.assertTrue(inst.ask("audit verify")["entries"] > 5)
        done = inst.ctl("audit", "verify", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"IPLOS's of", done.stdout)
        message = inst.submit(self.good().build())
        env.until("the register to refuse it", lambda: "ALARM: the audit log contradicts" in inst.log_tail("register-IPLOS.log", 400))
        self.assertEqual(inst.row(message)["state"], "committed")


def rewrite(path):
    db = sqlite3.connect(path)
    for (trigger,) in db.execute("SELECT name FROM sqlite_schema WHERE type='trigger' AND name LIKE 'audit%'").fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    db.execute("UPDATE audit SET actor='ola' WHERE seq=3")
    rows = db.execute("SELECT seq, time, kind, actor, message, fields, leaf FROM audit ORDER BY seq").fetchall()
    leaves = [verifier.leaf_hash(verifier.entry_bytes(row, i)) for i, row in enumerate(rows, 1)]
    nodes = [verifier.perfect(leaves[i - (1 << level): i])
             for i in range(1, len(leaves) + 1) for level in range(1, 20) if i % (1 << level) == 0]
    db.executemany("UPDATE audit SET leaf=? WHERE seq=?", [(leaf, i) for i, leaf in enumerate(leaves, 1)])
    db.executemany("UPDATE audit_nodes SET hash=? WHERE id=?", [(node, i) for i, node in enumerate(nodes, 1)])
    db.commit()
    db.close()
    os.sync()
