"""Backup while it runs, restore, and the rehearsal of a lost machine: what was accepted is delivered, once."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import unittest

import env
from case import Case


def bare(inst, *arguments, check=True):
    return env.run([env.BIN / "tpfctl", "--config", inst.config, *arguments], check=check)


@unittest.skipUnless(os.geteuid() == 0, "needs root: files of several users are put back")
class Backup(Case):
    def lose(self, inst):
        """All of the machine but its key ring, whose backup is another (tpfctl keys backup)."""
        for process in (inst.core, inst.forward):
            process.kill()
        shutil.rmtree(inst.spool)
        shutil.rmtree(inst.folder / "journal")

    def stage(self, **settings):
        """A message in each state: delivered, quarantined, held, and on its way to a register that is away."""
        inst = self.installation(limits={"persons_per_day": 6}, **settings).start()
        rows = {"delivered": inst.wait_state(inst.submit(self.good(persons=2).build()), "delivered"),
                "quarantined": inst.wait_state(inst.submit(self.good(antall=9).build()), "quarantined"),
                "held": inst.wait_state(inst.submit(self.good(persons=6).build()), "held")}
        inst.registers["IPLOS"].stop()
        rows["committed"] = inst.wait_state(inst.submit(self.good(persons=3).build()), "committed")
        return inst, rows

    def test_rehearsal_of_a_lost_machine(self):
        inst, rows = self.stage()
        folder = inst.folder / "backup"
        said = json.loads(bare(inst, "--json", "backup", folder).stdout)
        self.assertGreater(said["files"], 5)
        before = {"origin": inst.ask("audit key")["origin"],
                  "cosigned": max(int(e["fields"]["cosigned_size"]) for e in inst.ask("audit show", limit=1000)["entries"]
                                  if "cosigned_size" in e["fields"])}
        self.assertEqual([p.name for p in folder.rglob("*") if "keyring" in p.name or p.suffix in (".key", ".pem")], [])
        self.assertEqual(oct(folder.stat().st_mode & 0o777), "0o700")
        # It goes on meanwhile and afterwards; what comes later is not in the backup, and is lost with the machine.
        inst.wait_state(inst.submit(self.good(persons=1).build()), "committed")
        self.lose(inst)

        self.assertEqual(bare(inst, "restore", folder, "--check").returncode, 0)
        bare(inst, "restore", folder)
        inst.start_core()
        for state, row in rows.items():
            self.assertEqual(inst.row(row["id"])["state"], state)
        self.assertTrue(inst.ctl("journal", "check", json_output=True)["good"])
        verified = inst.ctl("audit", "verify", json_output=True)
        self.assertGreater(verified["entries"], said["audit_entries"])
        # What was put back is an earlier state of a log whose later checkpoints others may hold: it has another name from here on.
        (entry,) = [e for e in inst.ask("audit show", limit=1000)["entries"] if e["kind"] == "log-origin" and "restored" in e["fields"]]
        self.assertEqual({name: entry["fields"][name] for name in ("origin", "previous", "previous_witness", "restored_by")},
                         {"origin": verified["origin"], "previous": before["origin"], "previous_witness": "IPLOS", "restored_by": "root"})
        self.assertEqual(int(entry["fields"]["previous_size"]), before["cosigned"])
        self.assertEqual(entry["fields"]["backup_manifest"], said["manifest_sha256"])
        self.assertFalse((inst.folder / "journal/restored.json").exists())
        # Once: the next start goes on under it.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertEqual(inst.ask("audit key")["origin"], verified["origin"])
        inst.start_register(extra=("--log-origin", verified["origin"]))
        inst.start_forward()
        inst.wait_state(rows["committed"]["id"], "delivered")
        names = [m["navn"] for m in inst.register_list()]
        self.assertEqual(names.count(rows["committed"]["name"]), 1)
        inst.ctl("queue", "retry", rows["held"]["id"], "--reason", "rehearsal")
        inst.wait_state(rows["held"]["id"], "delivered")
        inst.wait_state(inst.submit(self.good(persons=1).build()), "delivered", "held")

    def test_while_messages_come_in(self):
        inst = self.installation().start()
        submissions = [self.good(persons=1).build() for _ in range(30)]
        ids = []

        def hand_over():
            ids.extend(inst.submit(data) for data in submissions)

        thread = threading.Thread(target=hand_over)
        thread.start()
        backups = []
        while thread.is_alive() or not backups:
            backups.append(inst.folder / f"backup-{len(backups)}")
            bare(inst, "backup", backups[-1])
        thread.join()
        for message in ids:
            inst.wait_state(message, "delivered")
        for folder in backups:
            self.lose(inst)
            bare(inst, "restore", folder)
            inst.start_core()
            known = {m["id"] for m in inst.ask("queue list", limit=10000)["messages"]}
            # The register knows another log than the backup's: docs/recovery.md, "A register holds another audit log".
            new = inst.ask("audit key")["origin"]
            inst.registers["IPLOS"].stop()
            inst.start_register(extra=("--log-origin", new))
            inst.start_forward()
            for message in known:
                inst.wait_state(message, "delivered")
            self.assertTrue(inst.ctl("journal", "check", json_output=True)["good"])

    def test_a_changed_backup_is_refused(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        body, manifest = next(folder.glob("spool/quarantine/*/innsending.xml")).relative_to(folder), "MANIFEST.json"
        cases = (lambda at: (at / body).write_bytes((at / body).read_bytes()[:-1] + b" "), lambda at: (at / body).unlink(),
                 lambda at: (at / "spool/extra").write_text("x"),
                 lambda at: (at / manifest).write_text((at / manifest).read_text().replace('"mode": 416', '"mode": 511')))
        for number, spoil in enumerate(cases):
            copy = inst.folder / f"copy-{number}"
            shutil.copytree(folder, copy)
            spoil(copy)
            self.assertNotEqual(bare(inst, "restore", copy, "--check", check=False).returncode, 0, number)
        self.assertEqual(bare(inst, "restore", folder, "--check").returncode, 0)

    def forged(self, folder, change):
        """The backup with a manifest that somebody made who knows its form."""
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        del manifest["sha256"]
        change(manifest)
        text = json.dumps(manifest, separators=(",", ":"), ensure_ascii=False)
        manifest["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))

    def test_a_hostile_backup_writes_nowhere_else(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        outside = inst.folder / "outside"
        outside.mkdir()
        (outside / "there").write_text("as it was")
        body = next(p for p in folder.glob("spool/quarantine/*/innsending.xml"))

        def names(path):
            return lambda m: m["files"][-1].update(path=path)

        def rights(mode):
            return lambda m: m["files"][-1].update(mode=mode)

        cases = {"absolute": (names(f"spool/work/{outside}/evil"), "leads elsewhere"), "dots": (names("spool/../../outside/evil"), "leads elsewhere"),
                 "another place": (names("etc/evil"), ""), "set-user-id": (rights(0o4755), "mode"), "executable": (rights(0o755), "mode"),
                 "a link in the backup": (lambda m: None, "neither a file nor a folder")}
        for name, (change, said) in cases.items():
            with self.subTest(name):
                copy = inst.folder / f"copy-{name.replace(' ', '-')}"
                shutil.copytree(folder, copy)
                if name == "a link in the backup":
                    at = copy / body.relative_to(folder)
                    at.unlink()
                    at.symlink_to(body)
                self.forged(copy, change)
                done = bare(inst, "restore", copy, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(said, done.stderr.decode())
                self.assertEqual([p.name for p in outside.iterdir()], ["there"])
        # A link where the spool's folders should be, as a core that was broken into could have left it.
        for part in ("inbox", "work", "outbox", "receipts", "quarantine", "kvittering"):
            (inst.spool / part).mkdir(parents=True)
        (inst.spool / "kvittering").rmdir()
        (inst.spool / "kvittering").symlink_to(outside)
        self.assertNotEqual(bare(inst, "restore", folder, check=False).returncode, 0)
        self.assertEqual([p.name for p in outside.iterdir()], ["there"])

    def test_what_a_source_leaves_in_its_way_hinders_no_backup(self):
        inst, rows = self.stage()
        strange = inst.spool / "inbox/new" / "strange \udcff name"
        for at in (strange, inst.spool / "inbox/new/deep/a/b/c/d/e"):
            at.mkdir(parents=True)
            (at / "x").write_text("x")
        runnable = inst.spool / "inbox/new/run"
        runnable.write_text("#!/bin/sh")
        runnable.chmod(0o6755)
        folder = inst.folder / "backup"
        said = json.loads(bare(inst, "--json", "backup", folder).stdout)
        self.assertEqual(len(said["manifest_sha256"]), 64)
        self.lose(inst)
        again = json.loads(bare(inst, "--json", "restore", folder).stdout)
        self.assertEqual(again["manifest_sha256"], said["manifest_sha256"])
        self.assertEqual(oct((inst.spool / "inbox/new/run").stat().st_mode & 0o7777), "0o644")
        inst.start_core()
        self.assertEqual(inst.row(rows["held"]["id"])["state"], "held")

    @unittest.skipUnless(shutil.which("setpriv"), "needs setpriv")
    def test_the_core_can_start_after_root_restored(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        # As the package leaves it: the core's folders, before its first start.
        inst.spool.mkdir(mode=0o755)
        os.chown(inst.spool, 1, 1)
        bare(inst, "restore", folder)
        lock = (inst.spool / "lock").stat()
        self.assertEqual((lock.st_uid, lock.st_gid), (1, 1))

    def test_nobody_else_reaches_what_is_put_back(self):
        inst, _ = self.stage()
        # A source's own inbox, which its user could move away and put a link in the place of; and enough to be seen at work.
        new = inst.spool / "inbox/new/of-a-source"
        new.mkdir()
        os.chown(new, 1, 1)
        new.chmod(0o2770)
        with open(new / "innsending.part", "wb") as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        new.mkdir(parents=True)  # as an operator makes it again before a restore
        os.chown(new, 1, 1)
        new.chmod(0o2770)

        def rights(path):
            st = path.stat()
            return oct(st.st_mode & 0o7777), st.st_uid, st.st_gid

        inst.spool.chmod(0o751)
        kept, seen, ended = rights(inst.spool), set(), threading.Event()

        def look():
            while not ended.is_set():
                if (new / "innsending.part").exists():
                    seen.add((rights(inst.spool), rights(new)))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            bare(inst, "restore", folder)
        finally:
            ended.set()
            thread.join()
        closed = (oct(0o700), 0, 0)
        self.assertIn((closed, closed), seen)
        # Opened from within: while the source's folder is closed, so is what it lies in.
        self.assertEqual([s for s in seen if s[1] == closed and s[0] != closed], [])
        # To the source's user, and to no group of sources: what a backup names as one may have been an access list's mask.
        self.assertEqual((rights(inst.spool), rights(new)), (kept, (oct(0o2770), 1, 0)))

    def test_nobody_else_owns_what_lies_above(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        try:
            os.chown(inst.folder, 1, 1)
            done = bare(inst, "restore", folder, check=False)
        finally:
            os.chown(inst.folder, 0, 0)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"another user's, who could replace", done.stderr)
        self.assertFalse((inst.folder / "journal").exists())
        bare(inst, "restore", folder)
        inst.start_core()

    def test_owners_without_a_name_and_files_without_a_folder(self):
        inst, _ = self.stage()
        new = inst.spool / "inbox/new/gone"
        new.mkdir()
        (new / "innsending.part").write_text("x")
        for path in (new, new / "innsending.part"):
            os.chown(path, 123456, 123457)  # of a user that was removed
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        self.assertNotIn("missing here", json.loads(bare(inst, "--json", "restore", folder, "--check").stdout))
        wal, aside = "journal/journal.db-wal", "journal/journal.db-wal/a/x"

        def without_a_folder(manifest):
            manifest["folders"] = [f for f in manifest["folders"] if f["path"] != "spool/inbox/new/gone"]

        def below_a_file(manifest):
            manifest["files"] = [f for f in manifest["files"] if f["path"] != wal]
            moved = copy / manifest["files"][-1]["path"]
            (copy / wal).unlink()
            (copy / aside).parent.mkdir(parents=True)
            moved.rename(copy / aside)
            manifest["files"][-1]["path"] = aside

        for change, said in ((without_a_folder, "and not the folder that it is in"), (below_a_file, "is no part of a backup")):
            copy = inst.folder / f"copy-{change.__name__}"
            shutil.copytree(folder, copy)
            self.forged(copy, change)
            self.assertIn(said, bare(inst, "restore", copy, check=False).stderr.decode())
            # Nothing was put anywhere, so that the good one goes in.
            self.assertEqual([p for p in inst.spool.rglob("*") if p.is_file() and p.name != "lock"], [])
        copy = inst.folder / "copy-owner"
        shutil.copytree(folder, copy)
        self.forged(copy, lambda m: m["files"][-1].update(owner="nobody-of-that-name"))
        self.assertIn("nobody-of-that-name", json.loads(bare(inst, "--json", "restore", copy, "--check").stdout)["missing here"])
        self.assertNotEqual(bare(inst, "restore", copy, check=False).returncode, 0)
        bare(inst, "restore", folder)
        self.assertEqual(((new / "innsending.part").stat().st_uid, new.stat().st_uid), (123456, 123456))
        inst.start_core()

    def test_a_restore_that_was_ended_leaves_no_journal(self):
        """A core that started beside half of it would go on without what was committed last."""
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        self.lose(inst)
        # Its copy cannot be put back whole: a folder of that name is in the way.
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        wal = next(f["path"] for f in manifest["files"] if f["path"].startswith("journal-copy/"))
        at = inst.folder / "journal/copy" / wal.split("/", 1)[1]
        at.mkdir(parents=True)
        done = bare(inst, "restore", folder, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse((inst.folder / "journal/journal.db").exists())

    def test_after_a_restore_that_was_cut_off(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        with open(inst.spool / "inbox/new/much", "wb") as file:
            for _ in range(200):
                file.write(os.urandom(1 << 20))
        os.chown(inst.spool / "quarantine", 1, 1)  # as if that were the core's user
        bare(inst, "backup", folder)
        self.lose(inst)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen([env.BIN / "tpfctl", "--config", inst.config, "restore", folder], stderr=subprocess.PIPE)
            env.until("the restore to write", (inst.spool / "inbox/new/much").exists)
            process.send_signal(ending)
            said = process.communicate(timeout=60)[1]
            self.assertNotEqual(process.returncode, 0)
            if ending == signal.SIGTERM:
                self.assertIn(b"ended by a signal", said)
            mode = inst.spool.stat().st_mode & 0o7777
            self.assertEqual(mode, 0o2751 if ending == signal.SIGTERM else 0o700)
            self.assertIn(b"is not empty", bare(inst, "restore", folder, check=False).stderr)
            # What it has written, as the message says; the folders stay.
            for file in [*inst.spool.rglob("*"), *(inst.folder / "journal").rglob("*")]:
                if file.is_file():
                    file.unlink()
        bare(inst, "restore", folder)
        for path in (inst.spool, inst.spool / "lock", inst.spool / "inbox", inst.spool / "checkpoints", inst.folder / "journal",
                     inst.folder / "journal/restored.json"):
            self.assertEqual((path.stat().st_uid, path.stat().st_gid), (1, 1), path)
        self.assertEqual(inst.spool.stat().st_mode & 0o7777, 0o2751)

    def test_restore_mixes_no_two_histories(self):
        inst, _ = self.stage()
        folder = inst.folder / "backup"
        bare(inst, "backup", folder)
        done = bare(inst, "restore", folder, check=False)
        self.assertNotEqual(done.returncode, 0)  # the core runs
        self.assertIn(b"OPPTATT", done.stderr)
        inst.core.stop()
        done = bare(inst, "restore", folder, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"is not empty", done.stderr)
        done = bare(inst, "backup", folder, check=False)
        self.assertNotEqual(done.returncode, 0)  # nothing is written over
