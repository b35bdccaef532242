"""What operators do and see: tpfctl's commands, the socket's access, configuration, start and stop, trouble of the disk."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import unittest
import uuid

import env
from case import Case


def snapshot(folder):
    """{path: content} of all files below."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))
            if p.name not in ("lock",) and not p.is_socket()}


class Commands(Case):
    """tpfctl against one installation in which something of each kind lies."""
    shared_settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        case = cls()
        cls.file = cls.shared.folder / "tmp" / "innsending.xml"
        cls.file.write_bytes(case.good().build())
        cls.delivered = cls.shared.wait_state(cls.shared.submit(case.good().build()), "delivered")
        cls.quarantined = cls.shared.wait_state(cls.shared.submit(case.good(antall=9).build()), "quarantined")

    def runTest(self):
        """So that setUpClass can borrow the builders."""

    def test_every_command_prints_json(self):
        inst = self.shared
        public = inst.folder / "registers/IPLOS/IPLOS-2026.public.pem"
        discard = inst.wait_state(inst.submit(self.good(antall=8).build()), "quarantined")["id"]
        commands = (
            ("status",), ("check", self.file), ("submit", self.file, "--sender", env.SENDER, "--reason", "json"),
            ("queue", "list"), ("queue", "list", "--state", "quarantined", "--limit", "1", "--newest-first"),
            ("queue", "show", self.delivered["id"]), ("queue", "retry", self.quarantined["id"], "--reason", "json"),
            ("queue", "discard", discard, "--reason", "json"), ("receipt", self.delivered["id"]), ("keys", "list"),
            ("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", "P-9", "--register", "IPLOS", "--version", "9"),
            ("keys", "import", "--reason", "a test", "--kind", "register", "--id", "IPLOS-2027", "--register", "IPLOS", public),
            ("keys", "publish", "--out", inst.folder / "tmp/nokler.xml"), ("keys", "signing", "--out", inst.folder / "tmp/sign.pem"),
            ("audit", "show", "--reason", "json"), ("audit", "verify"), ("audit", "key"), ("journal", "check"))
        for command in commands:
            with self.subTest(" ".join(map(str, command[:2]))):
                done = inst.ctl("--json", *command, check=False)
                answer = json.loads(done.stdout)
                expected = {"ok": 0, "warning": 1, "critical": 2}[answer["result"]["health"]] if command == ("status",) else 0
                self.assertEqual((done.returncode, answer["installation"], answer["name"]), (expected, "test", "systemtest"), done)
                self.assertIn("result", answer)
        inst.wait_state(self.quarantined["id"], "quarantined")

    def test_keys_list_tells_when_the_forwarders_certificate_ends(self):
        self.assertRegex(self.shared.ctl("keys", "list").stdout.decode(), r"forwarder's certificate for IPLOS ends 20\d\d-\d\d-\d\d")

    def test_every_error_prints_json(self):
        for command, code in ((("queue", "show", "ffffffff"), "FINNES_IKKE"), (("receipt", str(uuid.uuid4())), "FINNES_IKKE"),
                              (("queue", "retry", self.delivered["id"], "--reason", "x"), "BRUK"),
                              (("queue", "discard", self.delivered["id"], "--reason", "x"), "BRUK"),
                              (("queue", "list", "--state", "none"), "BRUK"),
                              (("check", self.shared.folder / "none"), "BRUK"), (("queue", "turn"), "BRUK"), (("submit", self.file), "BRUK"),
                              (("submit", self.shared.folder / "none", "--sender", env.SENDER, "--reason", "x"), "BRUK"),
                              (("submit", self.file, "--sender", "0301", "--reason", "x"), "BRUK"),
                              (("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-2026"), "BRUK"),
                              (("keys", "generate", "--reason", "a test", "--kind", "none", "--id", "X"), None)):
            with self.subTest(" ".join(map(str, command[:2]))):
                done = self.shared.ctl("--json", *command, check=False)
                self.assertNotEqual(done.returncode, 0)
                error = json.loads(done.stdout)["error"]
                self.assertEqual(set(error), {"code", "text", "hint"})
                if code:
                    self.assertEqual(error["code"], code)

    def test_of_several_files_each_answer_names_its_own(self):
        files = [self.shared.folder / "none", self.shared.folder / "tmp/second.xml"]
        files[1].write_bytes(self.good().build())
        done = self.shared.ctl("--json", "submit", *files, "--sender", env.SENDER, "--reason", "several", check=False)
        self.assertEqual(done.returncode, 1)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([a["file"] for a in answers], [str(f) for f in files])
        self.assertEqual(["error" in a for a in answers], [True, False])
        self.shared.wait_state(answers[1]["result"]["id"], "delivered")

    def test_the_catalogue_is_printed_as_json_too(self):
        codes = json.loads(self.shared.ctl("--json", "codes").stdout)
        self.assertIn({"IKKE_XML": "quarantine"}, [{c["code"]: c["disposition"]} for c in codes])
        self.assertEqual(len(codes), len({c["code"] for c in codes}))

    def test_every_output_says_test_installation(self):
        inst = self.shared
        for command in (("status",), ("check", self.file), ("queue", "list"), ("queue", "show", self.delivered["id"]),
                        ("receipt", self.delivered["id"]), ("keys", "list"), ("audit", "show"), ("audit", "verify"),
                        ("submit", self.file, "--sender", env.SENDER, "--reason", "x")):
            with self.subTest(" ".join(map(str, command[:2]))):
                self.assertTrue(inst.ctl(*command).stdout.startswith(b"TEST INSTALLATION systemtest\n"))
        for log in ("tpfd.log", "forward.log", "register-IPLOS.log"):
            lines = (inst.folder / log).read_text().splitlines()
            self.assertGreater(len(lines), 0)
            self.assertEqual([line for line in lines if "TEST INSTALLATION" not in line], [], log)
        for program in ("tpfd", "tpf-forward"):
            said = env.run([env.BIN / program, "--config", inst.config, "--check-config"]).stdout.decode()
            self.assertIn("TEST installation systemtest", said)

    def test_list_show_and_receipt(self):
        inst = self.shared
        row = self.delivered
        for text in (row["id"], row["id"][:8], row["name"], row["name"][-36:]):
            self.assertEqual(inst.ctl("queue", "show", text, json_output=True)["id"], row["id"])
        listed = inst.ctl("queue", "list", "--state", "delivered", json_output=True)
        self.assertIn(row["id"], [m["id"] for m in listed["messages"]])
        self.assertEqual({m["state"] for m in listed["messages"]}, {"delivered"})
        self.assertEqual(inst.ctl("receipt", row["id"], json_output=True), inst.kvittering(row["id"]))
        self.assertIn(row["id"], inst.ctl("queue", "list").stdout.decode())
        audit = inst.ctl("audit", "show", "--message", row["id"], json_output=True)["entries"]
        # Another test's refused discard may be there too.
        self.assertEqual([e["kind"] for e in audit if e["kind"] != "operator"], ["received", "pseudonymised", "delivered", "answered"])

    def test_check_changes_nothing(self):
        inst = self.installation()
        inst.start_core()
        bad = inst.folder / "tmp" / "bad.xml"
        bad.write_bytes(self.good(antall=9).build())
        known = self.good()
        inst.wait_state(inst.submit(known.build()), "committed")
        conflict = inst.folder / "tmp" / "conflict.xml"
        conflict.write_bytes(known.build())
        marked = inst.folder / "tmp" / "marked.xml"
        marked.write_bytes(self.good(numbers=[self.numbers[0], ""]).build())
        env.until("nothing to do", lambda: inst.entries("work") != [] and inst.entries("outbox") and not inst.entries("inbox/new"))
        before = snapshot(inst.spool), inst.journal_rows(), inst.journal_rows("SELECT * FROM names")

        good = inst.ctl("check", self.file, json_output=True)
        self.assertTrue(good["would_pass"])
        self.assertEqual((good["persons"], good["register"], good["without_pseudonym"]), (3, "IPLOS", []))
        self.assertEqual(inst.ctl("check", marked, json_output=True)["without_pseudonym"], [{"person": 2, "code": "E30"}])
        done = inst.ctl("check", bad, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"would not pass: ANTALL", done.stdout)
        done = inst.ctl("--json", "check", conflict, check=False)
        self.assertEqual((done.returncode, json.loads(done.stdout)["result"]["error"]["code"]), (1, "ID_GJENBRUKT"))

        self.assertEqual((snapshot(inst.spool), inst.journal_rows(), inst.journal_rows("SELECT * FROM names")), before)
        # That somebody had a message opened is not hidden.
        actions = [e for e in inst.ask("audit show", limit=1000)["entries"] if e["fields"].get("command") == "check"]
        self.assertEqual(len(actions), 4)

    def test_keys_generate_and_publish(self):
        inst = self.installation(fresh_keys=True, token=False)
        inst.start_core()
        message = inst.submit(self.good().build())
        status = inst.ctl("status", json_output=True)
        self.assertEqual((status["keys"]["message_key"], status["keys"]["signing_key"]), (False, False))
        inst.make_keys()
        keys = {k["id"]: k for k in inst.ctl("keys", "list", json_output=True)["keys"]}
        self.assertEqual(set(keys), {"TPF-2026", "SIGN-2026", "PSEUDONYM-IPLOS-1", "PSEUDONYM-IPLOS-2", "PSEUDONYM-KPR-1",
                                     "IPLOS-2026", "IPLOS-RECEIPT-2026", "KPR-2026", "KPR-RECEIPT-2026"})
        out = inst.folder / "tmp" / "nokler.txt"
        published = inst.ctl("keys", "publish", "--out", out, json_output=True)
        data = out.read_bytes()
        self.assertEqual(data[:2], b"\xff\xfe")
        self.assertEqual(published["sha256"], env.run(["sha256sum", out]).stdout.decode().split()[0])
        inst.key_file = out
        export = inst.folder / "tmp" / "export.xml"
        env.generate(export, 2)
        inst.krypt(export, inst.folder / "tmp" / "ny.xml")
        row = inst.wait_state(inst.submit((inst.folder / "tmp" / "ny.xml").read_bytes()), "committed", "quarantined")
        self.assertEqual(row["state"], "committed", row)
        # What came under a key that is not in this ring.
        self.assertIn(inst.wait_state(message, "quarantined", "claimed")["state"], ("quarantined", "claimed"))

    def test_codes_document_is_the_catalogue(self):
        document = (env.Path(__file__).resolve().parents[2] / "docs/codes.md").read_bytes()
        self.assertEqual(env.run([env.BIN / "tpfctl", "codes", "--markdown"]).stdout, document)


