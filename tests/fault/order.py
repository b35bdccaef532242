#!/usr/bin/python3
"""The order of syncs, judged on strace's record of a real run: what a killed process cannot show, since the kernel keeps
what was written, and what a power cut would take. order.py [--bin DIR] [--keep DIR]

Rules (docs/spool-format.md, docs/reliability.md):
 1. A file that was written is synced before it, or the folder it lies in, is renamed into place; so is that folder.
 2. After a rename into place the folder it went to is synced.
 3. Nothing is acknowledged before that: no answer to tpfctl, no removal from the drop folder, no answer to the forwarder.
 4. The journal's commits are synced before a folder follows them, before an answer is written for the sender, and before a
    register's answer is removed.
 5. An output is synced, with its folders, before the commit that speaks of it."""

import argparse
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import env  # noqa: E402
import judge  # noqa: E402
import load  # noqa: E402
import syscalls  # noqa: E402

CALLS = "openat,creat,mkdir,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,unlink,sendto,sendmsg,ftruncate"
PLACES = re.compile(r"/(inbox/new|outbox|receipts/new|meldinger|kvittering/[^/]+|receipts)/[^/]+$")
SYNCS, WRITES = ("fsync", "fdatasync"), ("write", "pwrite64", "writev", "ftruncate")
DESCRIPTOR = re.compile(r"^-?\d+<(.*?)>(?:,|$|\))")


@dataclass
class Event:
    call: str
    thread: str
    begin: int
    end: int = 0
    text: str = ""
    paths: list = field(default_factory=list)
    worked: bool = False


def read_trace(path):
    """The calls that succeeded, each with the lines at which it began and ended."""
    events, open_calls = [], {}
    for number, line in enumerate(Path(path).read_text(errors="replace").splitlines(), 1):
        thread, _, rest = line.partition(" ")
        rest = rest.strip()
        if resumed := re.match(r"<\.\.\. (\w+) resumed>(.*)", rest):
            event = open_calls.pop(thread, None)
            if event:
                event.text += resumed.group(2)
                _finish(event, number, events)
        elif begun := re.match(r"(\w+)\((.*)", rest):
            event = Event(begun.group(1), thread, number, text=begun.group(2))
            if event.text.endswith("<unfinished ...>"):
                event.text = event.text.removesuffix("<unfinished ...>").strip()
                open_calls[thread] = event
            else:
                _finish(event, number, events)
    return sorted(events, key=lambda e: e.begin)


def _finish(event, number, events):
    event.end = number
    result = re.search(r"\) += (-?\d+)", event.text)
    event.worked = result is not None and int(result.group(1)) >= 0
    if event.call in ("rename", "renameat", "renameat2", "unlink", "mkdir"):
        event.paths = re.findall(r'"(/[^"]*)"', event.text)
    elif event.call in ("openat", "creat"):
        event.paths = re.findall(r'"(/[^"]*)"', event.text)[:1]
    elif descriptor := DESCRIPTOR.match(event.text):
        event.paths = [descriptor.group(1)]
    if event.worked and event.paths:
        events.append(event)


