#!/usr/bin/python3
"""kill -9 at random moments, again and again, under a load of mixed sizes, with a register and a network that do everything
a sender must survive.

  kills.py [--bin DIR] [--kills N] [--minutes M] [--seed S] [--round R] [--jobs J] [--keep DIR]

A round is a fresh installation, its own draw of settings and faults, KILLS_A_ROUND kills, then rest and the judge. Round R
of a seed draws the same again (times differ: the machine's). A round that fails is kept whole and named."""

import argparse
import concurrent.futures
import multiprocessing
import os
import random
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import env  # noqa: E402
import judge  # noqa: E402
import load  # noqa: E402
import syscalls  # noqa: E402
from proxy import WHOLE, Plan, Proxy  # noqa: E402

KILLS_A_ROUND = 100
FORWARD = "connect_seconds = 1\nhandshake_seconds = 2\nsend_stall_seconds = 2\nanswer_seconds = 2"
FAULTS = ("500:4%", "503:4%", "429:4%", "wrong-digest:4%", "wrong-signature:4%", "lost:6%", "cut:6%", "slow:4%", "hang:1%")


@dataclass
class Round:
    seed: int
    number: int
    kills: dict = field(default_factory=lambda: dict.fromkeys(("core", "forward", "register"), 0))
    messages: int = 0
    bytes: int = 0
    connections: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    seconds: float = 0.0
    kept: str = ""


class Loop:
    def __init__(self, outcome, wanted):
        self.outcome, self.wanted = outcome, wanted
        self.chance = random.Random(outcome.seed * 1_000_003 + outcome.number)
        retention = "[retention]\ndelivered_days = 0" if outcome.number % 2 else ""
        self.stage = harness.Stage(sources=syscalls.DROP, sections="[workers]\npoll_seconds = 1\n" + retention, forward_settings=FORWARD)
        (self.stage.folder / "drop").mkdir()
        self.stage.faults = FAULTS
        self.maker = load.Maker(self.stage.template, seed=outcome.number + 1)
        self.messages = []
        self.proxy = Proxy(self.stage.ports["IPLOS"], self.plan)
        self.stage.through = self.proxy.port
        self.stage.write_config()

    def plan(self, _):
        chance = random.Random(self.chance.random())
        return chance.choice([
            WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE,
            Plan("cut up", cut_up=chance.randrange(1, 40_000)), Plan("cut down", cut_down=chance.randrange(1, 4000)),
            Plan("reset", cut_up=chance.randrange(1, 40_000), reset=True), Plan("delay", delay=chance.uniform(0, 0.3)),
            Plan("dribble", piece=chance.randrange(50, 2000), pause=0.0005), Plan("damage", damage_up=chance.randrange(1, 40_000))])

    def next_message(self):
        """Most are small; now and then one of some MB; some that must end in quarantine; some sent twice."""
        draw = self.chance.random()
        source = self.chance.choice(("operator", "oslo"))
        if draw < 0.1:
            return self.maker.bad(source)
        if draw < 0.15:
            return self.maker.good(persons=4, size=self.chance.randrange(1_000_000, 4_000_000), source=source)
        message = self.maker.good(persons=self.chance.randrange(1, 20), size=self.chance.randrange(0, 60_000), source=source)
        message.copies = 2 if draw > 0.9 and source == "operator" else 1
        return message

    def hand_over(self, message):
        if message.source != "operator":
            if not message.attempts:
                self.stage.drop(message)
            self.stage.dropped(message)
        elif len(message.acknowledged) < message.copies:
            message.attempts += 1
            try:
                message.acknowledged.append(self.stage.submit(message.data))
            except (OSError, ValueError, env.CoreError):
                pass  # not acknowledged: the sender sends again

    def kill_one(self):
        program = self.chance.choice(("core", "core", "forward", "register"))
        process = self.stage.running.get(program)
        if process and process.running:
            process.kill()
            self.outcome.kills[program] += 1

    def storm(self):
        waiting = []
        while sum(self.outcome.kills.values()) < self.wanted:
            self.stage.supervise()
            if len(waiting) < 8:
                self.messages.append(self.next_message())
                waiting.append(self.messages[-1])
            for message in waiting:
                self.hand_over(message)
            waiting = [m for m in waiting if len(m.acknowledged) < m.copies]
            # Any moment is as good as another; a start has to come about now and then.
            time.sleep(self.chance.choice((0.0, 0.02, 0.1, 0.25, 0.5)) * self.chance.random())
            self.kill_one()

    def calm(self):
        def turn():
            self.stage.supervise()
            unacknowledged = [m for m in self.messages if len(m.acknowledged) < m.copies]
            for message in unacknowledged:
                self.hand_over(message)
            return not unacknowledged and self.stage.at_rest(self.messages)
        if not harness.until(turn, 2 * harness.REST, 0.05):
            self.outcome.faults.append("not at rest: " + self.stage.log_tail("core.log", 3))

    def judged(self):
        outcome = self.outcome
        for program, statuses in self.stage.statuses.items():
            # The kills of storm() end a program too: -9. Anything else it did by itself.
            outcome.faults += [f"{program} ended by itself with {s}" for s in statuses if s != -9]
        outcome.faults += [f"{p} ended with {s}" for p, s in self.stage.stop_all().items() if s not in (0, -15)]
        outcome.faults += judge.judge(self.stage.place(), self.messages)
        accepted = re.findall(r"message accepted name=(\S+)", (self.stage.folder / "register.log").read_text(errors="replace"))
        outcome.faults += [f"the register accepted {n} more than once" for n in {n for n in accepted if accepted.count(n) > 1}]
        outcome.messages, outcome.bytes = len(self.messages), sum(len(m.data) for m in self.messages)
        for plan in self.proxy.served:
            outcome.connections[plan.name] = outcome.connections.get(plan.name, 0) + 1

    def go(self):
        began = time.monotonic()
        try:
            self.storm()
            self.calm()
            self.judged()
            if self.outcome.faults and os.environ.get("TPF_FAULT_KEEP"):
                (self.stage.folder / "messages.json").write_text("\n".join(m.to_json() for m in self.messages))
                self.outcome.kept = str(harness.keep(self.stage, f"kills-{self.outcome.seed}-{self.outcome.number}", os.environ["TPF_FAULT_KEEP"]))
        finally:
            self.proxy.close()
            self.stage.remove_now()
            self.outcome.seconds = time.monotonic() - began
        return self.outcome


