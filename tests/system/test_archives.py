"""The log's years: closed, archived, verified without the installation, and what a backup that was put back does to them."""

import base64
import datetime
import json
import os
import shutil
import unittest

import env
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from log_case import WHY, LogCase, verifier


@unittest.skipUnless((env.BIN / "tpf-clock-shift.so").exists(), "needs tpf-clock-shift.so")
class Archives(LogCase):
    @staticmethod
    def shifted(inst):
        """Puts the core's clock into later years."""
        shift = inst.folder / "shift"
        inst.wrap["core"] = ["env", f"LD_PRELOAD={env.BIN / 'tpf-clock-shift.so'}", f"TPF_CLOCK_SHIFT={shift}"]
        now = datetime.datetime.now(datetime.timezone.utc)

        def start(years):
            if inst.core and inst.core.running:
                assert inst.core.stop() == 0
            then = now.replace(year=now.year + years, month=1, day=20) if years else now
            shift.write_text(f"{int((then - now).total_seconds())}\n")
            inst.start_core()
        return now.year, start

    @staticmethod
    def archive_verdict(inst, *arguments, keys, witnesses=()):
        """Exit status, and what is said in JSON (None: an error)."""
        options = [part for key in keys for part in ("--key", key)] + [part for key in witnesses for part in ("--witness", key)]
        done = inst.ctl("--json", "audit", "verify", "--archive", *arguments, *options, check=False)
        return done.returncode, json.loads(done.stdout).get("result")

    def test_years_are_closed_and_archived(self):
        inst = self.installation()
        inst.start()
        year, start = self.shifted(inst)
        self.delivered(inst)
        for later in (1, 2, 3):
            start(later)
            self.delivered(inst)
        entries = inst.ask("audit show", limit=1000)["entries"]
        closing = [e for e in entries if e["kind"] == "segment-closed"]
        ends = [e["seq"] for e in closing]
        self.assertEqual([(e["fields"]["year"], e["fields"]["first"]) for e in closing],
                         [(str(year), "1"), (str(year + 1), str(ends[0] + 1)), (str(year + 2), str(ends[1] + 1))])
        self.assertIn(f"{year + 3}  entries {ends[2] + 1} on: under way", inst.ctl("audit", "segments").stdout.decode())

        out = inst.folder / "tmp/arkiv"
        names = [f"{year + i}-{end}" for i, end in enumerate(ends)]
        said = inst.ctl("audit", "archive", out, *WHY, json_output=True)
        self.assertEqual((said["archived"], said["there already"]), (names, []))
        # What was cosigned since is added to what is there.
        (out / names[1] / "cosigned/IPLOS").unlink()
        again = inst.ctl("audit", "archive", out, *WHY, json_output=True)
        self.assertEqual((again["archived"], again["there already"]), ([], names))
        self.assertTrue((out / names[1] / "cosigned/IPLOS").exists())
        self.assertEqual(sorted(p.name for p in out.iterdir()), names)
        # Another log's segment under that name is told of, and left.
        other = inst.folder / "tmp/other"
        shutil.copytree(out, other)
        header = other / names[0] / "segment.json"
        header.write_text(header.read_text().replace("/tpf/", "/tpg/"))
        refused = inst.ctl("audit", "archive", other, *WHY, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"of another log", refused.stderr)
        # A reading of one year gives nothing of another.
        reading = inst.ask("audit archive", last=ends[1], reason="a test")["reading"]
        page = inst.ask("audit archive", reading=reading, after=0)["entries"]
        self.assertEqual([json.loads(page[0])["seq"], json.loads(page[-1])["seq"]], [ends[0] + 1, ends[1]])
        for after in (ends[1], ends[1] + 1, 2**63, 2**64 - 1):
            self.assertEqual(inst.ask("audit archive", reading=reading, after=after)["entries"], [])
        log, witness, origin = self.vkeys(inst)
        self.assertEqual(inst.core.stop(), 0)
        stranger = self.vkey(origin, 1, Ed25519PrivateKey.generate())

        def verdict(*arguments, keys=(log,), witnesses=(witness,)):
            return self.archive_verdict(inst, *arguments, keys=keys, witnesses=witnesses)

        def faults(*arguments, **more):
            status, told = verdict(*arguments, **more)
            self.assertEqual((status, told["good"]), (1, False))
            return {one["folder"]: one.get("fault") for one in told["segments"]}, told["gaps"]
        status, told = verdict(out)
        self.assertEqual((status, [one["cosigned_by"][0]["witness"] for one in told["segments"]]), (0, ["IPLOS"] * 3))
        whole_text = inst.ctl("audit", "verify", "--archive", out, "--key", log).stdout.decode()
        self.assertIn(f"log        {origin}", whole_text)
        verifier.verify_archive(out, (log, witness))
        # Keys are changed over the years: each may be given.
        self.assertEqual(verdict(out, keys=(stranger, log), witnesses=(self.vkey("IPLOS", 4, Ed25519PrivateKey.generate()), witness))[0], 0)
        self.assertEqual(set(faults(out, keys=(stranger,))[0]), set(names))
        # What is no segment is passed over; what is missing in between leaves open whether it is one log.
        (out / "lost+found").mkdir()
        self.assertEqual(verdict(out)[0], 0)
        (out / names[1]).rename(inst.folder / "tmp/aside")
        found, gaps = faults(out)
        self.assertEqual((set(found.values()), gaps), ({None}, [f"entries {ends[0] + 1} to {ends[1]}"]))
        with self.assertRaises(verifier.Wrong):
            verifier.verify_archive(out, (log, witness))
        (inst.folder / "tmp/aside").rename(out / names[1])
        status, told = verdict(out / names[2])
        self.assertEqual((status, told["gaps"]), (0, [f"entries 1 to {ends[1]}"]))
        # The same twice.
        shutil.copytree(out / names[1], out / "2000-1")
        self.assertIn("its entries are in the segment before it too", faults(out)[0].values())
        shutil.rmtree(out / "2000-1")
        self.assertEqual(verdict(out / "none"), (1, None))
        for wrong in (("--archive", ""), ("--archive", out), ("--key", log)):
            self.assertNotEqual(inst.ctl("audit", "verify", *wrong, check=False).returncode, 0)

        # Tampers: each is found by both, and the other years' verdicts stand.
        whole = {path: path.read_bytes() for path in (out / names[0]).rglob("*") if path.is_file()}
        entries_file, header, note, offer = (out / names[0] / part for part in ("entries.jsonl", "segment.json", "checkpoint", "cosigned/IPLOS"))
        lines = whole[entries_file].splitlines(keepends=True)
        old, proof, *rest = whole[offer].split(b"\n")
        self.assertEqual(len(base64.b64decode(proof)), 32)
        proof = base64.b64encode(bytes([base64.b64decode(proof)[0] ^ 1]) + base64.b64decode(proof)[1:])
        tampers = {"the cosignature's proof": (offer, b"\n".join([old, proof, *rest])),
                   "an entry left out": (entries_file, b"".join(lines[:3] + lines[4:])),
                   "two entries changed places": (entries_file, b"".join([lines[1], lines[0], *lines[2:]])),
                   "the end cut off": (entries_file, b"".join(lines[:-1])),
                   "a line's end cut off": (entries_file, b"".join(lines)[:-1]),
                   "an entry twice": (entries_file, b"".join([*lines, lines[-1]])),
                   "another who did it": (entries_file, b"".join(lines).replace(b'"actor":"tpfd"', b'"actor":"kari"', 1)),
                   "another year": (header, whole[header].replace(str(year).encode(), str(year - 1).encode(), 1)),
                   "another origin": (header, whole[header].replace(b"/tpf/", b"/tqf/", 1)),
                   "no header": (header, b"{}\n"),
                   "zeros without an end": (entries_file, bytes(3 << 20)),
                   "another segment's checkpoint": (note, (out / names[1] / "checkpoint").read_bytes()),
                   "another segment's cosignature": (offer, (out / names[1] / "cosigned/IPLOS").read_bytes())}
        for byte in range(0, len(whole[entries_file]), 97):
            data = bytearray(whole[entries_file])
            data[byte] ^= 1 << byte % 7
            tampers[f"a bit of byte {byte}"] = (entries_file, bytes(data))
        for name, (path, data) in tampers.items():
            with self.subTest(name):
                self.assertNotEqual(data, whole[path])
                path.write_bytes(data)
                try:
                    found, _ = faults(out)
                    self.assertIsNotNone(found[names[0]])
                    self.assertEqual((found[names[1]], found[names[2]]), (None, None))
                    with self.assertRaises(verifier.Wrong):
                        verifier.verify_segment(out / names[0], (log, witness))
                finally:
                    path.write_bytes(whole[path])
        entries_file.unlink()
        os.mkfifo(entries_file)
        self.assertIsNotNone(faults(out)[0][names[0]])
        entries_file.unlink()
        entries_file.write_bytes(whole[entries_file])
        self.assertEqual(verdict(out)[0], 0)
        offer.unlink()
        self.assertEqual(set(filter(None, faults(out)[0].values())), {"no such witness has cosigned it"})
        self.assertEqual(verdict(out, witnesses=())[0], 0)

    def test_years_of_two_histories_are_not_one_log(self):
        """One key, one origin, the same numbers, other entries: as after a backup that was put back by hand."""
        inst = self.installation()
        year, start = self.shifted(inst)
        start(0)
        self.assertEqual(inst.core.stop(), 0)
        for part in ("journal", "spool"):
            shutil.copytree(inst.folder / part, inst.folder / "tmp" / part)
        logs = []
        for history in ("first", "second"):
            for years in (0, 1, 2):
                start(years)
                inst.wait_state(inst.submit(self.good().build()), "committed")
            logs.append(inst.folder / "tmp" / history)
            inst.ctl("audit", "archive", logs[-1], *WHY)
            log, _, _ = self.vkeys(inst)
            self.assertEqual(inst.core.stop(), 0)
            for part in ("journal", "spool"):
                shutil.rmtree(inst.folder / part)
                shutil.copytree(inst.folder / "tmp" / part, inst.folder / part)
        names = [sorted(p.name for p in folder.iterdir()) for folder in logs]
        self.assertEqual(names[0], names[1])
        for folder in logs:
            self.assertEqual(self.archive_verdict(inst, folder, keys=(log,))[0], 0)
        mixed = inst.folder / "tmp/mixed"
        shutil.copytree(logs[0] / names[0][0], mixed / names[0][0])
        shutil.copytree(logs[1] / names[1][1], mixed / names[1][1])
        status, told = self.archive_verdict(inst, mixed, keys=(log,))
        self.assertEqual((status, [one.get("fault") for one in told["segments"]]), (1, [None, "it does not follow from the segment before it"]))
        with self.assertRaises(verifier.Wrong):
            verifier.verify_archive(mixed, (log,))

    @unittest.skipUnless(os.geteuid() == 0, "needs root: files of several users are put back")
    def test_a_restore_across_a_years_end(self):
        """The year is closed and archived, the machine is lost, an older backup is put back and closes that year in another way."""
        inst = self.installation().start()
        year, start = self.shifted(inst)
        start(0)
        self.delivered(inst)
        inst.ctl("backup", inst.folder / "backup")
        old_origin = self.vkeys(inst)[2]
        self.delivered(inst)
        start(1)
        self.delivered(inst)
        old = inst.folder / "tmp/old"
        inst.ctl("audit", "archive", old, *WHY)
        keys = list(self.vkeys(inst)[:2])
        for process in (inst.core, inst.forward):
            process.kill()
        for part in (inst.spool, inst.folder / "journal"):
            shutil.rmtree(part)
        env.run([env.BIN / "tpfctl", "--config", inst.config, "restore", inst.folder / "backup"])
        start(1)
        log, witness, origin = self.vkeys(inst)
        self.assertNotEqual(origin, old_origin)
        inst.registers["IPLOS"].stop()
        inst.start_register(extra=("--log-origin", origin))
        inst.start_forward()
        self.delivered(inst)
        start(2)
        self.delivered(inst)
        # What is archived already is left: it is what shows that there were entries that are lost.
        before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
        refused = inst.ctl("audit", "archive", old, *WHY, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(b"under another origin", refused.stderr)
        self.assertEqual(before, {path: path.read_bytes() for path in old.rglob("*") if path.is_file()})
        new = inst.folder / "tmp/new"
        inst.ctl("audit", "archive", new, *WHY)
        for folder, name, given in ((old, old_origin, keys), (new, origin, [log, witness])):
            status, told = self.archive_verdict(inst, folder, keys=given[:1], witnesses=given[1:])
            self.assertEqual((status, {one.get("origin", one.get("fault")) for one in told["segments"]}), (0, {name}))
            verifier.verify_archive(folder, given)
        # Each name that the log was given is told, with why.
        first, second = told["segments"]
        self.assertEqual((first["year"], second["year"]), (year, year + 1))
        self.assertEqual([(change["origin"], change["previous"], change["reason"]) for change in first["origins"]],
                         [(old_origin, "", ""), (origin, old_origin, "restored from a backup")])
        self.assertEqual(second["origins"], [])
        text = inst.ctl("audit", "verify", "--archive", new, "--key", log).stdout.decode()
        self.assertIn(f'the log is called "{origin}", before that "{old_origin}"; reason: "restored from a backup"', text)

    def test_a_name_that_no_entry_gave(self):
        """Made by whoever has the log's key: all is signed, and still the log cannot change its name in silence."""
        inst, key = self.installation(), Ed25519PrivateKey.generate()

        def segment(folder, year, peaks, first, entries, origin):
            """Its peaks (with the number of leaves below each) after it."""
            before = [base64.b64encode(peak).decode() for _, peak in peaks]
            rows = [*entries, ("segment-closed", {"first": str(first), "year": str(year)})]
            place = folder / f"{year}-{first + len(rows) - 1}"
            place.mkdir(parents=True)
            lines, time = [], int(datetime.datetime(year, 6, 1, tzinfo=datetime.timezone.utc).timestamp())
            for number, (kind, fields) in enumerate(rows, first):
                lines.append(verifier.entry_bytes((number, time, kind, "tpfd", None, json.dumps(fields, separators=(",", ":"), sort_keys=True), None), number))
                peak = (1, verifier.leaf_hash(lines[-1]))
                while peaks and peaks[-1][0] == peak[0]:
                    count, left = peaks.pop()
                    peak = (2 * count, verifier.node_hash(left, peak[1]))
                peaks.append(peak)
            (place / "entries.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
            header = {"form": "tpf-segment-1", "origin": origin, "year": year, "first": first, "last": number, "before": before}
            (place / "segment.json").write_text(json.dumps(header, separators=(",", ":")) + "\n")
            text = f"{origin}\n{number}\n{base64.b64encode(verifier.fold([peak for _, peak in peaks])).decode()}\n"
            signature = bytes.fromhex(self.vkey(origin, 1, key).split("+")[1]) + key.sign(text.encode())
            (place / "checkpoint").write_text(f"{text}\n\u2014 {origin} {base64.b64encode(signature).decode()}\n")
            return number + 1

        named = [("log-origin", {"origin": "a.example/tpf/1"})]
        renamed = [("start", {}), ("log-origin", {"origin": "a.example/tpf/2", "previous": "a.example/tpf/1", "reason": "\u001b[2J why"})]
        cases = {"said by an entry": (renamed, "a.example/tpf/2", None),
                 "not said": ([("start", {})], "a.example/tpf/2", "it has another origin than the segment before it, and no entry says so"),
                 "another one said": (renamed, "a.example/tpf/3", "entry 4 gives the log another origin")}
        for number, (name, (entries, origin, fault)) in enumerate(cases.items()):
            with self.subTest(name):
                folder, peaks = inst.folder / f"tmp/{number}", []
                first = segment(folder, 2030, peaks, 1, named, "a.example/tpf/1")
                segment(folder, 2031, peaks, first, entries, origin)
                vkey = self.vkey(origin, 1, key)
                status, told = self.archive_verdict(inst, folder, keys=(vkey,))
                self.assertEqual((status, [one.get("fault") for one in told["segments"]]), (1 if fault else 0, [None, fault]))
                if fault:
                    with self.assertRaises(verifier.Wrong):
                        verifier.verify_archive(folder, (vkey,))
                    continue
                verifier.verify_archive(folder, (vkey,))
                # A stranger's text does nothing to the terminal.
                text = inst.ctl("audit", "verify", "--archive", folder, "--key", vkey).stdout
                self.assertNotIn(b"\x1b", text)
                self.assertIn(b'reason: "\\u001b[2J why"', text)
