#!/usr/bin/env python3
"""A January: every municipality sends its file, a tenth of them a big one, while a register is away for a time, two operators
are at work, core and forwarder are restarted and killed, and the message key changes in the middle. At its end every message
must be delivered, and have taken effect at the register, once; memory and file descriptors of the processes must be flat.

  januar.py --bin DIR [--kommuner N] [--big MB] [--small MB] [--out REPORT]
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))


def sizes(count, big, small, draw):
    """Bytes of content for each municipality: a tenth have `big` MB, the others `small` and less, few persons most of them."""
    bigs = max(1, count // 10)
    rest = [small * 1e6 * min(1.0, draw.paretovariate(1.2) / 8) for _ in range(count - bigs)]
    return [int(big * 1e6)] * bigs + [max(20_000, int(s)) for s in rest]


def on_disk(folder):
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(place, name), follow_symlinks=False).st_blocks * 512
            except OSError:
                continue  # moved on meanwhile
    return total


class Watch(threading.Thread):
    """Memory and descriptors of a process, each second; it may be restarted meanwhile. The TPF's own disk, each fifth."""

    def __init__(self, inst):
        super().__init__(daemon=True)
        self.inst, self.ended, self.seen = inst, threading.Event(), {"core": [], "forward": []}
        self.spool, self.journal = 0, 0

    def run(self):
        ticks = 0
        while not self.ended.wait(1.0):
            if ticks % 5 == 0:
                self.spool, self.journal = max(self.spool, on_disk(self.inst.spool)), max(self.journal, on_disk(self.inst.folder / "journal"))
            ticks += 1
            for name in self.seen:
                process = getattr(self.inst, name)
                try:
                    status = Path(f"/proc/{process.popen.pid}/status").read_text()
                    rss = int(status.split("VmRSS:")[1].split()[0]) * 1024
                    self.seen[name].append((process.popen.pid, rss, len(os.listdir(f"/proc/{process.popen.pid}/fd"))))
                except (OSError, IndexError, AttributeError):
                    continue  # between two runs

    def peaks(self, name):
        return {"rss": max(s[1] for s in self.seen[name]), "fds": max(s[2] for s in self.seen[name])}

    def halves(self, name):
        """Of the process that lived to the end: the most of (memory, descriptors) in the first half of its life and in the second."""
        seen = [s[1:] for s in self.seen[name] if s[0] == self.seen[name][-1][0]]
        middle = max(1, len(seen) // 2)
        return [tuple(map(max, zip(*half))) for half in (seen[:middle], seen[middle:] or seen)]


class Januar:
    def __init__(self, env, options):
        self.env, self.options, self.draw = env, options, random.Random(options.seed)
        self.inst = env.Installation(limits={"inbox_messages_per_sender": 100_000, "persons_per_day": 1_000_000_000})
        self.lock, self.sent, self.refused = threading.Lock(), [], 0
        self.bytes, self.persons, self.events = 0, 0, []

    def note(self, what):
        self.events.append(f"{time.monotonic() - self.begun:7.1f} s  {what}")
        print(self.events[-1], flush=True)

    # --- the senders and the two operators ---
    def one(self, number, size):
        env, inst = self.env, self.inst
        per_person = 10_000 if size >= 1_000_000 else 2_000
        persons = max(1, size // per_person)
        export, out = inst.folder / f"tmp/{number}.xml", inst.folder / f"tmp/{number}.enc"
        env.run([env.BIN / "tpf-generate", "--persons", persons, "--bytes-per-person", per_person, "--kommune", f"{number + 301:04}",
                 "--seed", number, "--out", export])
        inst.krypt(export, out)
        export.unlink()
        size = out.stat().st_size
        # Core or forwarder may be between two runs: an operator tries again.
        while True:
            done = inst.ctl("--json", "submit", out, "--sender", f"{number + 301:04}-00-974761076", "--reason", "januar", check=False)
            if done.returncode == 0:
                break
            with self.lock:
                self.refused += 1
            time.sleep(0.5)
        out.unlink()
        with self.lock:
            self.sent.append(number)
            self.bytes += size
            self.persons += persons

    def operator(self, work):
        while True:
            with self.lock:
                if not work:
                    return
                number, size = work.pop()
            self.one(number, size)

    # --- what happens to it ---
    def trouble(self, total):
        """Each once, when so much of it was sent."""
        inst = self.inst
        steps = [(0.2, "the register goes away", lambda: inst.registers["IPLOS"].stop()),
                 (0.3, "the core is killed", self.kill_core), (0.4, "the register is back", lambda: inst.start_register("IPLOS")),
                 (0.5, "the message key changes", self.change_key), (0.6, "the forwarder is killed", self.kill_forward),
                 (0.7, "the core is restarted", self.restart_core),
                 (0.8, "the configuration is reloaded", lambda: [p.popen.send_signal(signal.SIGHUP) for p in (inst.core, inst.forward)])]
        for part, what, action in steps:
            while len(self.sent) < part * total:
                time.sleep(0.2)
            self.note(what)
            action()

    def kill_core(self):
        self.inst.core.kill()
        self.inst.start_core()

    def restart_core(self):
        self.inst.core.stop()
        self.inst.start_core()

    def kill_forward(self):
        self.inst.forward.kill()
        log = self.inst.folder / "forward.log"
        before = log.read_text().count(" ready ")
        self.inst.start_forward()
        self.env.until("the forwarder to be ready", lambda: log.read_text().count(" ready ") > before)

    def change_key(self):
        inst = self.inst
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-JANUAR")
        inst.ctl("keys", "publish", "--out", inst.folder / "nokler-2.xml")
        inst.key_file = inst.folder / "nokler-2.xml"

    # --- the whole of it ---
    def run(self):
        inst, options = self.inst, self.options
        work = list(enumerate(sizes(options.kommuner, options.big, options.small, self.draw)))
        self.draw.shuffle(work)
        total = len(work)
        self.begun = time.monotonic()
        inst.start()
        watch = Watch(inst)
        watch.start()
        threads = [threading.Thread(target=self.operator, args=(work,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        # Here, not in a thread: what it starts dies with the thread that started it.
        self.trouble(total)
        for thread in threads:
            thread.join()
        sent = time.monotonic() - self.begun
        self.note(f"{total} messages are handed over")
        self.env.until("all to be delivered", lambda: inst.ask("status")["messages"]["delivered"] >= total, options.most)
        done = time.monotonic() - self.begun
        watch.ended.set()
        watch.join()
        return self.judge(total, sent, done, watch)

    def judge(self, total, sent, done, watch):
        names = [m["navn"] for m in self.inst.register_list()]
        rows = self.inst.ask("queue list", limit=100_000)["messages"]
        state = {r["state"] for r in rows}
        core, forward = watch.peaks("core"), watch.peaks("forward")
        log = (self.inst.folder / "register-IPLOS.log").read_text()
        accepted = log.count("message accepted")
        halves = {name: watch.halves(name) for name in watch.seen}
        checks = {
            "every message is delivered": len(rows) == total and state == {"delivered"},
            "the register has each once": len(names) == len(set(names)) == total,
            "and took effect once": accepted == total,
            "the journal is whole": self.inst.ctl("journal", "check", json_output=True)["good"],
            "the audit log verifies": self.inst.ctl("audit", "verify", json_output=True)["entries"] > total,
            "memory is bounded (under 400 MB, whatever the sizes)": max(core["rss"], forward["rss"]) < 400e6,
            "descriptors are bounded (under 300)": max(core["fds"], forward["fds"]) < 300,
            "memory is flat (second half of the last run: at most a quarter and 16 MB above its first)":
                all(later[0] <= 1.25 * early[0] + 16e6 for early, later in halves.values()),
            "descriptors are flat (the same: at most 20 more)": all(later[1] <= early[1] + 20 for early, later in halves.values()),
        }
        lines = [f"# A January, {time.strftime('%Y-%m-%d')}", "",
                 f"{total} municipalities, {self.bytes / 1e9:.2f} GB encrypted, {self.persons} persons; two operators, one register.",
                 f"Handed over in {sent:.0f} s (encryption by the same two cores included), all delivered after {done:.0f} s: "
                 f"{total / done * 3600:.0f} messages and {self.bytes / 1e9 / done * 3600:.1f} GB an hour.",
                 f"Hand-overs tried again because the core was down: {self.refused}.", f"Most of the disk in use at once: spool {watch.spool / 1e9:.2f} GB, journal and logs {watch.journal / 1e6:.0f} MB.", "",
                 "| process | most memory | most descriptors | last run, first half | second half |", "|---|---|---|---|---|",
                 *(f"| {title} | {most['rss'] / 1e6:.0f} MB | {most['fds']} | " + " | ".join(f"{rss / 1e6:.0f} MB, {fds}" for rss, fds in halves[name]) + " |"
                   for title, name, most in (("tpfd", "core", core), ("tpf-forward", "forward", forward))), "",
                 *(f"- {'ok' if good else 'FAILED'}: {what}" for what, good in checks.items()), "", "```", *self.events, "```", ""]
        text = "\n".join(lines)
        Path(self.options.out).write_text(text)
        print(text)
        return all(checks.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--kommuner", type=int, default=356)
    parser.add_argument("--big", type=float, default=50, help="MB of content of the biggest tenth")
    parser.add_argument("--small", type=float, default=5, help="MB, the most of the others")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=float, default=3600, help="seconds to wait at the end")
    parser.add_argument("--out", default="build/januar.md")
    options = parser.parse_args()
    os.environ["TPF_BIN"] = str(Path(options.bin).resolve())
    import env
    template = tempfile.mkdtemp(prefix="tpf-januar-")
    januar, good = None, False
    try:
        os.environ["TPF_SYSTEM_TEMPLATE"] = template
        env.make_template(template)
        januar = Januar(env, options)
        good = januar.run()
    finally:
        if januar and good:
            januar.inst.remove()
        elif januar:
            januar.inst.stop()
            print(f"kept: {januar.inst.folder}")
        shutil.rmtree(template, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