class Order:
    def __init__(self, name, events):
        self.name, self.events, self.faults, self.checked = name, events, [], {}

    def demand(self, rule, condition, text):
        self.checked[rule] = self.checked.get(rule, 0) + 1
        if not condition:
            self.faults.append(f"{self.name}: rule {rule}: {text}")

    def synced(self, path, after, before):
        """A sync of `path` that began after line `after` and ended before line `before`."""
        return any(e.call in SYNCS and e.paths[0] == path and e.begin > after and e.end < before for e in self.events)

    def last(self, calls, match, before):
        return max((e.end for e in self.events if e.call in calls and e.begin < before and match(e.paths[0])), default=0)

    def run(self):
        for event in self.events:
            if event.call.startswith("rename") and len(event.paths) == 2:
                self.rename(event)
            if event.call == "unlink" and "/receipts/new/" in event.paths[0]:
                self.journal_synced(event, "a register's answer is removed")
            if event.call == "unlink" and "/drop/" in event.paths[0]:
                self.journal_free_hand_over(event)
        return self.faults

    def rename(self, event):
        source, target = event.paths
        if PLACES.search(target):
            self.contents_synced(event, source)
            self.target_synced(event, target)
        folders = ("/inbox/new/", "/work/", "/outbox/", "/quarantine/")
        if self.name == "tpfd" and any(f in source for f in folders) or "/kvittering/" in target:
            self.journal_synced(event, f"{_short(source)} becomes {_short(target)}")
        if "/outbox/" in target:
            self.output_before_commit(event, source)

    def contents_synced(self, event, source):
        written = {e.paths[0] for e in self.events if e.call in WRITES and e.begin < event.begin
                   and (e.paths[0] == source or e.paths[0].startswith(source + "/"))}
        for path in sorted(written):
            after = self.last(WRITES, lambda p: p == path, event.begin)
            self.demand(1, self.synced(path, after, event.begin), f"{_short(path)} is renamed into place and not synced")
        made = self.last(("openat", "creat"), lambda p: p.startswith(source + "/"), event.begin)
        if made and source not in written:
            self.demand(1, self.synced(source, made, event.begin), f"folder {_short(source)} is renamed into place and not synced")

    def target_synced(self, event, target):
        parent = os.path.dirname(target)
        self.demand(2, self.synced(parent, event.end, sys.maxsize), f"{_short(parent)} is not synced after {_short(target)} came")
        if "/inbox/new/" in target or "/meldinger/" in target:
            sends = [e for e in self.events if e.call in ("sendto", "sendmsg", "write") and e.begin > event.end
                     and re.match(r"(UNIX|TCP)", e.paths[0]) and (e.thread == event.thread or "/meldinger/" in target)]
            if sends:
                self.demand(3, self.synced(parent, event.end, sends[0].begin), f"{_short(target)} is acknowledged before {_short(parent)} is synced")

    def journal_free_hand_over(self, event):
        came = [e for e in self.events if e.call.startswith("rename") and "/inbox/new/" in e.paths[-1] and e.thread == event.thread
                and e.end < event.begin]
        parent = os.path.dirname(came[-1].paths[-1]) if came else ""
        self.demand(3, came and self.synced(parent, came[-1].end, event.begin), "a dropped file is removed before its hand-over is synced")

    def journal_synced(self, event, what):
        wal = lambda p: p.endswith("journal.db-wal")
        after = self.last(("pwrite64", "write"), wal, event.begin)
        paths = {e.paths[0] for e in self.events if wal(e.paths[0])}
        self.demand(4, any(self.synced(p, after, event.begin) for p in paths), f"{what} before the journal's commit is synced")

    def output_before_commit(self, event, source):
        """The last sync of the journal before the rename is the commit's; all four came before it."""
        commits = [e for e in self.events if e.call in SYNCS and e.paths[0].endswith("journal.db-wal") and e.end < event.begin]
        for path in (f"{source}/melding.xml", f"{source}/post.json", f"{source}/pseudonymer", source, os.path.dirname(source)):
            made = self.last(("openat", "creat", "mkdir"), lambda p: p.startswith(source), event.begin)
            after = 0 if path.endswith((".xml", ".json", "/pseudonymer")) else made
            self.demand(5, commits and self.synced(path, after, commits[-1].begin), f"{_short(path)} is not synced before its commit")


def _short(path):
    return harness.without_ids("/".join(path.split("/")[-3:]))


def trace_run(keep):
    """A good, a bad and a dropped message, one after another, all three programs under strace. {program: events}."""
    stage = harness.Stage(sources=syscalls.DROP, sections="[workers]\npoll_seconds = 1")
    maker = load.Maker(stage.template)
    messages = [maker.good(), maker.bad(), maker.good(source="oslo"), maker.good()]
    (stage.folder / "drop").mkdir()
    traces = {program: stage.folder / f"{program}.trace" for program in stage.PROGRAMS}
    try:
        for program, path in traces.items():
            # -D: the program stays our child, so that signals reach it.
            stage.wrap[program] = ["strace", "-D", "-f", "-yy", "-s", "32", "-e", f"trace={CALLS}", "-o", path, "--"]
        for message in messages:
            def turn():
                stage.supervise()
                if message.source == "operator":
                    done = bool(message.acknowledged) or (stage._answers() and stage.hand_over(message))
                else:
                    if not message.attempts:
                        stage.drop(message)
                    done = stage.dropped(message)
                return done and stage.at_rest(messages)
            if not harness.until(turn):
                raise AssertionError("the traced run did not come to rest: " + stage.log_tail("core.log"))
        stage.stop_all()
        for program, path in traces.items():
            harness.until(lambda: "+++ exited" in path.read_text(errors="replace").splitlines()[-1], 20)
        faults = judge.judge(stage.place(), messages)
        events = {program: read_trace(path) for program, path in traces.items()}
        if keep:
            harness.keep(stage, "order", keep)
        return events, faults
    finally:
        stage.remove_now()


def check(keep=""):
    """(faults, {rule: how often it was checked})."""
    events, faults = trace_run(keep)
    checked = {}
    for program, listed in events.items():
        order = Order(syscalls.NAMES[program], listed)
        faults += order.run()
        for rule, count in order.checked.items():
            checked[rule] = checked.get(rule, 0) + count
    # Rules that had nothing to say prove nothing.
    faults += [f"rule {rule} was never checked" for rule in range(1, 6) if not checked.get(rule)]
    return faults, checked


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--keep", default="")
    options = parser.parse_args()
    if not harness.can_trace("order", "strace"):
        return 0
    with harness.work_folder(options.bin):
        faults, checked = check(options.keep)
    for fault in faults:
        print(f"FAILED {fault}")
    print("order of syncs: " + ", ".join(f"rule {rule} checked {count} times" for rule, count in sorted(checked.items()))
          + f", {len(faults)} broken")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
