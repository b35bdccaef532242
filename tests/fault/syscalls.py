#!/usr/bin/python3
"""Fails, cuts short or kills at every system call of the file and sync family on a message's way, and at every send.

  syscalls.py [--bin DIR] [--jobs N] [--scenario NAME]… [--victim PROGRAM]… [--only TEXT] [--all] [--limit N] [--keep DIR] [-v]

For each scenario and program a run under tpf-inject (inject.cpp says why not strace) lists the calls on the
installation's files; then each of them is the point of runs of its own, in which it kills the program, fails, or does
half. What has ended is started again as systemd would; the sender sends again what was not acknowledged; when all is at
rest, judge.py judges. A program that survived an error has to go on by itself."""

import argparse
import concurrent.futures
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import env  # noqa: E402
import judge  # noqa: E402
import load  # noqa: E402

VICTIMS = ("core", "forward", "register", "ctl")
NAMES = {"core": "tpfd", "forward": "tpf-forward", "register": "tpf-register", "ctl": "tpfctl"}
WRITES = {"create", "creat", "write", "pwrite64", "writev", "pwritev", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "link",
          "linkat", "fsync", "fdatasync", "ftruncate", "fallocate"}
HALVES = {"read", "pread64", "write", "pwrite64"}
# Folders are looked at again and again, how often depends on time: of equal looks the first ones are points. So with reads, of
# a file that whoever waits reads in each round, and with the core's answers to whoever asks whether all is done.
LOOKS = 3
READS = 8
SENDS = 16


# --- scenarios: what lies there at the start, and what is handed over ---

def empty(stage, maker):
    return [maker.good()]


def quarantined(stage, maker):
    return [maker.bad()]


def sent_twice(stage, maker):
    message = maker.good()
    message.copies = 2
    return [message]


def dropped(stage, maker):
    (stage.folder / "drop").mkdir(exist_ok=True)
    return [maker.good(source="oslo")]


def halfway(stage, maker):
    """What crashes leave in every state; made once by make_halfway()."""
    source = stage.template / "halfway"
    for part in ("spool", "journal", "store-IPLOS"):
        shutil.rmtree(stage.folder / part, ignore_errors=True)
        shutil.copytree(source / part, stage.folder / part)
    return [load.Message.from_json(line) for line in (source / "messages").read_text().splitlines()]


DROP = {"oslo": f'kind = "drop"\npath = "{{folder}}/drop"\nsender = "{env.SENDER}"\nsettle_seconds = 0'}
SCENARIOS = {
    "way": (empty, VICTIMS, {}),
    "quarantine": (quarantined, ("core",), {}),
    "twice": (sent_twice, ("core",), {}),
    "drop": (dropped, ("core",), {"sources": DROP, "sections": "[workers]\npoll_seconds = 1\n[retention]\ndelivered_days = 0"}),
    "recovery": (halfway, ("core", "forward", "register"), {}),
}


def make_halfway(template):
    """Message by message into a state in which the folders are behind the journal, or something half-done lies about."""
    stage = harness.Stage()
    maker = load.Maker(template)
    try:
        delivered, bad, committed, unpublished, claimed = maker.good(), maker.bad(), maker.good(), maker.good(), maker.good()
        # The sixth claim's move is not made: the core dies between journal and folder.
        stage.wrap["core"] = inject(stage, "--at", "renameat2 spool/inbox/new/ID>spool/work/ID 6", "--action", "kill", "--fired", stage.folder / "fired")
        for program in ("register", "core"):
            stage.launch(program)
        env.until("the core to answer", stage._answers)
        stage.launch("forward")
        for message in (delivered, bad):
            assert stage.hand_over(message)
        env.until("both at their end", lambda: stage.at_rest([]))
        assert stage.hand_over(delivered)
        env.until("the duplicate's end", lambda: stage.at_rest([]))
        stage.running.pop("forward").stop()
        for message in (committed, unpublished):
            assert stage.hand_over(message)
            stage.wait_state(message.acknowledged[0], "committed")
        env.until("both outputs", lambda: len(stage.entries("outbox")) == 2)
        assert stage.hand_over(claimed)
        stage.running["core"].wait()
        stage.running.clear()
        _lay_halfway(stage, delivered, bad, committed, unpublished, claimed)
        target = Path(template) / "halfway"
        target.mkdir()
        for part in ("spool", "journal", "store-IPLOS"):
            shutil.copytree(stage.folder / part, target / part)
        (target / "messages").write_text("".join(m.to_json() + "\n" for m in (delivered, bad, committed, unpublished, claimed)))
    finally:
        stage.remove_now()