class Hold(Case):
    shared_settings = {"limits": {"persons_per_day": 5}}

    def test_sender_over_its_persons_per_day_is_held_and_released(self):
        inst = self.shared
        self.assertEqual(inst.wait_state(inst.submit(self.good(4).build()), "delivered", "held")["state"], "delivered")
        data = self.good(2).build()
        message = inst.submit(data)
        row = inst.wait_state(message, "delivered", "held")
        self.assertEqual(row["state"], "held")
        env.until("its bytes in quarantine", lambda: message in inst.entries("quarantine"))
        self.assertNotIn(message, inst.entries("outbox"))
        answer = inst.kvittering(message)
        self.assertEqual((answer["status"], "feil" in answer), ("under behandling", False))
        # Another sender is not concerned.
        other = self.good(2, header={"kommune": "4601"})
        self.assertEqual(inst.wait_state(inst.submit(other.build(), sender="4601-00-974761076"), "delivered", "held")["state"], "delivered")
        inst.ctl("queue", "retry", message, "--reason", "expected")
        inst.wait_state(message, "delivered")
        self.assertEqual(inst.kvittering(message, status="levert")["antallPersoner"], 2)
        held = [e for e in inst.ask("audit show", message=message)["entries"] if e["kind"] in ("held", "retried")]
        self.assertEqual([(e["kind"], e["actor"]) for e in held], [("held", "tpfd"), ("retried", pwd.getpwuid(os.getuid()).pw_name)])


