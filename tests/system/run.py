#!/usr/bin/env python3
"""Runs the black-box tests against the real binaries: run.py [--bin DIR] [--jobs N] [--allow-skip NAME]… [-v] [FILTER]…

A FILTER is a part of a test's name (module.Class.test); none: all. A skip that --allow-skip does not name (by a part of
the test's name) fails the run: what was not tested must not look tested."""

import argparse
import concurrent.futures
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("tpfd", "tpfctl", "tpf-forward", "tpf-krypt", "tpf-register", "tpf-generate")
# Those that take longest begin first, so that both cores end together.
LONGEST_FIRST = ("test_taint", "test_main_job", "test_forwarding", "test_crash", "test_bad_input")

# With --token: those that open the ring's key files with their own hands.
FILES_ONLY = ("test_memory.Memory.test_a_destroyed_key", "test_keys.Guide.test_backup_and_restore")


class Recorder(unittest.TestResult):
    """Outcome, detail and seconds of each test; a subtest that fails is its test's failure."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}
        self.seconds = {}

    def startTest(self, test):
        super().startTest(test)
        self._begun = time.monotonic()
        self.outcomes[test.id()] = ("passed", "")

    def stopTest(self, test):
        super().stopTest(test)
        self.seconds[test.id()] = time.monotonic() - self._begun

    def _fail(self, test, error, what=""):
        test.failed = True  # for the test's own cleanups: logs are kept
        text = "".join(traceback.format_exception(*error)) if error else ""
        earlier = self.outcomes.get(test.id(), ("", ""))[1]
        self.outcomes[test.id()] = ("failed", f"{earlier}{what}{text}")

    def addError(self, test, err):
        self._fail(test, err)

    def addFailure(self, test, err):
        self._fail(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._fail(test, err, f"{subtest._subDescription()}\n")

    def addSkip(self, test, reason):
        self.outcomes[test.id()] = ("skipped", reason)


def _tests(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _tests(item)
        else:
            yield item


def load(filters):
    """{class name: [test ids]} of all modules test_*.py."""
    classes = {}
    for path in sorted(HERE.glob("test_*.py")):
        module = importlib.import_module(path.stem)
        for test in _tests(unittest.defaultTestLoader.loadTestsFromModule(module)):
            if os.environ.get("TPF_SYSTEM_TOKEN") == "1" and test.id().startswith(FILES_ONLY):
                continue
            if not filters or any(f in test.id() for f in filters):
                classes.setdefault(".".join(test.id().split(".")[:2]), []).append(test.id())
    return classes


def run_class(ids):
    """In a process of its own. [(test, outcome, detail, seconds)]"""
    suite = unittest.defaultTestLoader.loadTestsFromNames(ids)
    result = Recorder()
    suite.run(result)
    return [(name, *outcome, result.seconds.get(name, 0.0)) for name, outcome in result.outcomes.items()]


def order(name):
    module = name.split(".")[0]
    return LONGEST_FIRST.index(module) if module in LONGEST_FIRST else len(LONGEST_FIRST)


def run_all(classes, jobs, verbose):
    results = []
    # Spawned, not forked: a worker dies with nobody else's files and sockets open.
    with concurrent.futures.ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(run_class, classes[name]): name for name in sorted(classes, key=order)}
        for done in concurrent.futures.as_completed(waiting):
            for name, outcome, detail, seconds in done.result():
                results.append((name, outcome, detail))
                if verbose or outcome != "passed":
                    print(f"{outcome.upper():8} {seconds:6.1f} s  {name}" + (f": {detail}" if outcome == "skipped" else ""))
                if outcome == "failed":
                    print(detail, flush=True)
            sys.stdout.flush()
    return results


def open_to_all(programs, folder):
    """Where other users can run them too, as some tests do: the folder itself, or, where one above it is closed (a checkout in
    root's home), a copy."""
    programs = Path(programs).resolve()
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    copy = Path(folder) / "bin"
    copy.mkdir()
    for program in programs.glob("tpf*"):
        shutil.copy2(program, copy)
    Path(folder).chmod(0o711)
    return copy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default=str(HERE.parents[1] / "build/release/bin"), help="folder of the programs")
    parser.add_argument("--jobs", type=int, default=2, help="test classes at once")
    parser.add_argument("--allow-skip", action="append", default=[], metavar="NAME", help="a test that may be skipped")
    parser.add_argument("--token", action="store_true", help="every installation's keys in a PKCS#11 token (SoftHSM)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each test")
    parser.add_argument("filters", nargs="*", metavar="FILTER")
    options = parser.parse_args()
    missing = [p for p in PROGRAMS if not os.access(Path(options.bin) / p, os.X_OK)]
    if missing:
        sys.exit(f"error: {options.bin} has no {', '.join(missing)}\nhint: build them first: script/build, or give --bin")
    copies = tempfile.mkdtemp(prefix="tpf-system-programs-")
    os.environ["TPF_BIN"] = str(open_to_all(options.bin, copies))
    if options.token:
        os.environ["TPF_SYSTEM_TOKEN"] = "1"
    sys.path.insert(0, str(HERE))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    began = time.monotonic()
    classes = load(options.filters)
    if not classes:
        shutil.rmtree(copies)
        sys.exit("error: no test has such a name")
    template = tempfile.mkdtemp(prefix="tpf-system-template-")
    try:
        os.environ["TPF_SYSTEM_TEMPLATE"] = template
        importlib.import_module("env").make_template(template)
        results = run_all(classes, options.jobs, options.verbose)
    finally:
        shutil.rmtree(template, ignore_errors=True)
        shutil.rmtree(copies, ignore_errors=True)
    count = {what: sum(1 for r in results if r[1] == what) for what in ("passed", "failed", "skipped")}
    unexpected = [name for name, outcome, _ in results
                  if outcome == "skipped" and not any(allowed in name for allowed in options.allow_skip)]
    for name in unexpected:
        print(f"error: unexpected skip of {name}")
    print(f"system tests: {count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped "
          f"in {time.monotonic() - began:.0f} s")
    return 1 if count["failed"] or unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
