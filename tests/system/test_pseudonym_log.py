"""The pseudonym log on a running installation: what a list holds, what `audit verify` says of a damaged, a missing, a deleted one,
and who may delete one. The lists are judged by the test's own reading of docs/audit-log.md (tests/fault/judge.py)."""

import hashlib
import json
import pwd
import re
import shutil
import sys
import unittest
from pathlib import Path

import env
from case import Case

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fault"))
from judge import pseudonym_list  # noqa: E402

WHY = ("--reason", "a test")
AS_OTHERS = unittest.skipUnless(env.AS_OTHERS, "needs root: asks as other users")


class Base(Case):
    def delivered(self, inst, **message):
        return inst.wait_state(inst.submit(self.good(**message).build()), "delivered")

    def list_of(self, inst, row):
        return inst.spool / "pseudonyms" / row["id"][:2] / row["id"]

    def entry(self, inst, row, kind):
        (entry,) = [e for e in inst.ask("audit show", message=row["id"], limit=100)["entries"] if e["kind"] == kind]
        return entry

    def as_user(self, inst, user, *arguments, check=True):
        entry = pwd.getpwnam(user)
        done = env.run(["setpriv", f"--reuid={entry.pw_uid}", "--regid=operator", "--clear-groups", env.BIN / "tpfctl", "--socket",
                        inst.folder / "core.sock", *arguments], check=check)
        inst._note(done.stdout, done.stderr)
        return done


