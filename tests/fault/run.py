#!/usr/bin/python3
"""The fault tests, one part after another: run.py [--bin DIR] [--long] [--kills N] [--minutes M] [--seed S] [PART…]

Parts: syscalls, order, kills, network, powerloss; all unless named. Short form (script/test): every call, about a minute of
kills, 220 power cuts. --long (script/soak faults): every action at every call, 10,000 kills, a power cut at every flush. Keeps failed installations in TPF_FAULT_KEEP."""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("order", "network", "kills", "powerloss", "syscalls")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(HERE.parents[1] / "build/release/bin"))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--minutes", type=float, default=0, help="most time for the kill loops")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--round", type=int, default=0, help="round of the kill loops to begin with")
    parser.add_argument("--keep", default=os.environ.get("TPF_FAULT_KEEP", str(HERE.parents[1] / "build/fault-findings")))
    parser.add_argument("parts", nargs="*", metavar="PART")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    kills = options.kills or (10_000 if options.long else 300)
    arguments = {
        "order": [], "network": [], "powerloss": ["--seed", options.seed, *(["--long"] if options.long else [])], "syscalls": ["--all"] if options.long else [],
        "kills": ["--kills", kills, "--seed", options.seed, "--round", options.round, "--jobs", 4,
                  "--minutes", options.minutes or (0 if options.long else 1)]}
    failed = []
    for part in options.parts or PARTS:
        began = time.monotonic()
        print(f"-- {part}", flush=True)
        command = [sys.executable, HERE / f"{part}.py", "--bin", options.bin, "--keep", options.keep, *arguments[part]]
        if subprocess.run([str(c) for c in command]).returncode != 0:
            failed.append(part)
        print(f"-- {part}: {'FAILED' if part in failed else 'passed'} in {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        print(f"FAILED: {' '.join(failed)}; what is left of failed runs: {options.keep}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