def _lay_halfway(stage, delivered, bad, committed, unpublished, claimed):
    spool = stage.spool
    first = lambda message: message.acknowledged[0]
    (spool / "outbox" / first(unpublished)).rename(spool / "work" / (first(unpublished) + ".ut"))
    stage.launch("register")
    env.until("the register", lambda: (stage.folder / "port-IPLOS").exists())
    assert stage.start_forward("--drain").wait() == 0  # its answer waits for the core
    stage.stop_all()
    assert stage.entries("receipts/new") == [first(committed)]
    (spool / "work" / (first(delivered) + ".ut")).rename(spool / "outbox" / first(delivered))
    (spool / "quarantine" / first(bad)).rename(spool / "work" / first(bad))
    assert (spool / "inbox/new" / first(claimed)).is_dir()
    unfinished = spool / "work" / (first(claimed) + ".ut")
    unfinished.mkdir()
    (unfinished / "melding.xml").write_bytes(b"<half")
    for folder, name in ((spool / "inbox/tmp", "innsending.xml"), (spool / "receipts/tmp", "svar.json")):
        half = folder / str(uuid.uuid4())
        half.mkdir()
        (half / name).write_bytes(b"half")
    half = stage.store() / "tmp/7"
    half.mkdir()
    (half / "melding.xml").write_bytes(b"<half")


def inject(stage, *arguments):
    return [env.BIN / "tpf-inject", "--root", stage.folder, *arguments, "--"]


# --- one run ---

@dataclass
class Run:
    scenario: str
    victim: str
    point: str = ""
    action: str = ""
    fired: bool = False
    faults: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    lives: int = 1  # of the victim
    seconds: float = 0.0
    kept: str = ""

    @property
    def name(self):
        return f"{self.scenario}/{NAMES[self.victim]}: {self.action or 'count'} at {self.point}"


