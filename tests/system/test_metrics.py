"""Numbers for monitoring: the file for node_exporter, `tpfctl metrics`, and the live view."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import termios
import time
import unittest
from pathlib import Path

import env
from case import Case

PROJECT = Path(__file__).resolve().parents[2]


def samples(text):
    """{name{labels}: value}"""
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


def families(text):
    return set(re.findall(r"^# TYPE (\w+) ", text, re.M))


class Metrics(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        inst = cls.shared = env.Installation(limits={"persons_per_day": 100})
        cls.addClassCleanup(inst.remove)
        inst.metrics_file = str(inst.folder / "tpf.prom")
        inst.start()
        case = cls()
        inst.wait_state(inst.submit(case.good(persons=3).build()), "delivered")
        inst.wait_state(inst.submit(case.good(antall=9).build()), "quarantined")

    def runTest(self):
        """So that setUpClass can borrow the builders."""

    def text(self, *options):
        return self.shared.ctl("metrics", *options).stdout.decode()

    def test_what_was_done_is_counted(self):
        found = samples(self.text())
        for name, value in (("tpf_messages_received_total", 2), ('tpf_messages_delivered_total{register="IPLOS"}', 1),
                            ('tpf_messages_quarantined_total{code="ANTALL"}', 1), ('tpf_persons_total{register="IPLOS"}', 3),
                            ('tpf_messages{state="delivered"}', 1), ("tpf_pass_duration_seconds_count", 2),
                            ("tpf_delivery_duration_seconds_count", 1), ('tpf_register_up{register="IPLOS"}', 1),
                            ("tpf_forwarder_up", 1), ("tpf_keys_missing", 0)):
            self.assertEqual(found.get(name), value, name)
        self.assertAlmostEqual(found["tpf_written_timestamp_seconds"], time.time(), delta=60)
        self.assertGreater(found['tpf_register_certificate_expiry_timestamp_seconds{register="IPLOS"}'], time.time())

    def test_file_is_whole_and_new(self):
        path = Path(self.shared.metrics_file)
        env.until("the file", path.exists)
        written = lambda: samples(path.read_text())["tpf_written_timestamp_seconds"]
        before = written()
        env.until("the file to be written again", lambda: written() > before)
        text = path.read_text()
        self.assertEqual(families(text), families(self.text("--prometheus")))
        self.assertEqual(oct(path.stat().st_mode & 0o777), "0o644")

    def test_no_label_is_a_person_or_without_bounds(self):
        labels = dict(re.findall(r'[{,](\w+)="([^"]*)"', self.text()))
        self.assertLessEqual(set(labels), {"register", "code", "state", "kind", "version", "le"})
        # Values may be as long as they are: bytes.
        self.assert_no_number("\n".join(samples(self.text())))
        self.assertNotIn("974761076", self.text())

    def test_promtool_takes_it(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed")
        done = env.run(["promtool", "check", "metrics"], stdin=self.text("--prometheus").encode(), check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""), done)

    def test_openmetrics_parser_takes_it(self):
        # Debian's Python has it, whichever runs this.
        parse = ("import sys; from prometheus_client.openmetrics.parser import text_string_to_metric_families as p; "
                 "print({f.name: f.type for f in p(sys.stdin.read())})")
        done = env.run(["/usr/bin/python3", "-c", parse], stdin=self.text().encode(), check=False)
        if b"No module named" in done.stderr:
            self.skipTest("python3-prometheus-client is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"'tpf_messages_received': 'counter'", done.stdout)
        self.assertIn(b"'tpf_pass_duration_seconds': 'histogram'", done.stdout)

    def test_rules_and_dashboard_name_what_there_is(self):
        there = families(self.text("--prometheus"))
        asked = set()
        for name in ("tpf.rules.yml", "tpf.dashboard.json"):
            asked |= set(re.findall(r"\btpf_\w+", (PROJECT / "monitoring" / name).read_text()))
        asked = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
        self.assertEqual(asked - there, set())

    # --- status and top ---
    def test_status_is_one_screen_and_its_exit_status_tells(self):
        done = self.shared.ctl("status")
        health = self.shared.ctl("status", json_output=True)["health"]
        self.assertEqual(done.returncode, {"ok": 0, "warning": 1, "critical": 2}[health])
        lines = done.stdout.decode().splitlines()
        self.assertLess(len(lines), 50)
        self.assertIn({"ok": "WELL", "warning": "WARNING", "critical": "CRITICAL"}[health], lines[1])

    def test_status_without_a_core_is_critical(self):
        inst = self.installation()
        inst.write_config()
        done = env.run([env.BIN / "tpfctl", "--config", inst.config, "status"], check=False)
        self.assertEqual(done.returncode, 2)
        self.assertTrue(done.stdout.startswith(b"CRITICAL"))

    def test_missing_keys_are_critical(self):
        inst = self.installation(fresh_keys=True)
        inst.start_core()
        done = inst.ctl("status")
        self.assertEqual(done.returncode, 2)
        for said in (b"no message key", b"no signing key", b"no pseudonym key for register IPLOS, version 1", b"no receipt key"):
            self.assertIn(said, done.stdout)

    def test_a_forwarder_that_ended_is_told_of(self):
        inst = self.installation().start()
        env.until("its word", lambda: inst.ask("status")["forwarder"]["state"] == "runs")
        inst.forward.stop()
        path = inst.spool / "receipts/status.json"
        word = json.loads(path.read_text())
        word["updated"] = "2026-01-01T00:00:00Z"
        path.write_text(json.dumps(word))
        self.assertEqual(inst.ask("status")["forwarder"]["state"], "silent")
        self.assertEqual(inst.ctl("status").returncode, 2)
        # What it wrote is not believed further than it goes.
        for word in ("no json", "[]", '{"updated":"x","registers":[]}', '{"updated":"2026-01-01T00:00:00Z","registers":[1,{"register":7},'
                     '{"register":"IPLOS","waiting":"many","lastSuccess":"<b>"}]}'):
            path.write_text(word)
            registers = inst.ask("status")["registers"]
            self.assertNotIn("waiting", registers[0])
            self.assertNotIn("last_success", registers[0])

    def test_top_refuses_a_pipe(self):
        done = self.shared.ctl("top", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"terminal", done.stderr)
        self.assertNotIn(b"\x1b", done.stdout + done.stderr)

    def run_top(self, end):
        """Everything that it wrote, its exit status, and whether the terminal is as it was."""
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        before = termios.tcgetattr(side)
        process = subprocess.Popen([env.BIN / "tpfctl", "--config", self.shared.config, "top", "--interval", "1"], stdin=side, stdout=side, stderr=side)
        said = b""
        deadline = time.monotonic() + env.DEADLINE
        while said.count(b"per second") < 2 and time.monotonic() < deadline:
            said += os.read(main, 65536)
        self.assertNotEqual(termios.tcgetattr(side), before)
        end(process, main)
        os.set_blocking(main, False)
        status = None
        while status is None and time.monotonic() < deadline:
            status = process.poll()
            try:
                said += os.read(main, 65536)
            except BlockingIOError:
                time.sleep(0.01)
        restored = termios.tcgetattr(side) == before
        os.close(main)
        os.close(side)
        return said.decode(), status, restored

    def test_top_shows_rates_and_leaves_the_terminal_as_it_was(self):
        for end in (lambda process, main: os.write(main, b"q"), lambda process, main: process.send_signal(signal.SIGTERM)):
            said, status, restored = self.run_top(end)
            self.assertEqual((status, restored), (0, True))
            self.assertTrue(said.rstrip().endswith("\x1b[?25h\x1b[?1049l"), said[-40:])
            self.assertIn("TEST INSTALLATION systemtest", said)
            self.assertIn("pseudonymised", said)
            for line in re.sub(r"\x1b\[[?0-9]*[A-Za-z]", "", said).splitlines():
                self.assertLessEqual(len(line), 100)