def one_round(seed, number, wanted):
    outcome = Round(seed, number)
    try:
        return Loop(outcome, wanted).go()
    except Exception as error:  # the harness's own trouble must not pass for a good round
        outcome.faults.append(f"harness: {type(error).__name__}: {error}")
        return outcome


def check(kills, minutes, seed, first=0, jobs=2):
    """Lines of what is broken. Ends when `kills` were made, or after `minutes` (0: no end), or at the first failure."""
    print(f"kill loops: seed {seed}" + (f", from round {first}" if first else ""), flush=True)
    began, done, bad = time.monotonic(), [], []
    end = began + minutes * 60 if minutes else float("inf")
    with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting, number, planned = set(), first, 0
        while True:
            while not bad and planned < kills and time.monotonic() < end and len(waiting) < jobs:
                wanted = min(KILLS_A_ROUND, kills - planned)
                waiting.add(pool.submit(one_round, seed, number, wanted))
                number, planned = number + 1, planned + wanted
            if not waiting:
                break
            ended, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ended:
                outcome = future.result()
                done.append(outcome)
                _report(outcome, done, time.monotonic() - began)
                bad += outcome.faults
    total = {p: sum(o.kills[p] for o in done) for p in ("core", "forward", "register")}
    plans = {}
    for outcome in done:
        for plan, count in outcome.connections.items():
            plans[plan] = plans.get(plan, 0) + count
    print("connections: " + ", ".join(f"{p} {n}" for p, n in sorted(plans.items())))
    print(f"kill loops: {sum(total.values())} kills (" + ", ".join(f"{syscalls.NAMES[p]} {n}" for p, n in total.items())
          + f"), {sum(o.messages for o in done)} messages, {sum(o.bytes for o in done) >> 20} MiB, {len(bad)} broken, "
          f"{time.monotonic() - began:.0f} s")
    return bad


def _report(outcome, done, seconds):
    if outcome.faults:
        print(f"FAILED round {outcome.number} of seed {outcome.seed}" + "".join(f"\n    {f}" for f in outcome.faults[:20])
              + (f"\n    kept in {outcome.kept}" if outcome.kept else "")
              + f"\n    again: kills.py --seed {outcome.seed} --round {outcome.number} --kills {KILLS_A_ROUND}", flush=True)
    kills = sum(sum(o.kills.values()) for o in done)
    print(f"  round {outcome.number}: {sum(outcome.kills.values())} kills, {outcome.messages} messages, {outcome.seconds:.0f} s; "
          f"{kills} kills in {seconds:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--round", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", default="")
    options = parser.parse_args()
    os.environ["TPF_FAULT_KEEP"] = options.keep
    with harness.work_folder(options.bin):
        return 1 if check(options.kills, options.minutes, options.seed, options.round, options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