class Play:
    def __init__(self, run):
        self.run = run
        setup, _, settings = SCENARIOS[run.scenario]
        self.stage = harness.Stage(**settings)
        self.messages = setup(self.stage, load.Maker(self.stage.template, seed=7))
        self.marker, self.log = self.stage.folder / "fired", self.stage.folder / "calls"
        if run.point:
            arguments = ("--at", run.point, "--action", run.action, "--fired", self.marker)
        else:
            arguments = ("--log", self.log)
        self.stage.wrap[run.victim] = inject(self.stage, *arguments)

    def hand_over(self):
        """Message after message, each until it is acknowledged as often as is wanted. Whether all is done."""
        for message in self.messages:
            if len(message.acknowledged) >= message.copies:
                continue
            if message.source == "operator":
                return self.stage._answers() and self.stage.hand_over(message) and False
            if message.attempts == 0:
                self.stage.drop(message)
            self.operator()
            return self.stage.dropped(message) and False
        return True

    def operator(self):
        """A dropped file that could not be removed is left to whoever reads the log: a restart takes it again."""
        core = self.stage.running.get("core")
        if self.stage.wrap.get("core") and core and "cannot be removed" in self.stage.log_tail("core.log", 20):
            self.stage.wrap.pop("core")
            core.stop()

    def to_rest(self, what):
        def turn():
            self.stage.supervise()
            return self.hand_over() and self.stage.at_rest(self.messages)
        try:
            rested = harness.until(turn)
        except AssertionError as error:
            rested = None
            self.run.faults.append(f"{what}: {error}")
        if not rested:
            self.run.faults.append(f"{what}: not at rest after {harness.REST:.0f} s: {self.stage.log_tail('core.log', 2)}")
        return rested

    def stop(self, what):
        """Whether all ended as they should; a victim that met its fault may end as it likes, once."""
        first_life = bool(self.stage.wrap)
        try:
            statuses = self.stage.stop_all()
        except AssertionError as error:
            self.run.faults.append(f"{what}: {error}")
            self.stage.kill_all()
            return False
        self.stage.wrap.clear()
        well = True
        for program, status in statuses.items():
            # A program that was asked to stop before it could listen ends by the signal: nothing was begun.
            if status in (0, -15, 128 + 15):
                continue
            well = False
            if program == self.run.victim and first_life and self.marker.exists():
                self.stage.statuses[program].append(status)
            else:
                self.run.faults.append(f"{what}: {NAMES[program]} ended with {status}")
        return well

    def judged(self):
        """What the next start clears away, or moves to where it belongs, is explained; it has to, though."""
        faults = judge.judge(self.stage.place(), self.messages)
        explained = all(f.startswith("left over") or f.endswith("quarantined without its bytes") for f in faults)
        if not faults or not explained:
            return faults
        self.to_rest("one more start")
        self.stop("one more stop")
        return judge.judge(self.stage.place(), self.messages)

    def go(self):
        began = time.monotonic()
        try:
            self.to_rest("first")
            well = self.stop("stop")
            self.run.fired = self.marker.exists()
            if not well or self.run.faults:
                self.to_rest("after")
                self.stop("second stop")
            for program, statuses in self.stage.statuses.items():
                for status in statuses:
                    if status in (128 + 6, 128 + 11, -6, -11):
                        self.run.faults.append(f"{NAMES[program]} crashed with {status}")
                    elif program != self.run.victim:
                        self.run.faults.append(f"{NAMES[program]} ended by itself with {status}: {self.stage.log_tail(f'{program}.log', 1)}")
            self.run.faults += self.judged()
            self.run.lives = self.stage.started.get(self.run.victim, 0)
            if self.log.exists():
                self.run.calls = self.log.read_text().splitlines()
            if self.run.faults and KEEP:
                self.run.kept = str(harness.keep(self.stage, f"{self.run.scenario}-{abs(hash(self.run.name)) % 10**8}", KEEP))
        finally:
            self.run.seconds = time.monotonic() - began
            self.stage.remove_now()
        return self.run


KEEP = os.environ.get("TPF_FAULT_KEEP", "")


def play(run):
    try:
        return Play(run).go()
    except Exception as error:  # the harness's own trouble must not pass for a good run
        run.faults.append(f"harness: {type(error).__name__}: {error}")
        return run


# --- points ---

def points(calls):
    """["CALL PATH N"] of a counting run."""
    seen = {}
    for call in calls:
        if not call.endswith(".log"):
            seen[call] = seen.get(call, 0) + 1
    listed = []
    for call, times in seen.items():
        looks = call.split(" ")[0] in ("openat", "newfstatat", "getdents64", "statfs", "lseek", "fcntl")
        most = LOOKS if looks else READS if call.startswith("read ") else SENDS if call.endswith(" socket") else times
        listed += [f"{call} {n}" for n in range(1, min(times, most) + 1)]
    return listed


def actions(point, every=4):
    """What is done at a point. SQLite writes its pages one by one in calls that are all alike: of those each is killed at
    and fails, each `every`-th is full and cut short as well."""
    call, _, rest = point.partition(" ")
    path, _, number = rest.rpartition(" ")
    if path == "socket":
        return ["kill"]  # a broken connection is the network tests' business
    found = ["kill", "EIO"]
    if call in ("pwrite64", "pread64") and int(number) % every:
        return found
    if call in WRITES:
        found.append("ENOSPC")
    if call in HALVES:
        found.append("short")
    return found


