"""What the services tell systemd (Type=notify, WatchdogSec=), heard on a socket of our own: ready when they are, stopping
when they stop, and alive only while they get on."""

import os
import shutil
import signal
import socket
import threading
import time
import unittest

import env
from case import Case

INTERVAL = 1.0  # WATCHDOG_USEC, in seconds


class Notify:
    """Stands where systemd would; `heard`: [(when, text)], a line of a datagram each."""

    def __init__(self, path, watch=None):
        self.path, self.heard = path, []
        self.watch = watch or (lambda text: None)  # called for each, before the next is read
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                data = self.socket.recv(4096)
            except OSError:
                return
            for text in data.decode().splitlines():
                self.watch(text)
                self.heard.append((time.monotonic(), text))

    @property
    def environment(self):
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(int(INTERVAL * 1e6))}

    def texts(self):
        return [text for _, text in self.heard]

    def has(self, text):
        return text in self.texts()

    def wait(self, text):
        env.until(text, lambda: self.has(text))

    def wait_alive(self, times=4):
        """So many signs of life from now on."""
        begun = self.texts().count("WATCHDOG=1")
        env.until(f"{times} signs of life", lambda: self.texts().count("WATCHDOG=1") >= begun + times)

    def wait_silent(self):
        """systemd would have ended it: no sign of life for a whole interval (and a half, for a busy machine)."""
        env.until("a sign of life", lambda: self.has("WATCHDOG=1"))
        env.until("no more signs of life", lambda: time.monotonic() - max(t for t, x in self.heard if x == "WATCHDOG=1")
                  > 1.5 * INTERVAL, 60)

    def longest_gap(self):
        times = [t for t, text in self.heard if text == "WATCHDOG=1"]
        return max((b - a for a, b in zip(times, times[1:])), default=0)