class Quota(Case):
    def test_a_sender_with_too_many_waiting_hands_over_no_more(self):
        inst = self.installation(limits={"inbox_messages_per_sender": 1},
                                 register_settings={"IPLOS": "pseudonym_versions = [77]"})  # no such key: messages wait
        inst.start_core()
        message = inst.submit(self.good(1).build())
        waits = env.until("status to say what it waits for", lambda: inst.ask("status")["waiting"])
        self.assertEqual([(w["id"], w["code"]) for w in waits], [(message, "NOKKEL_MANGLER")])
        with self.assertRaises(env.CoreError) as refused:
            inst.submit(self.good(1).build())
        self.assertEqual(refused.exception.code, "KVOTE")
        # Another sender is not concerned.
        other = self.good(1, header={"kommune": "4601"})
        inst.submit(other.build(), sender="4601-00-974761076")
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", "PSEUDONYM-77", "--register", "IPLOS", "--version", "77")
        inst.wait_state(message, "committed")
        inst.wait_state(inst.submit(self.good(1).build()), "committed")


class Quarantine(Case):
    def test_retry_after_the_cause_is_mended(self):
        inst = self.installation()
        inst.start_core()
        data = self.good(register="KPR").build()
        message = inst.submit(data)
        self.assert_quarantined(inst, message, "UKJENT_REGISTER", data)
        self.assertEqual(inst.core.stop(), 0)
        inst.register_names = env.REGISTERS
        inst.start_register("KPR")
        inst.start_core()
        inst.start_forward()
        inst.ctl("queue", "retry", message, "--reason", "register added")
        inst.wait_state(message, "delivered")
        self.assertEqual(inst.kvittering(message, status="levert")["status"], "levert")
        self.assertNotIn(message, inst.entries("quarantine"))

    @unittest.skipUnless(env.AS_OTHERS, "needs root: asks as other users")
    def test_discard_takes_two_removes_the_bytes_and_tells_the_sender(self):
        inst = self.installation(operators_group="operator")
        inst.start_core()
        message = inst.submit(self.good(register="KPR").build())
        inst.wait_state(message, "quarantined")
        why = ("--reason", "agreed with the sender")
        asked = inst.ctl_as("daemon", "queue", "discard", message, *why)["result"]
        self.assertEqual((asked["state"], asked["discard_request"]["by"]), ("quarantined", "daemon"))
        # What was asked for outlives the core.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertIn("daemon asked for queue discard " + message, inst.ctl("status").stdout.decode())
        confirm = ("queue", "discard", message, "--confirm", *why)
        self.assertEqual(inst.ctl_as("daemon", *confirm)["error"]["code"], "IKKE_ADGANG")
        self.assertEqual(inst.ctl(*confirm, check=False, json_output=True)["error"]["code"], "IKKE_ADGANG")
        self.assertEqual(inst.row(message)["state"], "quarantined")
        self.assertIn(message, inst.entries("quarantine"))
        self.assertEqual(inst.ctl_as("bin", *confirm)["result"]["state"], "discarded")
        self.assertEqual(inst.row(message)["state"], "discarded")
        self.assertEqual([part for part in ("work", "outbox", "quarantine") if message in inst.entries(part)], [])
        answer = inst.kvittering(message, status="avvist")
        self.assertEqual(answer["feil"]["kode"], "FORKASTET")
        entry = [e for e in inst.ask("audit show", message=message)["entries"] if e["kind"] == "discarded"][0]
        self.assertEqual((entry["actor"], entry["fields"]["asked_by"]), ("bin", "daemon"))
        self.assertEqual(entry["fields"]["reason"], "agreed with the sender")

    def test_a_reason_is_asked_for(self):
        inst = self.installation()
        inst.start_core()
        message = inst.submit(self.good(register="KPR").build())
        inst.wait_state(message, "quarantined")
        for reason in ("", "line\nbreak", "x" * 501, "asked about 130972-48022"):
            for command in ("queue retry", "queue discard"):
                with self.assertRaises(env.CoreError):
                    inst.ask(command, id=message, reason=reason)
        self.assertEqual(inst.row(message)["state"], "quarantined")