def plan(pool, scenarios, victims, every):
    """All runs. A point that an earlier scenario has is not listed again."""
    known, runs = set(), []
    counting = [Run(s, v) for s in scenarios for v in SCENARIOS[s][1] if v in victims]
    for counted in pool.map(play, counting):
        if counted.faults:
            raise SystemExit(f"error: {counted.name} without any fault: " + "; ".join(counted.faults))
        fresh = [p for p in points(counted.calls) if (counted.victim, p) not in known]
        known |= {(counted.victim, p) for p in fresh}
        print(f"{counted.scenario + '/' + NAMES[counted.victim]:24} {len(counted.calls):5} calls, {len(fresh):4} points that are new")
        runs += [Run(counted.scenario, counted.victim, p, a) for p in fresh for a in actions(p, every)]
    return runs


def summary(done):
    table = {}
    for run in done:
        cell = table.setdefault((NAMES[run.victim], run.action), [0, 0])
        cell[0] += run.fired
        cell[1] += 1
    kinds = ("kill", "EIO", "ENOSPC", "short")
    print(f"{'fired of planned':14}" + "".join(f"{k:>14}" for k in kinds) + f"{'all':>14}")
    for program in (*NAMES.values(), "all"):
        cells = [[sum(table.get((p, k), [0, 0])[i] for p in NAMES.values() if program in (p, "all")) for i in (0, 1)] for k in kinds]
        cells.append([sum(c[i] for c in cells) for i in (0, 1)])
        if cells[-1][1]:
            print(f"{program:16}" + "".join(f"{f'{a}/{b}' if b else '-':>14}" for a, b in cells))


def main():
    global KEEP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="runs at once; they wait much of the time")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS)
    parser.add_argument("--victim", action="append", choices=VICTIMS)
    parser.add_argument("--only", default="", help="points whose text has this; \"ACTION@TEXT\" for one action")
    parser.add_argument("--all", action="store_true", help="every action at SQLite's page writes too, not only at each fourth")
    parser.add_argument("--limit", type=int, default=0, help="end after so many failures")
    parser.add_argument("--keep", default="", help="where installations of failed runs are kept")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    if not harness.can_trace("syscalls"):
        return 0
    os.environ["TPF_FAULT_KEEP"] = KEEP = options.keep
    began = time.monotonic()
    with harness.work_folder(options.bin) as folder:
        make_halfway(folder / "template")
        with concurrent.futures.ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
            return fire(pool, options, began)


def fire(pool, options, began):
    runs = plan(pool, options.scenario or SCENARIOS, options.victim or VICTIMS, 1 if options.all else 4)
    action, _, text = options.only.rpartition("@")
    runs = [r for r in runs if text in r.point and action in ("", r.action)]
    print(f"{len(runs)} runs", flush=True)
    done, bad, missed = [], [], []
    waiting = {pool.submit(play, r) for r in runs}
    again = set()
    while waiting:
        ended, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
        for future in ended:
            run = future.result()
            if not run.fired and not run.faults and run.name not in again:
                again.add(run.name)  # how often a folder is looked at depends on time: a second chance
                waiting.add(pool.submit(play, Run(run.scenario, run.victim, run.point, run.action)))
                continue
            done.append(run)
            if run.faults:
                bad.append(run)
                print(f"FAILED {run.name}" + "".join(f"\n    {f}" for f in run.faults) + (f"\n    kept in {run.kept}" if run.kept else ""), flush=True)
            elif not run.fired:
                missed.append(run)
            if options.verbose:
                print(f"{run.seconds:5.1f} s {'' if run.fired else 'NOT FIRED '}{run.name}", flush=True)
            if len(done) % 250 == 0:
                print(f"  {len(done)} of {len(runs)} runs, {time.monotonic() - began:.0f} s", flush=True)
        if options.limit and len(bad) >= options.limit:
            for future in waiting:
                future.cancel()
            break
    summary(done)
    for run in missed:
        print(f"did not come up again: {run.name}")
    print(f"every system call: {sum(r.fired for r in done)} points fired in {len(done)} runs, {len(bad)} failed, "
          f"{len(missed)} did not come up, {time.monotonic() - began:.0f} s")
    # A harness that fires at next to nothing proves nothing.
    return 1 if bad or len(missed) > len(done) // 20 else 0


if __name__ == "__main__":
    sys.exit(main())
