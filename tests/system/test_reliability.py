"""Promises of docs/reliability.md that are about a whole installation and not about one failed call: a disk that fills
up, a stop that is to be quick, a clock that jumps. (Kills, failed calls and the network: tests/fault.)"""

import os
import shutil
import signal
import socket
import time
import unittest

import env
from case import Case

DROP = 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'


class FullDisk(Case):
    @unittest.skipUnless(os.geteuid() == 0, "needs root: mounts a small tmpfs")
    def test_intake_stops_first_and_goes_on_by_itself(self):
        inst = self.installation(reserve="8 MiB", sources={"oslo": DROP}, sections="[workers]\npoll_seconds = 1")
        (inst.folder / "drop").mkdir()
        try:
            env.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tpf-system-test", inst.spool])
        except AssertionError as error:
            self.skipTest(f"no tmpfs can be mounted here: {error}")
        self.addCleanup(env.run, ["umount", inst.spool])
        self.addCleanup(inst.stop)
        inst.start_core()
        taken = inst.submit(self.good(1, contents=["x" * 1_000_000]).build())
        inst.wait_state(taken, "committed")
        # Below the reserve, but with room enough to finish what was taken.
        (inst.spool / "fill").write_bytes(bytes(shutil.disk_usage(inst.spool).free - (5 << 20)))
        self.assertEqual(inst.ctl("status", json_output=True)["disk"]["intake"], "stopped")
        self.assertIn("stopped", inst.ctl("status").stdout.decode())
        with self.assertRaises(env.CoreError) as refused:
            inst.submit(self.good(1).build())
        self.assertEqual(refused.exception.code, "DISK_FULL")
        waiting = self.good(1)
        part = inst.folder / "drop" / "waiting.part"
        part.write_bytes(waiting.build())
        part.rename(inst.folder / "drop" / "waiting.xml")
        # What was begun goes on to its end meanwhile.
        inst.start_register()
        inst.start_forward()
        inst.wait_state(taken, "delivered")
        self.assertEqual(inst.kvittering(taken, status="levert")["status"], "levert")
        self.assertTrue((inst.folder / "drop" / "waiting.xml").exists(), "a drop was taken below the reserve")
        self.assertEqual(inst.entries("inbox/new") + inst.entries("inbox/tmp"), [])
        (inst.spool / "fill").unlink()
        inst.wait_state(waiting.header.meldings_id, "delivered")
        self.assertEqual(inst.ctl("status", json_output=True)["disk"]["intake"], "open")
        inst.wait_state(inst.submit(self.good(1).build()), "delivered")


class Stop(Case):
    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: slows a program's reads down")
    def test_a_second_sigterm_cuts_the_core_short_and_loses_nothing(self):
        inst = self.installation()
        inst.start_core()
        message = inst.submit(self.good(1, contents=["x" * 40_000_000]).build())
        inst.wait_state(message, "claimed", "committed")
        inst.core.kill()
        # Whatever came of it: again, and now each piece takes half a second to read.
        for entry in inst.entries("outbox"):
            self.skipTest(f"{entry} was done before it could be killed")
        inst.wrap["core"] = ["strace", "-D", "-f", "-o", inst.folder / "trace", "-e", "trace=read", "-e", "inject=read:delay_enter=500000:when=30+", "--"]
        inst.start_core()
        env.until("the pass to have begun", lambda: f"{message}.ut" in inst.entries("work"))
        inst.core.popen.send_signal(signal.SIGTERM)
        # Two signals that wait at the same time are one.
        env.until("the first signal to be taken", lambda: "stopping: what runs" in (inst.folder / "tpfd.log").read_text())
        self.assertTrue(inst.core.running, "the first signal waits for what runs")
        began = time.monotonic()
        inst.core.popen.send_signal(signal.SIGTERM)
        status = inst.core.wait(30)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(status, 0)
        self.assertEqual(inst.entries("outbox"), [])
        inst.wrap.clear()
        inst.start_core()
        inst.wait_state(message, "committed")
        env.until("the output", lambda: inst.entries("outbox") == [message])
        self.assertEqual(inst.entries("work"), [message])

    def test_a_forwarder_with_a_silent_register_stops_in_time_and_at_once_when_told_twice(self):
        inst = self.installation()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            inst.ports["IPLOS"] = silent.getsockname()[1]
            inst.start_core()
            inst.start_forward()
            message = inst.submit(self.good().build())
            held = silent.accept()[0]
            with held:
                inst.forward.popen.send_signal(signal.SIGTERM)
                env.until("the first signal to be taken", lambda: "stopping" in (inst.folder / "forward.log").read_text())
                self.assertTrue(inst.forward.running, "the first signal lets what is under way go on for a while")
                began = time.monotonic()
                inst.forward.popen.send_signal(signal.SIGTERM)
                self.assertEqual(inst.forward.wait(10), 0)
                self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(inst.row(message)["state"], "committed")
        inst.start_register()
        inst.write_config()
        inst.start_forward()
        inst.wait_state(message, "delivered")


@unittest.skipUnless((env.BIN / "tpf-clock-shift.so").exists(), "needs tpf-clock-shift.so")
class Clock(Case):
    DAY = 86400

    def test_jumps_do_no_harm(self):
        """Ten days on, then a year back, then right again: back-off, retention and journal are none the worse."""
        inst = self.installation()
        shift = inst.folder / "shift"
        shift.write_text("0\n")
        for program in ("core", "forward"):
            inst.wrap[program] = ["env", f"LD_PRELOAD={env.BIN / 'tpf-clock-shift.so'}", f"TPF_CLOCK_SHIFT={shift}"]
        inst.start_core()
        inst.start_forward()
        delivered = []
        for days in (10, -365, 0):
            # The register is away when the clock jumps: a pause counted by the wall clock would last a year.
            message = inst.submit(self.good().build())
            inst.wait_state(message, "committed")
            shift.write_text(f"{days * self.DAY}\n")
            inst.start_register()
            began = time.monotonic()
            inst.wait_state(message, "delivered", seconds=30)
            self.assertLess(time.monotonic() - began, 30)
            self.assertEqual(inst.kvittering(message, status="levert")["status"], "levert")
            self.assertTrue((inst.spool / "work" / message).exists(), "its payload was removed before its time")
            self.assertEqual(inst.registers["IPLOS"].stop(), 0)
            delivered.append(message)
        # A start with a clock that is behind all that is written.
        shift.write_text(f"{-400 * self.DAY}\n")
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        inst.ask("audit verify")
        times = [e["time"] for e in inst.ask("audit show", limit=1000)["entries"]]
        self.assertNotEqual(times, sorted(times), "the clock did not jump: the test proves nothing")
        self.assertEqual([inst.row(m)["state"] for m in delivered], ["delivered"] * 3)
        inst.start_register()
        inst.wait_state(inst.submit(self.good().build()), "delivered")