class Configuration(Case):
    def check(self, inst, text, program="tpfd"):
        path = inst.folder / "trial.toml"
        path.write_text(text)
        done = env.run([env.BIN / program, "--config", path, "--check-config"], check=False)
        return done.returncode, done.stderr.decode(), path

    def test_valid(self):
        inst = self.installation()
        inst.write_config()
        for program in ("tpfd", "tpf-forward"):
            self.assertEqual(env.run([env.BIN / program, "--config", inst.config, "--check-config"]).returncode, 0)

    def test_errors_name_file_line_and_key(self):
        inst = self.installation()
        good = inst.config_text()
        for old, new, key in (('kind = "test"', 'kind = "demo"', "installation.kind"),
                              (f'name = "{inst.name}"', 'name = "Ikke lov"', "installation.name"),
                              ('level = "debug"', 'level = 7', "log.level"),
                              ('reserve_bytes = "16 MiB"', 'reserve_bytes = "16 bananas"', "disk.reserve_bytes"),
                              ("poll_seconds = 1", "poll_seconds = 0", "forward.poll_seconds"),
                              ("poll_seconds = 1", "pull_seconds = 1", "pull_seconds"),
                              ('url = "https://', 'url = "http://', "register.IPLOS.url")):
            line = next(n for n, l in enumerate(good.splitlines(), 1) if old in l)
            for program in ("tpfd", "tpf-forward"):
                with self.subTest(new, program=program):
                    status, said, path = self.check(inst, good.replace(old, new, 1), program)
                    self.assertNotEqual(status, 0)
                    self.assertIn(f"{path}:{line}", said)
                    self.assertIn(key.rsplit(".", 1)[-1], said)

    def test_what_is_missing_is_named(self):
        inst = self.installation()
        status, said, path = self.check(inst, inst.config_text().replace('kind = "test"\n', ""))
        self.assertNotEqual(status, 0)
        self.assertIn(str(path), said)
        self.assertIn("kind", said)

    def test_not_toml(self):
        inst = self.installation()
        status, said, path = self.check(inst, "[installation\n")
        self.assertNotEqual(status, 0)
        self.assertIn(f"{path}:1", said)

    def test_all_problems_at_once(self):
        inst = self.installation()
        _, said, _ = self.check(inst, inst.config_text().replace("poll_seconds = 1", "poll_seconds = 0").replace('"debug"', '"loud"'))
        self.assertIn("poll_seconds", said)
        self.assertIn("level", said)

    def test_certificate_that_is_none(self):
        inst = self.installation()
        inst.write_config()
        (inst.folder / "tls/forward.pem").write_text("nothing\n")
        done = env.run([env.BIN / "tpf-forward", "--config", inst.config, "--check-config"], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("IPLOS", done.stderr.decode())

    def test_sample_is_valid(self):
        inst = self.installation()
        sample = env.run([env.BIN / "tpfctl", "config", "sample"]).stdout.decode()
        self.assertEqual(self.check(inst, sample)[0], 0)


class StartAndStop(Case):
    def test_second_core_on_the_same_spool_refuses(self):
        inst = self.installation()
        inst.start_core()
        done = env.run(inst.core_arguments(), check=False, env=inst.core_env)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("OPPTATT", done.stderr.decode())
        # The first one is none the worse, its socket included.
        inst.wait_state(inst.submit(self.good().build()), "committed")

    def test_second_forwarder_refuses(self):
        inst = self.installation()
        inst.start()
        env.until("the forwarder to be ready", lambda: "ready" in (inst.folder / "forward.log").read_text())
        done = env.run([env.BIN / "tpf-forward", "--config", inst.config], check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("OPPTATT", done.stderr.decode())

    def test_wrong_passphrase_stops_the_core(self):
        inst = self.installation()
        inst.write_config()
        (inst.folder / "credentials/keyring-passphrase").write_text("wrong\n")
        done = env.run(inst.core_arguments("--drain"), check=False, env=inst.core_env)
        self.assertEqual(done.returncode, 78)
        self.assertIn("FEIL_NOKKEL", done.stderr.decode())

    def test_drain_mode_of_both(self):
        inst = self.installation(sources={"oslo": 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'})
        drop = inst.folder / "drop"
        drop.mkdir()
        goods = [self.good() for _ in range(5)]
        for number, good in enumerate(goods):
            (drop / f"{number}.xml").write_bytes(good.build())
        (drop / "bad.xml").write_bytes(self.good(antall=9).build())
        inst.start_register()
        self.assertEqual(inst.drain_core(), 0)
        self.assertEqual(len(inst.entries("outbox")), 5)
        self.assertEqual(len(inst.entries("quarantine")), 1)
        self.assertEqual(inst.start_forward("--drain").wait(), 0)
        self.assertEqual(inst.drain_core(), 0)
        self.assertEqual({m["navn"] for m in inst.register_list()}, {g.header.name for g in goods})
        self.assertEqual(inst.entries("outbox"), [])
        answers = [json.loads(p.read_text())["status"] for p in (inst.spool / "kvittering/oslo").iterdir()]
        self.assertEqual(sorted(answers), ["avvist"] + ["levert"] * 5)

    def test_drain_says_when_something_waits(self):
        inst = self.installation()
        inst.start_core()
        inst.wait_state(inst.submit(self.good().build()), "committed")
        self.assertEqual(inst.core.stop(), 0)
        self.assertEqual(inst.start_forward("--drain").wait(), 75)

    def test_sigterm_finishes_what_was_begun(self):
        inst = self.installation()
        inst.start_core()
        data = [self.good().build() for _ in range(12)]
        messages = [inst.submit(d) for d in data]
        self.assertEqual(inst.core.stop(signal.SIGTERM), 0)
        # Each lies in exactly one place, and nothing half-done lies about.
        self.assertEqual([n for n in inst.entries("work") if n.endswith(".ut") and n[:-3] not in messages], [])
        places = {m: [p for p in ("inbox/new", "work", "quarantine") if m in inst.entries(p)] for m in messages}
        self.assertEqual({m: p for m, p in places.items() if len(p) != 1}, {})
        inst.start_core()
        for message in messages:
            inst.wait_state(message, "committed")
        self.assertEqual(sorted(inst.entries("outbox")), sorted(messages))
        log = (inst.folder / "tpfd.log").read_text()
        self.assertIn("stopping", log)
        self.assertNotIn(" error ", log)

    def test_delivered_payloads_are_removed_at_once_when_so_configured(self):
        inst = self.installation(sections="[retention]\ndelivered_days = 0")
        inst.start()
        message = inst.submit(self.good().build())
        row = env.until("the payloads' removal", lambda: (lambda r: r.get("payloads_removed") and r)(
            inst.wait_state(message, "delivered")))
        env.until("the folders to be empty", lambda: [m for part in ("work", "outbox") for m in inst.entries(part)] == [])
        self.assertEqual(row["state"], "delivered")


class Disk(Case):
    """Trouble that is not the message's fault: it waits, says so, and goes on by itself."""

    def test_less_free_than_the_reserve(self):
        inst = self.installation(reserve="1000 TiB")
        inst.start_core()
        status = inst.ctl("status", json_output=True)
        self.assertEqual(status["disk"]["intake"], "stopped")
        with self.assertRaises(env.CoreError) as caught:
            inst.submit(self.good().build())
        self.assertEqual(caught.exception.code, "DISK_FULL")
        self.assertEqual(inst.entries("inbox/new") + inst.entries("inbox/tmp"), [])

    @unittest.skipUnless(os.geteuid() == 0, "needs root: mounts a small tmpfs")
    def test_full_disk_waits_and_goes_on(self):
        inst = self.installation(reserve="0 B")
        try:
            env.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tpf-system-test", inst.spool])
        except AssertionError as error:
            self.skipTest(f"no tmpfs can be mounted here: {error}")
        self.addCleanup(env.run, ["umount", inst.spool])
        self.addCleanup(inst.stop)
        inst.start_core()
        inst.wait_state(inst.submit(self.good(1).build()), "committed")
        data = self.good(1, contents=["x" * 300000]).build()
        # Room for the submission, not for its output.
        (inst.spool / "fill").write_bytes(bytes(shutil.disk_usage(inst.spool).free - len(data) - 100_000))
        second = inst.submit(data)
        row = env.until("status to say that the disk is full", lambda: [w for w in inst.ask("status")["waiting"] if w["id"] == second])
        self.assertEqual(row[0]["code"], "DISK_FULL")
        self.assertIn("DISK_FULL", inst.ctl("status").stdout.decode())
        self.assertNotIn(second, inst.entries("outbox"))
        (inst.spool / "fill").unlink()
        inst.wait_state(second, "committed")

    @unittest.skipUnless(os.geteuid() == 0, "needs root: runs the core as another user")
    def test_unreadable_submission_waits_and_goes_on(self):
        inst = self.installation(core_user="nobody", limits={"persons_per_day": 1})
        inst.start_core()
        inst.wait_state(inst.submit(self.good(1).build()), "committed")
        message = inst.submit(self.good(1).build())
        inst.wait_state(message, "held")
        body = inst.spool / "quarantine" / message / "innsending.xml"
        env.until("its bytes in quarantine", body.exists)
        body.chmod(0)
        inst.ctl("queue", "retry", message, "--reason", "expected")
        waits = env.until("status to say that it cannot be read", lambda: inst.ask("status")["waiting"])
        self.assertEqual([(w["id"], w["code"]) for w in waits], [(message, "LESEFEIL")])
        self.assertIn("LESEFEIL", inst.ctl("status").stdout.decode())
        (inst.spool / "work" / message / "innsending.xml").chmod(0o600)
        inst.wait_state(message, "committed")
        self.assertEqual(inst.ask("status")["waiting"], [])


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root: asks as another user")
class Access(Case):
    """Who may use the socket is told by the kernel and the operators' group."""

    def as_user(self, inst, user, groups, *arguments):
        entry = pwd.getpwnam(user)
        command = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}",
                   f"--groups={groups}" if groups else "--clear-groups", env.BIN / "tpfctl", "--socket", inst.folder / "core.sock"]
        return subprocess.run([*map(str, command), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=env.DEADLINE)

    def test_user_outside_the_operators_group_is_refused(self):
        inst = self.installation(operators_group="operator")
        inst.start_core()
        done = self.as_user(inst, "nobody", None, "status")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"IKKE_ADGANG", done.stdout + done.stderr)
        # Even where the file's mode would let them in, the core asks the kernel who they are.
        (inst.folder / "core.sock").chmod(0o666)
        done = self.as_user(inst, "nobody", None, "--json", "status")
        self.assertEqual(json.loads(done.stdout)["error"]["code"], "IKKE_ADGANG")
        self.assertIn("refused on the socket", (inst.folder / "tpfd.log").read_text())
        done = self.as_user(inst, "nobody", None, "queue", "list")
        self.assertNotIn(b"messages", done.stdout)

    def test_root_may(self):
        inst = self.installation(operators_group="operator")
        inst.start_core()
        self.assertIn(inst.ctl("status").returncode, (0, 1, 2))

    def test_socket_belongs_to_the_group_alone(self):
        inst = self.installation(operators_group="operator")
        inst.start_core()
        mode = (inst.folder / "core.sock").stat()
        self.assertEqual(oct(mode.st_mode & 0o777), "0o660")
        inst.core.stop()
        self.assertFalse((inst.folder / "core.sock").exists())