class Systemd(Case):
    def notified(self, inst, program, watch=None):
        """The program is started under a NOTIFY_SOCKET from here on."""
        notify = Notify(inst.folder / f"notify-{program}", watch)
        self.addCleanup(notify.socket.close)
        inst.wrap[program] = ["env", *(f"{k}={v}" for k, v in notify.environment.items()), *inst.wrap.get(program, [])]
        return notify

    def hang(self, inst, program, call, path, when="1+", seconds=8):
        """From now on each `call` of the program on `path` takes so long; long enough to be missed, short enough that a kill
        (which strace lets pass only then) does not hold the test up."""
        inst.wrap[program] = ["strace", "-D", "-f", "-o", inst.folder / "trace", "-P", path, "-e", f"trace={call}",
                              "-e", f"inject={call}:delay_enter={int(seconds * 1e6)}:when={when}", "--"]

    def waiting(self):
        """An installation in which one message waits in work/ for its pseudonym key; the core is down."""
        inst = self.installation(register_settings={"IPLOS": "pseudonym_versions = [77]"})
        inst.start_core()
        message = inst.submit(self.good(1).build())
        env.until("it waits", lambda: inst.ask("status")["waiting"])
        self.assertEqual(inst.core.stop(), 0)
        return inst, message

    def test_core_is_ready_lives_and_stops(self):
        inst = self.installation()
        notify = self.notified(inst, "core")
        inst.start_core()
        notify.wait("READY=1")
        notify.wait_alive()  # with nothing to do
        for _ in range(5):
            inst.wait_state(inst.submit(self.good().build()), "committed")
        notify.wait_alive()
        self.assertFalse(notify.has("STOPPING=1"))
        self.assertEqual(inst.core.stop(), 0)
        notify.wait("STOPPING=1")
        self.assertEqual([t for t in notify.texts() if t != "WATCHDOG=1"], ["READY=1", "STOPPING=1"])

    def test_nobody_is_told_when_nobody_asks(self):
        inst = self.installation()
        notify = self.notified(inst, "core")
        inst.wrap["core"] = [a for a in inst.wrap["core"] if not str(a).startswith("WATCHDOG_USEC")]
        inst.start_core()
        notify.wait("READY=1")
        inst.wait_state(inst.submit(self.good().build()), "committed")
        self.assertEqual(inst.core.stop(), 0)
        notify.wait("STOPPING=1")
        self.assertEqual(notify.texts(), ["READY=1", "STOPPING=1"])

    def test_not_ready_with_a_journal_that_is_damaged(self):
        inst = self.installation()
        inst.start_core()
        self.assertEqual(inst.core.stop(), 0)
        journal = inst.folder / "journal/journal.db"
        journal.write_bytes(b"\0" * 4096 + journal.read_bytes()[4096:])
        notify = self.notified(inst, "core")
        self.assertEqual(env.Process(inst.core_arguments(), inst.folder / "tpfd.log", inst.core_env).wait(), 77)
        self.assertFalse(notify.has("READY=1"))

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: holds a call up")
    def test_core_is_ready_only_after_recovery(self):
        inst = self.installation()
        inst.start_core()
        inst.wait_state(inst.submit(self.good().build()), "committed")
        inst.core.kill()
        self.hang(inst, "core", "getdents64", inst.spool / "work", "1", 2)
        log, seen = inst.folder / "tpfd.log", []
        log.unlink()
        notify = self.notified(inst, "core", lambda text: seen.append("recovered" in log.read_text()) if text == "READY=1" else None)
        inst.start_core()
        notify.wait("READY=1")
        self.assertEqual(seen, [True])
        self.assertIn("DELAYED", (inst.folder / "trace").read_text())

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: holds a call up")
    def test_hung_worker_is_not_called_alive(self):
        """The loop turns, operators are answered, and yet the core must not say that all is well."""
        inst, message = self.waiting()
        self.hang(inst, "core", "read", inst.spool / "work" / message / "innsending.xml")
        notify = self.notified(inst, "core")
        inst.start_core()
        notify.wait("READY=1")
        notify.wait_silent()
        self.assertEqual(inst.row(message)["state"], "claimed")
        inst.core.kill()  # as systemd would
        inst.wrap.clear()
        inst.start_core()
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", "P-77", "--register", "IPLOS", "--version", "77")
        inst.wait_state(message, "committed")

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: holds a call up")
    def test_hung_loop_is_not_called_alive(self):
        inst = self.installation(sections="[workers]\npoll_seconds = 1")
        self.hang(inst, "core", "getdents64", inst.spool / "inbox/new", "20+")
        notify = self.notified(inst, "core")
        inst.start_core()
        notify.wait("READY=1")
        notify.wait_alive()
        notify.wait_silent()
        self.assertTrue(inst.core.running)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: slows a program's reads down")
    def test_slow_work_that_gets_on_is_called_alive(self):
        inst, message = self.waiting()
        data = self.good(1, contents=["x" * 5_000_000]).build()
        inst.start_core()
        large = inst.submit(data)
        env.until("both wait", lambda: len(inst.ask("status")["waiting"]) == 2)
        self.assertEqual(inst.core.stop(), 0)
        self.hang(inst, "core", "read", inst.spool / "work" / large / "innsending.xml", seconds=INTERVAL / 5)
        notify = self.notified(inst, "core")
        inst.start_core()
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", "P-77", "--register", "IPLOS", "--version", "77")
        row = inst.wait_state(large, "committed")
        self.assertGreater((inst.folder / "trace").read_text().count("DELAYED"), 8)
        self.assertLess(notify.longest_gap(), INTERVAL)
        self.assertEqual(row["state"], "committed")

    def test_forwarder_is_ready_lives_and_stops(self):
        inst = self.installation()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            inst.ports["IPLOS"] = silent.getsockname()[1]
            notify = self.notified(inst, "forward")
            inst.start_core()
            inst.start_forward()
            notify.wait("READY=1")
            notify.wait_alive()
            inst.submit(self.good().build())
            with silent.accept()[0]:
                # A register that says nothing is no hang of ours.
                notify.wait_alive(8)
                inst.forward.popen.send_signal(signal.SIGTERM)
                notify.wait("STOPPING=1")
                self.assertTrue(inst.forward.running)
                notify.wait_alive()
                self.assertEqual(inst.forward.stop(), 0)
        self.assertEqual([t for t in notify.texts() if t != "WATCHDOG=1"], ["READY=1", "STOPPING=1"])

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "needs root and strace: holds a call up")
    def test_hung_transport_is_not_called_alive(self):
        """The forwarder's loop turns, but the thread that talks to the register does not."""
        inst = self.installation()
        inst.start_register()
        inst.start_core()
        data = self.good(1, contents=["x" * 3_000_000]).build()
        message = inst.submit(data)
        inst.wait_state(message, "committed")
        body = inst.spool / "outbox" / message / "melding.xml"
        env.until("the output", body.exists)
        self.hang(inst, "forward", "read", body)
        notify = self.notified(inst, "forward")
        inst.start_forward()
        notify.wait("READY=1")
        notify.wait_silent()
        self.assertTrue(inst.forward.running)
        inst.forward.kill()
        inst.wrap.clear()
        inst.start_forward()
        inst.wait_state(message, "delivered")