class PseudonymLog(Base):
    def test_each_message_has_its_list(self):
        inst = self.installation(registers=env.REGISTERS, register_settings={"KPR": "pseudonym_log = false"})
        inst.start()
        numbers = [self.numbers[0], "", self.numbers[1], "13097248023"]
        row = self.delivered(inst, numbers=numbers, persons=4)
        sent = (inst.store("IPLOS") / "meldinger" / row["name"] / "melding.xml").read_bytes()
        data = self.list_of(inst, row).read_bytes()
        self.assertEqual(data, pseudonym_list(row["id"], sent, data[68:100]))
        self.assertEqual(self.entry(inst, row, "pseudonymised")["fields"]["pseudonyms_sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual(self.list_of(inst, row).stat().st_mode & 0o777, 0o600)
        other = self.delivered(inst, register="KPR")
        self.assertFalse(self.list_of(inst, other).exists())
        self.assertEqual(self.entry(inst, other, "pseudonymised")["fields"]["pseudonyms"], "not recorded")
        lists = inst.ctl("audit", "verify", json_output=True)["lists"]
        self.assertEqual(lists, {"kept": 1, "deleted": 0, "not_recorded": 1})

        # What is wrong with which.
        def verdict():
            done = inst.ctl("audit", "verify", check=False)
            return done.returncode, done.stdout.decode()
        self.assertEqual(verdict()[0], 0)
        for name, bad in (("damaged", data[:90] + bytes([data[90] ^ 1]) + data[91:]), ("damaged", data[:-20]), ("missing", None)):
            self.list_of(inst, row).unlink()
            if bad is not None:
                self.list_of(inst, row).write_bytes(bad)
            status, text = verdict()
            self.assertEqual(status, 1)
            self.assertIn(f"WRONG: pseudonym log: the list of {row['id']}", text)
            self.assertIn(f"is {name}", text)
            if bad is None:
                self.list_of(inst, row).write_bytes(data)
        self.assertEqual(verdict()[0], 0)

    @AS_OTHERS
    def test_a_list_is_deleted_by_two(self):
        inst = self.installation(operators_group="operator")
        inst.start()
        first, second = self.delivered(inst), self.delivered(inst)
        delete = ("audit", "delete-list", first["id"], *WHY)

        def refused(user, *arguments, code="BRUK"):
            done = self.as_user(inst, user, *arguments, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(code, done.stderr.decode())
            self.assertTrue(self.list_of(inst, first).exists())
        refused("bin", *delete, "--confirm")
        self.as_user(inst, "daemon", *delete)
        # A retry that is refused (it was delivered) changes nothing, nor what was asked for.
        refused("bin", "queue", "retry", first["id"], *WHY)
        # What was asked for outlives the core.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertIn(f"tpfctl audit delete-list {first['id']} --confirm", inst.ctl("status").stdout.decode())
        refused("daemon", *delete, "--confirm", code="IKKE_ADGANG")
        self.assertEqual(inst.ctl(*delete, "--confirm", check=False).returncode, 1)  # root has no name
        self.assertTrue(self.list_of(inst, first).exists())
        self.as_user(inst, "bin", *delete, "--confirm")
        self.assertFalse(self.list_of(inst, first).exists())
        self.assertTrue(self.list_of(inst, second).exists())
        entry = self.entry(inst, first, "list-deleted")
        self.assertEqual((entry["actor"], entry["fields"]["requested_by"]), ("bin", "daemon"))
        shown = inst.ctl("audit", "verify").stdout.decode()
        self.assertIn("lists      1 kept, 1 deleted, 0 not recorded", shown)
        self.assertNotIn("WRONG", shown)
        done = self.as_user(inst, "daemon", *delete, check=False)
        self.assertIn("was deleted already", done.stderr.decode())
        # A crash between entry and removal: the next start removes it.
        self.assertEqual(inst.core.stop(), 0)
        shutil.copy(self.list_of(inst, second), self.list_of(inst, first))
        inst.start_core()
        self.assertFalse(self.list_of(inst, first).exists())

    @AS_OTHERS
    def test_a_key_stays_while_a_list_under_it_is_kept(self):
        inst = self.installation(operators_group="operator")
        inst.start()
        row = self.delivered(inst)
        key = next(k["id"] for k in inst.ctl("keys", "list", json_output=True)["keys"] if k["kind"] == "pseudonym" and (k["register"], k["version"]) == ("IPLOS", 1))
        self.assertEqual(inst.core.stop(), 0)
        inst.register_settings = {"IPLOS": "pseudonym_versions = [2]"}
        inst.start_core()
        inst.ctl("keys", "retire", key, *WHY)
        done = self.as_user(inst, "daemon", "keys", "destroy", key, *WHY, check=False)
        self.assertIn(f"the pseudonym log keeps lists under it, among them that of message {row['id']}", done.stderr.decode())
        self.as_user(inst, "daemon", "audit", "delete-list", row["id"], *WHY)
        self.as_user(inst, "bin", "audit", "delete-list", row["id"], "--confirm", *WHY)
        self.as_user(inst, "daemon", "keys", "destroy", key, *WHY)
        self.as_user(inst, "bin", "keys", "destroy", key, "--confirm", *WHY)


@AS_OTHERS
class Lookups(Base):
    """Which messages, by whom asked, by whom approved (docs/audit-log.md, "Look-ups")."""

    def person(self, inst, user, number, check=True):
        entry = pwd.getpwnam(user)
        done = env.run(["setpriv", f"--reuid={entry.pw_uid}", "--regid=operator", "--clear-groups", env.BIN / "tpfctl", "--socket",
                        inst.folder / "core.sock", "--json", "audit", "person", *WHY], check=check, stdin=number.encode() + b"\n")
        inst._note(done.stdout, done.stderr)
        return json.loads(done.stdout).get("result", {}).get("request") if check else done

    def pseudonym(self, inst, user, text, check=True):
        done = self.as_user(inst, user, "--json", "audit", "pseudonym", text, *WHY, check=check)
        return json.loads(done.stdout)["result"]["request"] if check else done

    def answer(self, inst, request, asked="daemon", approves="bin"):
        self.as_user(inst, approves, "audit", "approve", request, *WHY)
        return json.loads(self.as_user(inst, asked, "--json", "audit", "answer", request).stdout)["result"]

    def test_a_person_and_a_pseudonym(self):
        inst = self.installation(operators_group="operator", registers=env.REGISTERS)
        inst.start()
        first = self.delivered(inst, numbers=self.numbers[:2], persons=2)
        self.delivered(inst, numbers=self.numbers[2:4], persons=2)
        other = self.delivered(inst, numbers=[self.numbers[0]], persons=1, register="KPR")
        number = self.numbers[0]
        found = self.answer(inst, self.person(inst, "daemon", number))
        rows = {one["id"]: one for one in found["messages"]}
        self.assertEqual(set(rows), {first["id"], other["id"]})
        self.assertEqual((rows[first["id"]]["register"], rows[other["id"]]["register"]), ("IPLOS", "KPR"))
        self.assertEqual(rows[first["id"]]["from"], env.SENDER)
        self.assertEqual(rows[first["id"]]["receipt"], inst.kvittering(first["id"])["registerKvittering"])
        self.assertEqual((found["looked_before"], found["not_recorded"]), ([], {}))
        # Made by the core in a folder without a set-group bit: under systemd it may not set one (RestrictSUIDSGID=).
        for made in ("lookups", "occurrence-index"):
            self.assertEqual((inst.spool / made).stat().st_mode & 0o7777, 0o700, made)
        # By one of its pseudonyms: that register only; who looked before is told.
        sent = (inst.store("IPLOS") / "meldinger" / first["name"] / "melding.xml").read_text()
        pseudonym = re.search("<p:Pseudonym>(.*?)</p:Pseudonym>", sent)[1]
        found = self.answer(inst, self.pseudonym(inst, "bin", pseudonym), asked="bin", approves="daemon")
        self.assertEqual([one["id"] for one in found["messages"]], [first["id"]])
        (before,) = found["looked_before"]
        self.assertEqual((before["operator"], before["approved_by"], before["command"]), ("daemon", "bin", "audit person"))
        # Somebody who is in no message; nobody has looked.
        found = self.answer(inst, self.person(inst, "daemon", self.numbers[30]))
        self.assertEqual((found["messages"], found["looked_before"]), ([], []))
        # A deleted list, a lost index, a restart.
        self.as_user(inst, "daemon", "audit", "delete-list", other["id"], *WHY)
        self.as_user(inst, "bin", "audit", "delete-list", other["id"], "--confirm", *WHY)
        shutil.rmtree(inst.spool / "occurrence-index")
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        found = self.answer(inst, self.person(inst, "daemon", number))
        self.assertEqual([one["id"] for one in found["messages"]], [first["id"]])
        self.assertEqual(found["deleted_lists"], 1)
        self.assertEqual(len(found["looked_before"]), 2)
        # Neither is anywhere but where it belongs.
        inst.stop()
        kept = re.compile(r"spool/(work|outbox|pseudonyms|lookups)/|/meldinger/|/tmp/")
        for path in inst.folder.rglob("*"):
            if path.is_file() and not kept.search(str(path)):
                data = path.read_bytes()
                self.assertNotIn(number.encode(), data, path)
                self.assertNotIn(pseudonym[2:].encode(), data, path)

    def test_what_is_refused(self):
        inst = self.installation(operators_group="operator", sections="[audit]\ndaily_lookups = 1")
        inst.start()
        row = self.delivered(inst)
        number = self.numbers[0]

        def refused(done, code="IKKE_ADGANG"):
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(code, (done.stderr + done.stdout).decode())
        # Root has no name; what is no number is not repeated.
        done = env.run([env.BIN / "tpfctl", "--socket", inst.folder / "core.sock", "audit", "person", *WHY], check=False, stdin=number.encode() + b"\n")
        refused(done)
        done = self.person(inst, "daemon", "13097248023", check=False)
        refused(done, "BRUK")
        self.assertNotIn(b"13097248023", done.stderr + done.stdout)
        refused(self.pseudonym(inst, "daemon", "1-nonsense", check=False), "BRUK")
        request = self.person(inst, "daemon", number)
        self.assertIn(f"tpfctl audit approve {request}", inst.ctl("status").stdout.decode())
        # A restart forgets whom it is about, and so the request.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertNotIn("audit approve", inst.ctl("status").stdout.decode())
        refused(self.as_user(inst, "bin", "audit", "approve", request, *WHY, check=False), "FINNES_IKKE")
        request = self.person(inst, "daemon", number)
        refused(self.as_user(inst, "daemon", "audit", "answer", request, check=False))
        refused(self.as_user(inst, "daemon", "audit", "approve", request, *WHY, check=False))
        refused(inst.ctl("audit", "approve", request, *WHY, check=False))
        self.as_user(inst, "bin", "audit", "approve", request[:8], *WHY)
        refused(self.as_user(inst, "bin", "audit", "answer", request, check=False))
        self.assertIn(row["id"].encode(), self.as_user(inst, "daemon", "audit", "answer", request).stdout)
        refused(self.as_user(inst, "daemon", "audit", "answer", request, check=False), "FINNES_IKKE")  # once
        second = self.person(inst, "daemon", number)
        self.as_user(inst, "bin", "audit", "approve", second, *WHY)
        done = self.as_user(inst, "daemon", "audit", "answer", second, check=False)
        refused(done)
        self.assertIn(b"which is the limit", done.stderr)
        # Each step is an entry, with names, without the number.
        steps = [(e["actor"], e["fields"]["step"], e["fields"].get("refused", "")) for e in
                 inst.ask("audit show", kind="operator", limit=1000)["entries"] if e["fields"].get("command") == "audit person"]
        self.assertEqual(steps, [("root", "requested", "IKKE_ADGANG"), ("daemon", "requested", ""), ("daemon", "requested", ""), ("daemon", "refused", "IKKE_ADGANG"),
                                 ("daemon", "approved", "IKKE_ADGANG"), ("root", "approved", "IKKE_ADGANG"), ("bin", "approved", ""),
                                 ("bin", "refused", "IKKE_ADGANG"), ("daemon", "answered", ""), ("daemon", "requested", ""),
                                 ("bin", "approved", ""), ("daemon", "refused", "IKKE_ADGANG")])
