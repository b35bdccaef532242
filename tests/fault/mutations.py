#!/usr/bin/python3
"""Breaks the code on purpose, one small edit at a time, and demands that the test which should notice goes red.

  mutations.py [--list] [--by TEST] [NAME…]

Each edit must match its file exactly once, else the run fails: code that moved takes its mutation along. It is made in a
copy of the sources under build/mutations, built there (ccache finds what did not change), and the tests that must notice it
are run from that copy. Every test is run on the unchanged copy first, and must be green."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutations"
PROGRAMS = ("tpfd", "tpfctl", "tpf-forward", "tpf-krypt", "tpf-register", "tpf-generate", "tpf-inject", "tpf-uml-preload", "tpf-clock-shift")

# {what it is called: (script, arguments)}
TESTS = {
    "order of syncs": ("fault/order.py", ()),
    "power loss": ("fault/powerloss.py", ("--recordings", "ext4-kept", "xfs-removed", "--messages", "8", "--points", "120", "--rest", "20",
                                          "--most-bad", "2")),
    "a call fails while a receipt is carried out": ("fault/syscalls.py", (
        "--scenario", "way", "--victim", "core", "--only", "EIO@renameat2 spool/outbox/ID>spool/work/ID.ut")),
    "killed between journal and folder": ("fault/syscalls.py", (
        "--scenario", "way", "--victim", "core", "--only", "kill@renameat2 spool/work/ID.ut>spool/outbox/ID")),
    "answers lost on the way": ("fault/network.py", ("cut before the answer", "cut in the answer")),
    "system: broken messages": ("system/run.py", ("test_bad_input",)),
    "system: the pseudonym log": ("system/run.py", ("test_pseudonym_log.PseudonymLog",)),
    "system: a restore": ("system/run.py", ("test_rehearsal_of_a_lost_machine", "test_nobody_else_reaches_what_is_put_back",
                                            "test_owners_without_a_name", "test_a_restore_that_was_ended", "test_nobody_else_owns")),
    "system: archives and report": ("system/run.py", ("test_years_", "test_a_name_that", "test_a_report_says")),
    "system: wrong receipts": ("system/run.py", ("test_wrong_signature_is_no_receipt",)),
}


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    test: str
    sign: str  # what the red test says
    cut: str = ""  # what the power-loss test says, where it must go red too

    def proofs(self):
        return [(self.test, self.sign), *([("power loss", self.cut)] if self.cut else [])]


MUTATIONS = (
    Mutation("fsync of files dropped", "base/fs.cpp", "if (::fsync(fd_.get()) != 0)", "if (fd_.get() < 0)",
             "order of syncs", "is renamed into place and not synced", "LOST"),
    Mutation("fsync of folders dropped", "base/fs.cpp", "if (::fsync(fd.get()) != 0)", "if (fd.get() < 0)",
             "order of syncs", "is not synced after", "LOST"),
    Mutation("acknowledged before the inbox is synced", "queue/spool_writers.cpp",
             "    TPF_TRY(spool_->group_sync_.sync(folders.inbox_new));\n", "",
             "order of syncs", "is acknowledged before", "LOST"),
    Mutation("acknowledged, then the inbox is synced", "queue/spool_writers.cpp",
             "    TPF_TRY(spool_->group_sync_.sync(folders.inbox_new));\n",
             "    std::thread([spool = spool_] {\n        std::this_thread::sleep_for(std::chrono::milliseconds(20));\n"
             "        static_cast<void>(spool->group_sync_.sync(spool->folders().inbox_new));\n    }).detach();\n",
             "order of syncs", "is acknowledged before", "LOST"),
    Mutation("journal's synchronous mode NORMAL", "base/sqlite.cpp", "PRAGMA synchronous=FULL;", "PRAGMA synchronous=NORMAL;",
             "order of syncs", "before the journal's commit is synced", "is not in the journal"),
    Mutation("journal's synchronous mode OFF", "base/sqlite.cpp", "PRAGMA synchronous=FULL;", "PRAGMA synchronous=OFF;",
             "order of syncs", "before the journal's commit is synced", "is not in the journal"),
    Mutation("output committed before its folder is synced", "queue/spool_writers.cpp",
             "    TPF_TRY(spool_->group_sync_.sync(spool_->folders().work));\n", "",
             "order of syncs", "is not synced before its commit"),
    Mutation("list committed before it is synced", "queue/spool_writers.cpp",
             "    if (list_ != nullptr) {\n        TPF_TRY(list_->sync());\n    }\n", "",
             "order of syncs", "pseudonymer is not synced before its commit"),
    Mutation("list not taken into the pseudonym log", "queue/spool.cpp",
             "    TPF_TRY(keep_list(id));\n    TPF_TRY(move_once(", "    TPF_TRY(move_once(",
             "order of syncs", "has no list in the pseudonym log"),
    Mutation("list's digest not looked at by `audit verify`", "daemon/commands_lists.cpp",
             "if (digest && hex(digest.value()) == state.sha256) return", "if (digest) return",
             "system: the pseudonym log", "test_each_message_has_its_list"),
    Mutation("list deleted without an entry", "daemon/commands_lists.cpp",
             "    TPF_TRY(core_.journal.record(deleted.message(message)));\n", "",
             "system: the pseudonym log", "test_a_list_is_deleted_by_two"),
    Mutation("others reach folders while root puts files back", "daemon/closed_folders.cpp",
             "        TPF_TRY(give(fd, path, self(), kClosed));\n    }\n    // From here", "    }\n    // From here",
             "system: a restore", "test_nobody_else_reaches_what_is_put_back"),
    Mutation("what lies above the folders is not looked at", "daemon/closed_folders.cpp",
             "if ((st.st_uid != 0 && st.st_uid != ::geteuid()) || others)", "if (false && others)",
             "system: a restore", "test_nobody_else_owns_what_lies_above"),
    Mutation("a file goes into a folder that was not closed", "daemon/ctl_restore.cpp",
             "    TPF_TRY(check_files(fs, config, manifest, closed));\n", "    static_cast<void>(check_files);\n",
             "system: a restore", "test_owners_without_a_name_and_files_without_a_folder"),
    Mutation("the journal is put back before its copy", "daemon/ctl_restore.cpp",
             "(entry.path == kJournal ? last : files).push_back(&entry);", "files.push_back(&entry);",
             "system: a restore", "test_a_restore_that_was_ended_leaves_no_journal"),
    Mutation("a restored log goes on under its old name", "daemon/ctl_restore.cpp",
             "    TPF_TRY(give_to(core, restored_mark(config.fixed.paths.journal)));\n",
             "    static_cast<void>(fs.remove_file(restored_mark(config.fixed.paths.journal)).has_value());\n",
             "system: a restore", "test_rehearsal_of_a_lost_machine"),
    Mutation("archive's checkpoint not held against its entries", "daemon/ctl_archive_verify.cpp",
             " || opened.checkpoint.head != head)", ")", "system: archives and report", "test_years_are_closed_and_archived"),
    Mutation("archive's cosignature not held against its entries", "daemon/ctl_archive_verify.cpp",
             "audit::verify_consistency(head, opened.checkpoint.head, offer.proof)", "true",
             "system: archives and report", "test_years_are_closed_and_archived"),
    Mutation("archived years of two histories taken for one log", "daemon/ctl_archive_verify.cpp",
             "told.value(\"before\", \"\") != root", "false", "system: archives and report", "test_years_of_two_histories"),
    Mutation("a log's new name that no entry gave", "daemon/ctl_archive_verify.cpp", "told.value(\"origin\", \"\") != origin", "false",
             "system: archives and report", "test_a_name_that_no_entry_gave"),
    Mutation("an archived year twice", "daemon/ctl_archive_verify.cpp", "if (first != 0 && first <= end) {", "if (false) {",
             "system: archives and report", "test_years_are_closed_and_archived"),
    Mutation("report of a bad log says that it is good", "daemon/ctl_audit_report.cpp",
             "verdict.good = json.value(\"good\", false);", "verdict.good = true;", "system: archives and report", "test_a_report_says_what_the_log_says"),
    Mutation("register's answer handed over without a sync", "queue/forward_spool.cpp",
             "return group_sync_.sync(folders_.receipts_new);", "return ok();",
             "order of syncs", "receipts/new is not synced after"),
    Mutation("register answers before it stored", "register/store.cpp", "    return fs_.sync_folder(folder_ / kMessages);\n",
             "    return ok();\n", "order of syncs", "meldinger"),
    Mutation("kvittering not synced", "queue/spool.cpp", "        TPF_TRY(file->sync());\n    }\n    TPF_TRY(fs_->replace(beside,",
             "    }\n    TPF_TRY(fs_->replace(beside,", "order of syncs", "is renamed into place and not synced"),
    Mutation("tag check skipped", "crypto/content_mode.cpp", "return EVP_CipherFinal_ex(context_.get(), none, &out) == 1 && out == 0;",
             "static_cast<void>(EVP_CipherFinal_ex(context_.get(), none, &out));\n        return true;", "system: broken messages", "tag wrong"),
    Mutation("register's signature not checked", "daemon/receipts.cpp",
             "    return std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return key.verify(text, signature.value()); });\n",
             "    return !keys.empty() && !text.empty();\n", "system: wrong receipts", "FAILED"),
    Mutation("receipt taken away while its message lies in the outbox", "daemon/receipts.cpp",
             "            TPF_TRY(carry_out(*row));\n", "            static_cast<void>(row);\n",
             "a call fails while a receipt is carried out", "not at rest"),
    Mutation("a start does not publish what was committed", "queue/recovery.cpp", "        TPF_TRY(spool_.publish(id));\n", "",
             "killed between journal and folder", "not at rest"),
    Mutation("register takes a repeat for another message", "register/intake.cpp",
             "    return Decision{Decision::Kind::repeated, known_};\n", "    return Decision{Decision::Kind::conflict, std::nullopt};\n",
             "answers lost on the way", "is quarantined"),
)


def run(command, log, **options):
    with open(log, "ab") as out:
        return subprocess.run([str(c) for c in command], stdout=out, stderr=out, cwd=WORK / "src", **options).returncode


def copy_sources():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, WORK / "src" / name
        if source.exists() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def build(log):
    os.environ.setdefault("CCACHE_DIR", os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "ccache"))
    if not (WORK / "src/build/release/build.ninja").exists() and run(["cmake", "--preset", "release"], log):
        return False
    return run(["cmake", "--build", "--preset", "release", "--target", *PROGRAMS], log) == 0


def red(test, log):
    """Whether the test failed; what it said is in `log`."""
    script, arguments = TESTS[test]
    environment = {**os.environ, "TPF_SYSTEM_KEEP": str(WORK / "kept"), "TPF_FAULT_REST": "40"}
    return run(["/usr/bin/python3", f"tests/{script}", "--bin", "build/release/bin", *arguments], log, env=environment) != 0


def mutated(mutation):
    """File, its text, and the text with the edit."""
    path = WORK / "src" / mutation.file
    text = path.read_text()
    if text.count(mutation.old) != 1:
        raise SystemExit(f"error: mutation \"{mutation.name}\": its text is {text.count(mutation.old)} times in {mutation.file}, not once")
    return path, text, text.replace(mutation.old, mutation.new)


def judge(mutation, chosen):
    """What is wrong, a text for each test that did not go red as it should."""
    path, text, edited = mutated(mutation)
    path.write_text(edited)
    try:
        return [f"{test}: {wrong}" for test, sign in mutation.proofs() if test in chosen and (wrong := judge_by(mutation, test, sign))]
    finally:
        path.write_text(text)


def judge_by(mutation, test, sign):
    log = WORK / (f"{mutation.name} by {test}".replace(" ", "-").replace("'", "") + ".log")
    log.unlink(missing_ok=True)
    if not build(log):
        return f"does not build, see {log}"
    if not red(test, log):
        return "stayed green"
    said = [line.strip() for line in log.read_text(errors="replace").splitlines() if sign in line]
    if not said:
        return f"went red for another reason, see {log}"
    print(f"RED as it must: {mutation.name}\n    by: {test}\n    how: {said[0][:180]}", flush=True)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of a mutation's name")
    parser.add_argument("--by", default="", help="only this test, by a part of its name")
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if (not options.names or any(n in m.name for n in options.names))
              and any(options.by in test for test, _ in m.proofs())]
    if options.list:
        print("\n".join(f"{m.name}  ({m.file}; {', '.join(test for test, _ in m.proofs())})" for m in chosen))
        return 0
    began = time.monotonic()
    WORK.mkdir(parents=True, exist_ok=True)
    copy_sources()
    for mutation in chosen:
        mutated(mutation)
    log = WORK / "unchanged.log"
    log.unlink(missing_ok=True)
    if not build(log):
        raise SystemExit(f"error: the unchanged sources do not build, see {log}")
    tests = [t for t in dict.fromkeys(test for m in chosen for test, _ in m.proofs()) if not options.by or options.by in t]
    for test in tests:
        if red(test, log):
            raise SystemExit(f"error: \"{test}\" is red without any mutation, see {log}")
        print(f"green unchanged: {test}", flush=True)
    bad = []
    for mutation in chosen:
        if wrong := judge(mutation, tests):
            bad.append(mutation.name)
            print("".join(f"FAILED {mutation.name}: {text}\n" for text in wrong), end="", flush=True)
    print(f"mutations: {len(chosen)}, {len(chosen) - len(bad)} went red as they must, {len(bad)} did not, {time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
