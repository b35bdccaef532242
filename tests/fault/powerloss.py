#!/usr/bin/python3
"""Power cuts on a real file system: the load through the real programs under user-mode-linux, on a device whose every write
is recorded; then the device as it was at each flush, around each acknowledgement and in between, each recovered and judged.

  powerloss.py [--bin DIR] [--long] [--points N] [--messages N] [--seed S] [--jobs J] [--rest SECONDS] [--keep DIR]
  powerloss.py [--bin DIR] --again DIR/RECORDING [--only AFTER]     a kept recording, or one point of it

Points: "flush", after each write that carries FLUSH or FUA: what is durable then, and nothing else; "acknowledged", after
each moment in which somebody was told something; "torn": of the writes that wait for the next flush a random half is on the
disk, one of them by half of its sectors. --points 0: all of them; else so many, evenly over the recordings. --long: all of
them, on both file systems, with and without retention.
powerloss_record.py and powerloss_replay.py say what is done inside."""

import argparse
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import load  # noqa: E402
import uml  # noqa: E402
import write_log  # noqa: E402

SIZES = {"ext4": 192 << 20, "xfs": 320 << 20}  # mkfs.xfs makes none under 300 MB
LOG = 2 << 30
CHUNK = 120  # points that one machine does
KINDS = ("flush", "acknowledged", "torn")
TELLING = ("acknowledged", "stored", "told")
# File system, payloads of what was delivered are kept, faults of the register.
RECORDINGS = {
    "ext4-kept": ("ext4", True, ()),
    "xfs-removed": ("xfs", False, ("lost:15%", "503:10%")),
    "ext4-removed": ("ext4", False, ("lost:15%", "503:10%")),
    "xfs-kept": ("xfs", True, ()),
}


def make_messages(template, count, seed):
    """Mixed sizes, through both sources, some bad, some handed over twice."""
    maker, chance, messages = load.Maker(template, seed=seed), random.Random(seed), []
    for number in range(count):
        source = "oslo" if number % 4 == 3 else "operator"
        if number % 9 == 5:
            messages.append(maker.bad(source))
            continue
        size = chance.randrange(200_000, 900_000) if number % 12 == 7 else chance.randrange(0, 40_000)
        message = maker.good(persons=chance.randrange(1, 12), size=size, source=source)
        message.copies = 2 if number % 6 == 2 and source == "operator" else 1
        messages.append(message)
    return messages


def plan(listed, meaning, seed):
    """Points of a recording, in the log's order: each a dict for powerloss_replay.py."""
    chance, points, batch = random.Random(seed), [], []
    first = next(i for i, e in enumerate(listed) if e.mark == "start")
    last = next(i for i, e in enumerate(listed) if e.mark == "end")
    for number in range(first, last):
        entry = listed[number]
        if entry.pending:
            batch.append(number)
            continue
        if entry.durable:
            if batch:
                torn = [[n, False] for n in batch if chance.random() < 0.5] or [[batch[0], False]]
                torn[chance.randrange(len(torn))][1] = True
                points.append({"kind": "torn", "after": batch[0] - 1, "torn": torn})
            points.append({"kind": "flush", "after": number})
        elif entry.mark and meaning.get(entry.mark, [""])[0] in TELLING:
            # Nothing was written between two marks: the later one demands more of the same state.
            if points and points[-1]["kind"] == "acknowledged" and not any(e.length for e in listed[points[-1]["after"]:number]):
                points.pop()
            points.append({"kind": "acknowledged", "after": number})
        batch = []
    return points


