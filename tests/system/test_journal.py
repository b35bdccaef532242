"""A damaged journal: tpfd stops and says what to do; what it says is done; everything goes on, and nothing is delivered twice."""

import json
import os
import pwd
import shutil
import unittest

import env
from case import Case

PAGE = 4096


class Journal(Case):
    def setUp(self):
        super().setUp()
        self.inst = self.installation(registers=("IPLOS",))
        self.journal = self.inst.folder / "journal" / "journal.db"
        self.copy = self.inst.folder / "journal" / "copy"

    # --- a life before ---
    def live(self):
        """Something in each state that lasts. The messages by state; `data`: the bytes of what was delivered."""
        inst = self.inst
        inst.start()
        self.data = [self.good().build() for _ in range(3)]
        self.delivered = [inst.wait_state(inst.submit(data), "delivered") for data in self.data]
        self.duplicate = inst.wait_state(inst.submit(self.data[0]), "duplicate")["id"]
        self.quarantined = inst.wait_state(inst.submit(self.good(antall=9).build()), "quarantined")["id"]
        inst.forward.stop()
        self.committed = inst.wait_state(inst.submit(self.good().build()), "committed")["id"]
        env.until("the output", lambda: inst.entries("outbox") == [self.committed])
        inst.core.stop()

    def states(self):
        return {row["id"]: row["state"] for row in self.inst.ask("queue list", limit=1000)["messages"]}

    # --- what an operator does ---
    def refused(self, text):
        """tpfd does not start, and says so."""
        self.inst.write_config()
        log = self.inst.folder / "tpfd.log"
        before = log.stat().st_size
        process = env.Process(self.inst.core_arguments(), log, self.inst.core_env)
        self.assertEqual(process.wait(), 77)
        said = log.read_text()[before:]
        self.assertIn("JOURNAL", said)
        self.assertIn(text, said)
        self.assertIn("tpfctl journal rebuild", said)
        self.assertIn("docs/recovery.md", said)

    def check(self, good, text=""):
        done = self.inst.ctl("journal", "check", check=False)
        said = done.stdout.decode()
        self.assertEqual(done.returncode, 0 if good else 1, said + done.stderr.decode())
        self.assertIn("TEST INSTALLATION systemtest\n", said)
        if good:
            self.assertIn("the journal is whole", said)
        else:
            self.assertIn("damaged: ", said)
            self.assertIn("next: stop tpfd, then `tpfctl journal rebuild", said)
        self.assertIn(text, said)
        return said

    def rebuild(self):
        result = self.inst.ctl("journal", "rebuild", "--reason", "system test", json_output=True)
        self.assertTrue(result["rebuilt"], result)
        self.assertEqual(result["lost"], [])
        for kept in result["kept"]:
            self.assertTrue(os.path.exists(kept))
        return result

    def goes_on(self, before):
        """Started again: all states as they were, what was delivered is answered from the journal, what waited is sent once."""
        inst = self.inst
        inst.start_core()
        now = self.states()
        self.assertEqual({m: now[m] for m in before}, before)
        held = len(inst.register_list())
        again = inst.wait_state(inst.submit(self.data[1]), "duplicate", "quarantined", "committed", "delivered")
        self.assertEqual((again["state"], again["duplicate_of"]), ("duplicate", self.delivered[1]["id"]))
        self.assertEqual(inst.kvittering(again["id"], status="levert")["registerKvittering"],
                         self.delivered[1]["register_receipt"])
        self.assertEqual(len(inst.register_list()), held)
        inst.ask("audit verify")
        rebuilt = [e for e in inst.ask("audit show", newest_first=True, limit=50)["entries"] if e["kind"] == "rebuilt"]
        self.assertEqual(rebuilt[-1]["fields"]["reason"], "system test")
        self.assertEqual(rebuilt[-1]["actor"], pwd.getpwuid(os.getuid()).pw_name)
        self.check(True)
        self.assertEqual(inst.ask("status")["journal"]["copy"]["state"], "current")
        inst.core.stop()
        self.check(True)

    # --- the ways in which a journal is lost ---
    def cut_off(self):
        os.truncate(self.journal, self.journal.stat().st_size // 2 + 100)

    def first_page(self):
        with open(self.journal, "r+b") as file:
            file.write(bytes(PAGE))

    def gone(self):
        for path in self.journal.parent.glob("journal.db*"):
            if "damaged" not in path.name:
                path.unlink()

    def some_page(self):
        """One that holds rows of messages, so that it shows as soon as somebody looks."""
        data = bytearray(self.journal.read_bytes())
        at = data.index(self.delivered[2]["id"].encode()) // PAGE * PAGE
        data[at:at + PAGE] = bytes(PAGE)
        self.journal.write_bytes(data)

    def test_every_damage(self):
        self.live()
        self.check(True)
        said = self.inst.ctl("journal", "rebuild", "--reason", "not needed").stdout.decode()
        self.assertIn("the journal is whole, nothing was changed", said)
        done = self.inst.ctl("journal", "rebuild", "--reason", f"for {self.numbers[0]}", check=False)
        self.assertIn("something like an identity number", done.stderr.decode())
        old = self.journal.read_bytes()
        self.inst.start_core()
        before = self.states()
        self.inst.core.stop()
        for damage, text, fault in ((self.cut_off, "JOURNAL", ""), (self.first_page, "JOURNAL", ""),
                                    (self.gone, "empty or gone", "is not there"), (self.some_page, None, ""),
                                    (lambda: self.journal.write_bytes(old), "an older journal was put back", "older journal")):
            with self.subTest(getattr(damage, "__name__", "old")):
                damage()
                self.check(False, fault)
                if text:
                    self.refused(text)
                self.rebuild()
                self.check(True)
                self.goes_on(before)
        # What waited all the while is delivered now, once.
        inst = self.inst
        inst.start_core()
        inst.start_forward()
        inst.wait_state(self.committed, "delivered")
        names = [m["navn"] for m in inst.register_list()]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual(len(names), 4)
        kvittering = inst.kvittering(self.quarantined)
        self.assertEqual(kvittering["status"], "avvist")

    def test_journal_and_copy_gone_the_spool_carries_on(self):
        self.live()
        shutil.rmtree(self.journal.parent)
        self.journal.parent.mkdir(mode=0o700)
        self.refused("is not in the journal")
        result = self.rebuild()
        # Three delivered ones whose payloads are still kept, one that waited to be sent, one in quarantine.
        self.assertEqual(result["spool"], {"committed": 1, "claimed": 3, "quarantined": 1})
        inst = self.inst
        inst.start_core()
        inst.start_forward()
        # The audit log is gone, and the register remembers it: it takes nothing until its operators allow the new one.
        env.until("the register's refusal to be told of",
                  lambda: "ALARM: a register holds another audit log" in inst.log_tail("tpfd.log", 400))
        self.assertEqual(inst.row(self.committed)["state"], "committed")
        inst.registers["IPLOS"].stop()
        inst.start_register(extra=("--log-origin", inst.ask("audit key")["origin"]))
        inst.wait_state(self.committed, "delivered")
        for row in self.delivered:
            self.assertEqual(inst.wait_state(row["id"], "delivered")["register_receipt"], row["register_receipt"])
        self.assertEqual(len(inst.register_list()), 4)
        self.assertEqual(inst.row(self.quarantined)["code"], "GJENOPPBYGD")
        inst.ctl("queue", "retry", self.quarantined, "--reason", "what was it?")
        self.assertEqual(inst.wait_state(self.quarantined, "quarantined")["code"], "ANTALL")
        inst.ask("audit verify")

    def test_rebuild_and_check_while_the_core_runs(self):
        inst = self.inst
        inst.start_core()
        done = inst.ctl("journal", "rebuild", "--reason", "too early", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("OPPTATT", done.stderr.decode())
        self.check(True)
        kinds = [e for e in inst.ask("audit show", limit=100)["entries"] if e["fields"].get("command") == "journal check"]
        self.assertEqual(len(kinds), 1)

    def test_damage_that_the_check_finds_stops_the_core(self):
        self.live()
        self.some_page()
        inst = self.inst
        inst.write_config()
        inst.core = env.Process(inst.core_arguments(), inst.folder / "tpfd.log", inst.core_env)
        try:
            env.until("the core to answer", lambda: inst._alive(inst.core) and inst._answers())
        except AssertionError:
            pass  # it saw it at its start
        if inst.core.running:
            inst.ctl("journal", "check", check=False)
        self.assertIn(inst.core.wait(), (1, 77))
        self.assertIn("JOURNAL", (inst.folder / "tpfd.log").read_text())

    def test_a_copy_that_cannot_be_written(self):
        inst = self.inst
        inst.start_core()
        inst.core.stop()
        shutil.rmtree(self.copy)
        self.copy.write_text("in the way")
        inst.start_core()
        state = inst.ask("status")["journal"]["copy"]
        self.assertEqual(state["state"], "away")
        self.assertIn("its copy is away since", inst.ctl("status").stdout.decode())
        inst.wait_state(inst.submit(self.good().build()), "committed")
        inst.core.stop()
        self.copy.unlink()
        inst.start_core()
        self.assertEqual(inst.ask("status")["journal"]["copy"]["state"], "current")
        self.check(True)

    def test_a_copy_that_was_emptied_is_made_anew_and_told_of(self):
        inst = self.inst
        log = inst.folder / "tpfd.log"
        inst.start_core()
        inst.wait_state(inst.submit(self.good().build()), "committed")
        inst.core.stop()
        self.assertNotIn("copy is empty", log.read_text())
        for segment in self.copy.iterdir():
            segment.unlink()
        inst.start_core()
        self.assertIn("copy is empty", log.read_text())
        self.assertEqual(inst.ask("status")["journal"]["copy"]["state"], "current")
        self.check(True)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_root_rebuilds_for_the_core_s_user(self):
        inst = self.inst = self.installation(core_user="nobody")
        self.journal = inst.folder / "journal" / "journal.db"
        inst.start_core()
        inst.wait_state(inst.submit(self.good().build()), "committed")
        inst.core.stop()
        self.first_page()
        self.rebuild()
        owner = pwd.getpwnam("nobody").pw_uid
        for path in (inst.folder / "journal").rglob("*"):
            self.assertEqual(path.stat().st_uid, owner, path)
        self.assertEqual(json.loads(inst.ctl("--json", "journal", "check").stdout)["result"]["good"], True)
        inst.start_core()
