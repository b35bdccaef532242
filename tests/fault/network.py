#!/usr/bin/python3
"""What a network between forwarder and register may do: each case one message on its way through a proxy that does it to
the first connections. In the end it is delivered, once, to the byte. network.py [--bin DIR] [--keep DIR] [CASE…]"""

import argparse
import concurrent.futures
import multiprocessing
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402
import judge  # noqa: E402
import load  # noqa: E402
from proxy import WHOLE, Plan, Proxy  # noqa: E402

SIZE = 300_000  # bytes of the message's content: many TLS records
# Shortest times that the configuration allows: a held-up connection is given up after a second.
FORWARD = "connect_seconds = 1\nhandshake_seconds = 1\nsend_stall_seconds = 1\nanswer_seconds = 1"
HANDSHAKE = 1500  # bytes: somewhere in the handshake
SENT = SIZE // 2  # bytes: what the register sends once so many came is its answer
CASES = {
    "whole": [],
    "refused": [Plan("refuse", refuse=True)] * 3,
    "never served": [Plan("silent", silent=True)],
    "cut in the handshake": [Plan("cut", cut_up=200), Plan("cut", cut_down=500), Plan("cut", cut_up=HANDSHAKE)],
    "cut in the body": [Plan("cut", cut_up=20_000), Plan("cut", cut_up=150_000), Plan("reset", cut_up=100_000, reset=True)],
    "cut before the last byte": [Plan("cut", cut_up="all - 5")],
    "cut before the answer": [Plan("cut", cut_down=0, after_up=SENT)],
    "cut in the answer": [Plan("cut", cut_down=100, after_up=SENT)],
    "reset in the answer": [Plan("reset", cut_down=1, reset=True, after_up=SENT)] * 2,
    "held up in the body": [Plan("hold", hold_up=100_000)],
    "held up before the answer": [Plan("hold", hold_down=0, after_up=SENT)],
    "delayed": [Plan("delay", delay=0.3, pause=0.01)],
    "byte by byte": [Plan("dribble", piece=7, pause=0.0001)],
    "damaged in the body": [Plan("damage", damage_up=150_000)],
    "damaged in the answer": [Plan("damage", damage_down=60, after_up=SENT)],
    "everything, one after another": [Plan("refuse", refuse=True), Plan("cut", cut_up=50_000), Plan("damage", damage_up=90_000),
                                      Plan("cut", cut_down=0, after_up=SENT), Plan("hold", hold_up=70_000), Plan("reset", cut_up=10, reset=True)],
}
# Cases in which the register has the message before the forwarder knows: it must be asked again and say the same.
REPEATED = {"cut before the answer", "cut in the answer", "reset in the answer", "held up before the answer", "damaged in the answer"}


class Positioned(Proxy):
    """A plan for each of the first connections; positions may be told by a whole connection's bytes, which were counted."""

    def __init__(self, port, plans, sizes):
        self.plans = [self._fixed(p, sizes) for p in plans]
        super().__init__(port, lambda n: self.plans[n - 1] if n <= len(self.plans) else WHOLE)

    @staticmethod
    def _fixed(plan, sizes):
        changes = {k: eval(v, {"__builtins__": {}}, sizes) for k, v in plan.__dict__.items() if k not in ("name",) and isinstance(v, str)}
        return Plan(**{**plan.__dict__, **changes})


def measure():
    """{"all": bytes up of a whole connection for such a message}; signatures in the handshake make it differ by a few."""
    up = [0]

    class Measuring(Proxy):
        def _carry(self, source, target, plan, direction, sent):
            super()._carry(source, target, plan, direction, sent)
            up[0] = sent[0]
    run("whole", [], None, lambda port: Measuring(port, lambda n: WHOLE))
    return {"all": up[0]}


def run(name, plans, sizes, make_proxy=None):
    """(name, faults, seconds)"""
    began = time.monotonic()
    stage = harness.Stage(forward_settings=FORWARD)
    proxy = None
    faults = []
    try:
        message = load.Maker(stage.template).good(persons=3, size=SIZE)
        proxy = make_proxy(stage.ports["IPLOS"]) if make_proxy else Positioned(stage.ports["IPLOS"], plans, sizes)
        stage.through = proxy.port
        stage.write_config()

        def turn():
            stage.supervise()
            if not message.acknowledged:
                return stage._answers() and stage.hand_over(message) and False
            return stage.at_rest([message])
        if not harness.until(turn):
            faults.append("not at rest: " + stage.log_tail("forward.log", 3))
        faults += [f"{p} ended by itself with {s}" for p, s in stage.statuses.items() if s]
        faults += [f"{p} ended with {s}" for p, s in stage.stop_all().items() if s]
        faults += judge.judge(stage.place(), [message])
        if len(proxy.served) < len(plans):
            faults.append(f"only {len(proxy.served)} connections: the case did not come up")
        said = (stage.folder / "register.log").read_text()
        if len(re.findall(r"message accepted name=", said)) != 1:
            faults.append("the register did not accept exactly one message")
        if name in REPEATED and "repeat" not in said:
            faults.append("the register saw no repeat: the case did not come up")
        if faults and os.environ.get("TPF_FAULT_KEEP"):
            faults.append(f"kept in {harness.keep(stage, 'network-' + name.replace(' ', '-'), os.environ['TPF_FAULT_KEEP'])}")
    finally:
        if proxy:
            proxy.close()
        stage.remove_now()
    return name, faults, time.monotonic() - began


def check(names=(), jobs=6):
    """Lines of what is broken."""
    sizes = measure()
    chosen = {n: p for n, p in CASES.items() if not names or n in names}
    bad = []
    with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for name, faults, seconds in pool.map(run, chosen, chosen.values(), [sizes] * len(chosen)):
            print(f"  {'FAILED' if faults else 'passed'} {seconds:5.1f} s  {name}" + "".join(f"\n    {f}" for f in faults), flush=True)
            bad += faults
    print(f"network: {len(chosen)} cases, {len(bad)} broken")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin")
    parser.add_argument("--keep", default="")
    parser.add_argument("cases", nargs="*", metavar="CASE")
    options = parser.parse_args()
    os.environ["TPF_FAULT_KEEP"] = options.keep
    with harness.work_folder(options.bin):
        return 1 if check(options.cases) else 0


if __name__ == "__main__":
    sys.exit(main())