def thin(points, wanted):
    """So many of them, evenly; of those at an acknowledgement as many as make a third."""
    if not wanted or wanted >= len(points):
        return points
    spread = lambda listed, count: [listed[int((i + 0.5) * len(listed) / count)] for i in range(min(count, len(listed)))]
    told = [p for p in points if p["kind"] == "acknowledged"]
    told = spread(told, min(len(told), wanted // 3))
    chosen = told + spread([p for p in points if p["kind"] != "acknowledged"], wanted - len(told))
    return sorted(chosen, key=points.index)


class Session:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.faults, self.counts, self.seconds, self.states = [], {}, [], 0

    def record(self, name):
        kind, retention, faults = RECORDINGS[name]
        messages = make_messages(self.folder / "template", self.options.messages, self.options.seed + len(name))
        (self.folder / f"{name}.messages").write_text("".join(m.to_json() + "\n" for m in messages))
        disks = [self.folder / f"{name}.{part}" for part in ("disk", "log")]
        for disk, size in zip(disks, (SIZES[kind], LOG)):
            disk.touch()
            os.truncate(disk, size)
        began = time.monotonic()
        job = {"name": name, "kind": kind, "retention": retention, "faults": faults}
        machine = uml.Machine(self.folder, name, "powerloss_record", job, self.options.bin, disks)
        if not machine.wait(900):
            self.faults.append(f"{name}: not recorded: {machine.said()}")
            print(f"FAILED {self.faults[-1]}", flush=True)
            return []
        return self.recorded(name, f"{len(messages)} messages in {time.monotonic() - began:.0f} s")

    def recorded(self, name, how):
        with open(self.folder / f"{name}.log", "rb") as log:
            listed = write_log.entries(log)
        points = plan(listed, json.loads((self.folder / f"{name}.marks").read_text()), self.options.seed)
        print(f"  {name}: {how}, {len(listed)} writes, {len(points)} points", flush=True)
        return points

    def replay(self, name, chunk, points):
        """One machine's share."""
        out = f"{name}-{chunk}"
        kind, retention, _ = RECORDINGS[name]
        base = self.folder / f"{out}.base"
        base.touch()
        os.truncate(base, SIZES[kind])
        job = {"name": name, "kind": kind, "retention": retention, "out": out, "points": points, "rest": self.options.rest,
               "most_bad": self.options.most_bad}
        machine = uml.Machine(self.folder, out, "powerloss_replay", job, self.options.bin, [base])
        whole = machine.wait(120 + len(points) * (10 + self.options.rest / 4))
        results = self.folder / f"{out}.results"
        done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
        base.unlink()
        faults = [] if whole else [f"{out}: the machine ended after {len(done)} of {len(points)} points: {machine.said()}"]
        return name, done, faults

    def note(self, name, done, faults):
        self.faults += faults
        for result in done:
            point = result["point"]
            key = (name, point["kind"])
            self.counts[key] = self.counts.get(key, 0) + 1
            self.seconds.append(result["seconds"])
            self.states += result["new"]
            if result["faults"]:
                where = f"{name}, {point['kind']}, after write {point['after']}"
                self.faults.append(where + "".join(f"\n    {f}" for f in result["faults"][:8]))
                self.keep(name)

    def keep(self, name):
        """The recording, for --again, and what was left at the bad points of the share that was done first."""
        target = Path(self.options.keep) / f"powerloss-{name}"
        if self.options.keep and not target.exists():
            target.mkdir(parents=True)
            copy([*self.folder.glob(f"{name}.*"), self.folder / "template"], target)

    def run(self):
        options = self.options
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            names = options.recordings
            planned = dict(zip(names, pool.map(self.record, names)))
            self.run_points(pool, {name: thin(points, -(-options.points // len(names))) for name, points in planned.items()})

    def run_points(self, pool, planned):
        # Small shares when there are few points, so that every processor has its part.
        size = max(1, min(CHUNK, -(-sum(map(len, planned.values())) // self.options.jobs)))
        shares = [pool.submit(self.replay, name, number, points[number:number + size])
                  for name, points in planned.items() for number in range(0, len(points), size)]
        for share in concurrent.futures.as_completed(shares):
            before = len(self.faults)
            self.note(*share.result())
            for fault in self.faults[before:before + 10]:
                print(f"FAILED {fault}", flush=True)
            print(f"  {sum(self.counts.values())} of {sum(map(len, planned.values()))} points", flush=True)

    def again(self, recording, only):
        name = recording.name.removeprefix("powerloss-")
        shutil.rmtree(self.folder / "template")
        copy(recording.iterdir(), self.folder)
        points = [p for p in self.recorded(name, "recorded before") if not only or p["after"] in only]
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            self.run_points(pool, {name: points})


def copy(paths, target):
    """Files with large holes among them."""
    subprocess.run(["cp", "-r", "--sparse=always", *map(str, paths), str(target)], check=True)


def report(session, began):
    def count(system, *kinds):
        return sum(n for (name, kind), n in session.counts.items() if name.startswith(system) and (not kinds or kind in kinds))
    each = sum(session.seconds) / max(len(session.seconds), 1)
    systems = (f"{s} {count(s)} (" + ", ".join(f"{kind} {count(s, kind)}" for kind in KINDS) + ")" for s in SIZES)
    print(f"power loss: {count('')} points: " + ", ".join(systems) + f"; {session.states} states after recovery, {len(session.faults)} broken, "
          f"{each:.2f} s a point, {time.monotonic() - began:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--points", type=int, default=220)
    parser.add_argument("--messages", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--rest", type=float, default=60, help="seconds within which all must be at rest after a cut")
    parser.add_argument("--most-bad", type=int, default=10, help="a machine with so many bad points does no more")
    parser.add_argument("--recordings", nargs="*", default=list(RECORDINGS)[:2], choices=RECORDINGS)
    parser.add_argument("--again", type=Path)
    parser.add_argument("--only", type=int, nargs="*")
    parser.add_argument("--keep", default="")
    options = parser.parse_args()
    if options.long:
        options.points, options.recordings = 0, list(RECORDINGS)
    began = time.monotonic()
    with harness.work_folder(options.bin) as folder:
        if why := uml.missing(folder, options.bin):
            print(f"SKIPPED: powerloss: {why}")
            return 0
        session = Session(folder, options)
        session.again(options.again, options.only) if options.again else session.run()
        report(session, began)
    return 1 if session.faults else 0


if __name__ == "__main__":
    sys.exit(main())
