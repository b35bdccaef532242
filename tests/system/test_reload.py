"""A changed configuration, and new certificates, without a restart: SIGHUP, or --reload, which a unit's ExecReload uses."""

import json
import signal
import subprocess

import env
from case import Case


class Reload(Case):
    def setUp(self):
        self.inst = self.installation().start()
        # Before that a signal ends it, and it has not read its configuration.
        env.until("the forwarder to be ready", lambda: " ready " in (self.inst.folder / "forward.log").read_text())

    def hang_up(self, process, log, line):
        """SIGHUP, and what the log then says: the last line with `line` in it."""
        lines = lambda: [x for x in (self.inst.folder / log).read_text().splitlines() if line in x]
        before = len(lines())
        process.popen.send_signal(signal.SIGHUP)
        return env.until(f"'{line}' in {log}", lambda: lines()[before:])[-1]

    def configurations(self):
        return [e["fields"] for e in self.inst.ctl("audit", "show", json_output=True)["entries"] if e["kind"] == "configuration"]

    def test_the_core_takes_what_it_can(self):
        inst = self.inst
        inst.reserve = "17 MiB"
        inst.limits = {"persons_per_day": 2}
        inst.write_config()
        said = self.hang_up(inst.core, "tpfd.log", "reloaded")
        self.assertIn('settings="disk.reserve_bytes limits.persons_per_day"', said)
        self.assertEqual(inst.ctl("status", json_output=True)["disk"]["reserve_bytes"], 17 << 20)
        inst.wait_state(inst.submit(self.good(persons=3).build()), "held")
        (entry,) = self.configurations()
        self.assertEqual((entry["changed"], entry["needs_restart"]), ("disk.reserve_bytes limits.persons_per_day", ""))
        self.assertEqual(len(entry["configuration_sha256"]), 64)
        # The same once more changes nothing, and is no entry.
        self.hang_up(inst.core, "tpfd.log", "reloaded: no other setting")
        self.assertEqual(len(self.configurations()), 1)

    def test_what_needs_a_restart_is_named_and_left(self):
        inst = self.inst
        inst.name = "another"
        inst.log_level = "info"
        inst.write_config()
        self.assertIn("settings=installation.name", self.hang_up(inst.core, "tpfd.log", "need a restart"))
        self.assertEqual(json.loads(inst.ctl("--json", "status", check=False).stdout)["name"], "systemtest")
        (entry,) = self.configurations()
        self.assertEqual((entry["changed"], entry["needs_restart"]), ("log.level", "installation.name"))

    def test_a_bad_configuration_changes_nothing(self):
        inst = self.inst
        good = inst.config.read_text()
        for bad in (good + "\n[limits]\ndepth = 1\n", "this is not TOML"):
            inst.config.write_text(bad)
            for process, log in ((inst.core, "tpfd.log"), (inst.forward, "forward.log")):
                self.assertIn("tpf.toml", self.hang_up(process, log, "not reloaded, what was in force stays"))
            for program in ("tpfd", "tpf-forward"):
                done = env.run([env.BIN / program, "--config", inst.config, "--reload", "1"], check=False)
                self.assertEqual(done.returncode, 78)
        inst.config.write_text(good)
        self.assertEqual(self.configurations(), [])
        inst.wait_state(inst.submit(self.good().build()), "delivered")

    def test_reload_option_tells_the_process(self):
        inst = self.inst
        for program, process, log in (("tpfd", inst.core, "tpfd.log"), ("tpf-forward", inst.forward, "forward.log")):
            env.run([env.BIN / program, "--config", inst.config, "--reload", process.popen.pid])
            env.until("its log", lambda: "reloaded: no other setting" in (inst.folder / log).read_text())

    def test_a_register_that_is_added_is_served(self):
        inst = self.inst
        inst.register_names = ("IPLOS", "KPR")
        inst.start_register("KPR")
        inst.write_config()
        self.assertIn("register.KPR", self.hang_up(inst.core, "tpfd.log", "reloaded"))
        message = inst.submit(self.good(register="KPR").build())
        inst.wait_state(message, "committed")
        self.assertIn("register.KPR", self.hang_up(inst.forward, "forward.log", "reloaded"))
        inst.wait_state(message, "delivered")
        inst.wait_state(inst.submit(self.good().build()), "delivered")

    def test_a_register_that_is_taken_out_gets_nothing_more(self):
        inst = self.installation(registers=("IPLOS", "KPR")).start()
        env.until("the forwarder to be ready", lambda: " ready " in (inst.folder / "forward.log").read_text())
        self.inst = inst
        committed = self.good(register="KPR").build()
        inst.register_names = ("IPLOS",)
        inst.write_config()
        self.assertIn("register=KPR", self.hang_up(inst.forward, "forward.log", "is not configured any more"))
        # The core still takes messages for it, as nobody told it.
        message = inst.submit(committed)
        inst.wait_state(message, "committed")
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        env.until("its log", lambda: "for a register that is not configured waits" in (inst.folder / "forward.log").read_text())
        self.assertEqual(inst.row(message)["state"], "committed")
        self.assertIn("register.KPR", self.hang_up(inst.core, "tpfd.log", "reloaded"))
        refused = inst.wait_state(inst.submit(self.good(register="KPR").build()), "quarantined")
        self.assertEqual(refused["code"], "UKJENT_REGISTER")
        # Back in the file, what waited goes.
        inst.register_names = ("IPLOS", "KPR")
        inst.write_config()
        self.hang_up(inst.forward, "forward.log", "reloaded")
        inst.wait_state(message, "delivered")

    def test_a_renewed_certificate_is_used(self):
        inst = self.inst
        status = inst.spool / "receipts/status.json"
        ends = lambda: json.loads(status.read_text())["registers"][0]["certificateEnds"]
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        before = ends()
        certificate = inst.folder / "tls/forward.pem"
        good = certificate.read_bytes()
        # Not the key's: refused, and the old one goes on.
        certificate.write_bytes((inst.folder / "tls/register.pem").read_bytes())
        self.assertIn("register.IPLOS: client_", self.hang_up(inst.forward, "forward.log", "not reloaded"))
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        certificate.write_bytes(good)
        tls = inst.template / "tls"
        env.run(["openssl", "req", "-new", "-key", inst.folder / "tls/forward.key", "-subj", "/CN=renewed", "-out", inst.folder / "renewed.csr"])
        env.run(["openssl", "x509", "-req", "-in", inst.folder / "renewed.csr", "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key",
                 "-set_serial", "77", "-days", "90", "-extfile", tls / "forward.ext", "-out", certificate])
        self.hang_up(inst.forward, "forward.log", "reloaded")
        env.until("the new end", lambda: ends() != before)
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        self.assertNotIn("not delivered", (inst.folder / "forward.log").read_text())

    def test_a_register_in_trouble_is_tried_at_once(self):
        inst = self.installation(forward_settings="")
        text = inst.config_text
        inst.config_text = lambda: text().replace("backoff_first_seconds = 1", "backoff_first_seconds = 3600").replace(
            "backoff_max_seconds = 2", "backoff_max_seconds = 3600")
        inst.start_core()
        inst.start_forward()
        message = inst.submit(self.good().build())
        env.until("a failure", lambda: "not delivered" in inst.log_tail("forward.log"))
        inst.start_register()
        inst.forward.popen.send_signal(signal.SIGHUP)
        inst.wait_state(message, "delivered")
