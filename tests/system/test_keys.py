"""Which key and which algorithms a submission may come under: legacy profiles where a key says so and nowhere else, and
keys whose time is over."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import pwd
import re
import shutil
import shutil
import subprocess
import time
import unittest
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import bad_input
import env
import submission as s
from case import Case

# Two ways of sealing with the old algorithms; each is what one legacy key takes.
RSA_1_5 = {"transport": s.RSA_1_5, "cipher": s.AES256_CBC}
OAEP = {"transport": s.OAEP_MGF1P, "cipher": s.AES256_CBC}


def published(inst):
    """The public keys of the core's key file as it would be published now."""
    out = inst.folder / "tmp" / "nokler-nye.xml"
    inst.ctl("keys", "publish", "--out", out)
    return s.read_key_file(out.read_bytes())


class Legacy(Case):
    """`legacy-net` keys (docs/message-format.md, "Algorithms")."""
    shared_settings = {"sources": {"epj": f'kind = "folder"\nuser = "{os.getuid()}"'}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("rsa-1_5", "rsa-oaep-mgf1p"):
            cls.shared.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", f"NETT-{name}", "--profile", f"legacy-net:{name}")
        keys = published(cls.shared)
        cls.rsa15, cls.oaep = keys["TPF", "NETT-rsa-1_5"], keys["TPF", "NETT-rsa-oaep-mgf1p"]

    def deliver(self, message):
        row = self.shared.wait_state(self.shared.submit(message.build()), "delivered", "quarantined")
        self.assertEqual((row["state"], row.get("code")), ("delivered", None), row.get("reason"))
        return row

    def refuse(self, message, code):
        data = message.build()
        return self.assert_quarantined(self.shared, self.shared.submit(data), code, data)

    def test_taken_under_a_key_that_says_so(self):
        for key, seal in ((self.rsa15, RSA_1_5), (self.oaep, OAEP)):
            with self.subTest(key.id):
                row = self.deliver(self.good().but(tpf_key=key, seal=seal))
                self.assertEqual(len(self.pseudonyms(self.shared, row)), 3)

    def test_same_persons_same_pseudonyms_as_under_a_modern_key(self):
        modern, old = self.good(), self.good().but(tpf_key=self.rsa15, seal=RSA_1_5)
        self.assertEqual(self.pseudonyms(self.shared, self.deliver(modern)), self.pseudonyms(self.shared, self.deliver(old)))

    def test_anything_else_is_refused_before_a_key_is_used(self):
        """The wrapped key is no ciphertext of that key: had it been used, the answer would be DEKRYPTERING."""
        junk = bytes([1]) + os.urandom(383)
        tpf = self.keys["TPF", "TPF-2026"]
        for name, key, seal in (
                ("CBC and RSA 1.5 under a modern key", tpf, RSA_1_5),
                ("CBC and OAEP under a modern key", tpf, OAEP),
                ("RSA 1.5 and GCM under a modern key", tpf, {"transport": s.RSA_1_5}),
                ("GCM under a legacy key", self.rsa15, {"transport": s.RSA_1_5}),
                ("AES-128-GCM under a legacy key", self.rsa15, {"transport": s.RSA_1_5, "cipher": s.AES128_GCM}),
                ("OAEP under a key for RSA 1.5", self.rsa15, OAEP),
                ("OAEP 1.1 under a key for RSA 1.5", self.rsa15, {"transport": s.OAEP, "cipher": s.AES256_CBC}),
                ("RSA 1.5 under a key for OAEP", self.oaep, RSA_1_5),
                ("GCM under a key for OAEP", self.oaep, {"transport": s.OAEP_MGF1P}),
                ("3DES under a legacy key", self.rsa15, {"transport": s.RSA_1_5, "cipher": s.DES3}),
                ("AES-128-CBC under a legacy key", self.rsa15, {"transport": s.RSA_1_5, "cipher": s.XENC + "aes128-cbc"})):
            with self.subTest(name):
                self.refuse(self.good().but(tpf_key=key, seal={**seal, "wrapped": junk}), "ALGORITME")

    def test_every_fault_of_the_content_is_one_answer(self):
        good, reasons = self.good().but(tpf_key=self.rsa15, seal=RSA_1_5), set()
        for name, message in (
                ("a bit of the content turned", good.but(outer_edit=bad_input.flip_content)),
                ("the last block turned", good.but(outer_edit=bad_input.flip_tag)),
                ("no such wrapped key", good.but(seal={**RSA_1_5, "wrapped": bytes([1]) + os.urandom(383)})),
                ("content not of whole blocks", good.but(seal={**RSA_1_5, "sealed": os.urandom(1601)})),
                ("AntallPersoner wrong", good.but(antall=9)),
                ("a comment inside", good.but(layer_edit=s.swap("<i:Person>", "<!-- x --><i:Person>"))),
                ("a number in Navn", good.but(navn=f"Kari {self.numbers[0]}")),
                ("not XML inside", good.but(layer_edit=s.swap("<i:Person>", "<i:Person")))):
            with self.subTest(name):
                message = message.but(header=s.replace(good.header, meldings_id=str(uuid.uuid4())))
                reasons.add(self.refuse(message, "DEKRYPTERING")["reason"])
        self.assertEqual(len(reasons), 1, reasons)

    def test_twenty_failures_suspend_the_key_until_an_operator_resumes_it(self):
        inst = self.installation(sources={"epj": f'kind = "folder"\nuser = "{os.getuid()}"'})
        inst.start()
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "NETT", "--profile", "legacy-net:rsa-1_5")
        key = published(inst)["TPF", "NETT"]
        good = lambda: self.good().but(tpf_key=key, seal=RSA_1_5)
        for i in range(20):
            self.assertNotIn("suspended", inst.ask("status")["keys"])
            inst.wait_state(inst.submit(good().but(outer_edit=bad_input.flip_tag).build()), "quarantined")
            if i == 10:  # across a restart
                self.assertEqual(inst.core.stop(), 0)
                inst.start_core()
        self.assertEqual(inst.ask("status")["keys"]["suspended"], ["NETT"])
        self.assertIn("NETT is suspended", inst.ctl("status").stdout.decode())
        self.assertIn("tpfctl keys resume NETT", inst.ctl("keys", "list").stdout.decode())
        # Good or bad: it waits, and nobody is told anything.
        waiting = [inst.submit(m.build()) for m in (good(), good().but(outer_edit=bad_input.flip_tag))]
        env.until("both to wait", lambda: len(inst.ask("status")["waiting"]) == 2)
        self.assertEqual([inst.row(m)["state"] for m in waiting], ["claimed"] * 2)
        # Other keys go on.
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.ctl("keys", "resume", "NETT", "--reason", "the sender has mended its program")
        inst.wait_state(waiting[0], "delivered")
        inst.wait_state(waiting[1], "quarantined")
        self.assertNotIn("suspended", inst.ask("status")["keys"])
        events = [e for e in inst.ctl("audit", "show", "--limit", "1000", json_output=True)["entries"] if e["kind"] == "key"]
        self.assertEqual([(e["fields"]["action"], e["fields"].get("reason")) for e in events[-3:]],
                         [("suspended", None), ("resume", "the sender has mended its program"), ("resume", None)])
        self.assertEqual((events[-3]["actor"], events[-3]["fields"]["id"], events[-3]["fields"]["failures"]), ("tpfd", "NETT", "20"))
        self.assertTrue(events[-3]["message"])
        self.assertEqual(inst.ctl("keys", "resume", "TPF-2026", "--reason", "x", check=False).returncode, 1)

    def test_persons_are_never_sealed_so(self):
        self.refuse(self.good().but(seal_person=RSA_1_5), "ALGORITME")

    def hand_over(self, data, **record):
        """As a source's program does; without a sender unless `record` names one."""
        message = str(uuid.uuid4())
        entry = self.shared.spool / "inbox/tmp" / message
        entry.mkdir()
        (entry / "innsending.xml").write_bytes(data)
        fields = {"form": "tpf-kilde-1", "id": message, "kilde": "epj", **record, "mottatt": "2027-01-04T09:31:07Z",
                  "lengde": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        text = json.dumps(fields, separators=(",", ":"))[:-1]
        (entry / "kilde.json").write_text(text + f',"slutt":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n')
        entry.rename(self.shared.spool / "inbox/new" / message)
        return message

    def test_only_from_a_source_that_authenticated_the_sender(self):
        data = self.good().but(tpf_key=self.rsa15, seal=RSA_1_5).build()
        self.assert_quarantined(self.shared, self.hand_over(data), "ALGORITME", data, source="epj")
        known = self.good().but(tpf_key=self.rsa15, seal=RSA_1_5)
        message = self.hand_over(known.build(), avsender=known.header.sender)
        self.assertEqual(self.shared.wait_state(message, "delivered", "quarantined")["state"], "delivered")


class Modern(Case):
    """What `modern` takes, each way through all the programs."""
    shared_settings = {}

    def test_every_transport_with_every_cipher(self):
        for transport in (s.OAEP, s.OAEP_MGF1P):
            for cipher in (s.AES256_GCM, s.AES128_GCM):
                with self.subTest(transport=transport, cipher=cipher):
                    seal = {"transport": transport, "cipher": cipher}
                    row = self.shared.wait_state(self.shared.submit(self.good(seal=seal, seal_person=seal).build()), "delivered", "quarantined")
                    self.assertEqual((row["state"], row.get("code")), ("delivered", None), row.get("reason"))
                    self.assertEqual(len(self.pseudonyms(self.shared, row)), 3)

    def test_other_spellings_of_the_same(self):
        """Byte order mark, no declaration, quotes, prefixes, white space, ignored attributes, references in base64."""
        for name, good in (
                ("byte order mark", self.good(outer_edit=lambda d: b"\xef\xbb\xbf" + d)),
                ("no declaration", self.good(outer_edit=lambda d: d[d.index(b"\n") + 1:])),
                ("single quotes", self.good(outer_edit=lambda d: d.replace(b'"', b"'"))),
                ("other prefixes", self.good(outer_edit=lambda d: d.replace(b"xenc:", b"e:").replace(b"xmlns:xenc=", b"xmlns:e="))),
                ("white space between", self.good(outer_edit=lambda d: d.replace(b"><", b">\r\n\t <"))),
                ("ignored attributes", self.good(outer_edit=s.swap("<xenc:EncryptedKey>", '<xenc:EncryptedKey Id="k" Recipient="TPF">'))),
                ("references in base64", self.good(outer_edit=lambda d: d.replace(b"</xenc:CipherValue>", b"&#13;&#xA;</xenc:CipherValue>"))),
                ("telephone with 0047", self.good(mobil="0047 98 76 54 32")), ("telephone with +47", self.good(mobil="+4798765432"))):
            with self.subTest(name):
                row = self.shared.wait_state(self.shared.submit(good.build()), "delivered", "quarantined")
                self.assertEqual((row["state"], row.get("code")), ("delivered", None), row.get("reason"))


class Expired(Case):
    TEXT = "Meldingen er kryptert med en utløpt nøkkel. Hent ny nøkkelfil og krypter på nytt."

    @unittest.skipUnless((env.BIN / "tpf-clock-shift.so").exists(), "needs tpf-clock-shift.so")
    def test_a_message_under_an_expired_key(self):
        inst = self.installation()
        shift = inst.folder / "shift"
        shift.write_text("0\n")
        moved = {"LD_PRELOAD": str(env.BIN / "tpf-clock-shift.so"), "TPF_CLOCK_SHIFT": str(shift)}
        inst.wrap["core"] = ["env", *(f"{k}={v}" for k, v in moved.items())]
        inst.start()
        inst.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-2027")
        late = [self.good().build() for _ in range(2)]
        # Past the key's last day: no sender encrypts with it any more …
        shift.write_text(f"{3 * 366 * 86400}\n")
        export = inst.folder / "tmp/export.xml"
        env.generate(export, 2)
        done = env.run([env.BIN / "tpf-krypt", "--iplos", export, "--nokler", inst.key_file, "--epost", "k@k.example", "--navn", "Kari",
                        "--mobil", "98765432", "--ut", inst.folder / "tmp/ut.xml"], check=False, env=moved)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.decode().startswith("Feil: "), done.stderr)
        self.assertFalse((inst.folder / "tmp/ut.xml").exists())
        # … but what was on its way is still taken, until the key's state says otherwise.
        self.assertEqual(inst.wait_state(inst.submit(late[0]), "delivered", "quarantined")["state"], "delivered")
        inst.ctl("keys", "retire", "TPF-2026", "--reason", "no sender uses it any more")
        message = inst.submit(late[1])
        self.assert_quarantined(inst, message, "NOKKEL_UTLOPT", late[1])
        answer = inst.kvittering(message)
        self.assertEqual((answer["status"], answer["feil"]), ("under behandling", {"kode": "NOKKEL_UTLOPT", "melding": self.TEXT}))
        self.assertEqual(answer["avsender"], env.SENDER)
        self.assertIn("NOKKEL_UTLOPT", inst.ctl("queue", "show", message).stdout.decode())
        inst.ctl("queue", "retry", message, "--reason", "the same again")
        self.assert_quarantined(inst, message, "NOKKEL_UTLOPT", late[1])
        # Nothing was lost: taken back into use, the key opens it.
        inst.ctl("keys", "accept", "TPF-2026", "--reason", "one sender still did")
        inst.ctl("queue", "retry", message, "--reason", "the key accepts again")
        inst.wait_state(message, "delivered")
        self.assertEqual(inst.kvittering(message, status="levert")["antallPersoner"], 3)


class Life(Case):
    """A key from `keys generate --prepared` to `keys destroy`, each step by its own command and name."""

    @unittest.skipUnless(env.AS_OTHERS, "needs root: asks as other users")
    def test_from_prepared_to_destroyed(self):
        inst = self.installation(operators_group="operator")
        inst.start_core()
        why = ("--reason", "a rehearsal")
        inst.ctl("keys", "generate", "--kind", "signing", "--id", "SIGN-2027", "--prepared", *why)
        before, prepared = inst.folder / "tmp/before.pem", inst.folder / "tmp/prepared.pem"
        inst.ctl("keys", "signing", "--out", before)
        inst.ctl("keys", "signing", "--id", "SIGN-2027", "--out", prepared)
        self.assertNotEqual(before.read_text(), prepared.read_text())
        inst.ctl("keys", "activate", "SIGN-2027", *why)
        inst.ctl("keys", "signing", "--out", before)
        self.assertEqual(before.read_text(), prepared.read_text())
        refused = inst.ctl("keys", "destroy", "SIGN-2026", *why, check=False, json_output=True)["error"]
        self.assertEqual(refused["code"], "BRUK")
        self.assertIn("keys retire", refused["hint"])
        inst.ctl("keys", "retire", "SIGN-2026", *why)
        # One asks, another one confirms; whoever asked, root and strangers do not.
        asked = inst.ctl_as("daemon", "keys", "destroy", "SIGN-2026", *why)
        self.assertNotIn("error", asked)
        self.assertEqual(asked["result"]["destroy_request"]["by"], "daemon")
        self.assertIn("daemon wants it destroyed", inst.ctl("keys", "list").stdout.decode())
        confirm = ("keys", "destroy", "SIGN-2026", "--confirm", *why)
        self.assertEqual(inst.ctl_as("daemon", *confirm)["error"]["code"], "IKKE_ADGANG")
        self.assertEqual(inst.ctl(*confirm, check=False, json_output=True)["error"]["code"], "IKKE_ADGANG")
        self.assertTrue(list((inst.folder / "keyring").glob("SIGN-2026.*")))
        self.assertEqual(inst.ctl_as("bin", *confirm)["result"]["state"], "destroyed")
        self.assertFalse(list((inst.folder / "keyring").glob("SIGN-2026.*")))
        shown = inst.ctl("keys", "show", "SIGN-2026").stdout.decode()
        self.assertIn("by bin: a rehearsal", shown)
        events = [e for e in inst.ctl("audit", "show", "--limit", "1000", json_output=True)["entries"] if e["kind"] == "key"]
        done = [(e["actor"], e["fields"].get("action"), e["fields"].get("refused") or e["fields"].get("state")) for e in events[-6:]]
        self.assertEqual(done, [("daemon", "destroy, confirmed", None), ("daemon", "destroy, confirmed", "IKKE_ADGANG"),
                                ("root", "destroy, confirmed", None), ("root", "destroy, confirmed", "IKKE_ADGANG"),
                                ("bin", "destroy, confirmed", None), ("bin", "destroy, confirmed", "destroyed")])
        # It still starts, and every key is good.
        self.assertEqual(inst.core.stop(), 0)
        inst.start_core()
        self.assertTrue(inst.ctl("keys", "check", json_output=True)["good"])

    def test_check_finds_the_damaged_key(self):
        inst = self.installation()
        inst.start_core()
        self.assertIn("all keys are good", inst.ctl("keys", "check").stdout.decode())
        file = next((inst.folder / "keyring").glob("PSEUDONYM-IPLOS-2.*"))
        file.write_text("tpf-pseudonym-key-1 AAAA\n")
        file.chmod(0o600)
        done = inst.ctl("keys", "check", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("FEIL_NOKKEL", done.stdout.decode())
        bad = [k["id"] for k in inst.ctl("keys", "check", check=False, json_output=True)["keys"] if not k["good"]]
        self.assertEqual(bad, ["PSEUDONYM-IPLOS-2"])

    def test_errors_have_a_hint(self):
        inst = self.installation()
        inst.start_core()
        for arguments in (("show", "NONE"), ("retire", "NONE", "--reason", "x"), ("activate", "TPF-2026", "--reason", "x"),
                          ("accept", "SIGN-2026", "--reason", "x"), ("retire", "PSEUDONYM-IPLOS-1", "--reason", "x"),
                          ("destroy", "TPF-2026", "--confirm", "--reason", "x")):
            with self.subTest(arguments):
                done = inst.ctl("keys", *arguments, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr.decode(), r"^error: .+\nhint: .+")
                self.assertTrue(inst.ctl("keys", *arguments, check=False, json_output=True)["error"]["hint"])


GUIDE = Path(__file__).resolve().parents[2] / "docs" / "key-management.md"


def guide_blocks():
    """The guide's commands: {name: [lines]}, from blocks that begin with ```sh NAME."""
    blocks, name = {}, None
    for line in GUIDE.read_text().splitlines():
        line = line.strip()
        if line.startswith("```"):
            name = line[6:] if name is None and line.startswith("```sh ") else None
            continue
        if name:
            blocks.setdefault(name, []).append(line)
    return blocks


def gf_multiply(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = (a << 1) ^ (0x11b if a & 0x80 else 0), b >> 1
    return product


def gf_inverse(a):
    return next(b for b in range(1, 256) if gf_multiply(a, b) == 1)


def unite(shares):
    """Shamir's scheme at x = 0, from {number: 32 bytes}: an implementation of its own."""
    secret = bytearray(32)
    for x, value in shares.items():
        weight = 1
        for other in shares:
            if other != x:
                weight = gf_multiply(weight, gf_multiply(other, gf_inverse(x ^ other)))
        for i, byte in enumerate(value):
            secret[i] ^= gf_multiply(weight, byte)
    return bytes(secret)


def share_lines(sheet):
    """The three lines of a sheet as a holder reads them, without their numbers."""
    return [line[1:].strip() for line in sheet.splitlines() if re.match(r"[123]  ", line)]


def share_value(sheet):
    bits = "".join(f"{'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.index(c):05b}" for line in share_lines(sheet)
                   for c in line.replace(" ", "")[:20])
    return bytes(int(bits[i:i + 8], 2) for i in range(0, 32 * 8, 8))


class Guide(Case):
    """docs/key-management.md, command by command."""
    REHEARSED = {"weekly", "backup", "rehearsal", "backup-end", "restore", "november", "january", "april", "version-begin",
                 "version-end", "signing", "signing-end", "destroy-first", "destroy-second"}

    ON_A_MACHINE = {"token", "token-key"}

    def test_every_block_of_the_guide_is_rehearsed(self):
        """Here, or with units on a booted machine."""
        self.assertEqual(set(guide_blocks()), self.REHEARSED | self.ON_A_MACHINE)
        inside = (Path(__file__).resolve().parents[1] / "machine/inside.sh").read_text()
        for name in self.ON_A_MACHINE:
            self.assertIn(f"guide {name} key-management.md", inside)

    def stage(self, **settings):
        """An installation whose keys are the guide's: TPF-2026 from 1 December 2026, one pseudonym key, one signing key."""
        inst = self.installation(**settings)
        path = inst.folder / "keyring/keyring.json"
        ring = json.loads(path.read_text())
        ring["keys"] = [k for k in ring["keys"] if k["id"] != "PSEUDONYM-IPLOS-2"]
        for key in ring["keys"]:
            if "validFrom" in key:
                key.update(validFrom="2026-12-01", validTo="2028-03-31" if key["kind"] == "message" else "2029-12-31")
        path.write_text(json.dumps(ring))
        next(path.parent.glob("PSEUDONYM-IPLOS-2.*")).unlink()
        (inst.folder / "tmp/safe").mkdir()
        wrapper = inst.folder / "tmp/bin/tpfctl"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {env.BIN}/tpfctl --config {inst.config} "$@"\n')
        wrapper.chmod(0o755)
        return inst

    def rehearse(self, inst, name, stdin=b"", user=None, check=True):
        """The block's output."""
        out = b""
        for line in guide_blocks()[name]:
            line = line.replace("/run/ceremony", f"{inst.folder}/tmp/ceremony").replace("/media/safe", f"{inst.folder}/tmp/safe")
            if line == "systemctl stop tpfd":
                self.assertEqual(inst.core.stop(), 0)
                continue
            if line == "systemctl start tpfd":
                inst.start_core()
                continue
            entry = pwd.getpwnam(user) if user else None
            command = (["setpriv", f"--reuid={entry.pw_uid}", "--regid=operator", "--clear-groups"] if user else []) + ["sh", "-ec", line]
            done = env.run(command, stdin=stdin, check=check, cwd=inst.folder / "tmp",
                           env={"PATH": f"{inst.folder}/tmp/bin:{os.environ['PATH']}", "CREDENTIALS_DIRECTORY": str(inst.folder / "credentials")})
            out += done.stdout + done.stderr
        return out.decode()

    def check_values(self, inst):
        return {k["id"]: k["check_value"] for k in inst.ctl("keys", "list", json_output=True)["keys"]}

    def test_backup_and_restore(self):
        inst = self.stage()
        inst.start()
        before = self.check_values(inst)
        row = inst.wait_state(inst.submit(self.good().build()), "delivered", "quarantined")
        pseudonyms = self.pseudonyms(inst, row)
        self.rehearse(inst, "weekly")
        self.rehearse(inst, "backup")
        made = inst.folder / "tmp/ceremony"
        self.assertEqual(sorted(p.name for p in made.iterdir()), ["keyring-backup.tpf"] + [f"share-{n}.txt" for n in range(1, 6)])
        self.assertEqual({oct(p.stat().st_mode & 0o777) for p in made.iterdir()}, {"0o600"})
        sheets = {n: (made / f"share-{n}.txt").read_text() for n in range(1, 6)}
        content = (made / "keyring-backup.tpf").read_text()

        def typed(*numbers, wrong=False):
            text = ""
            for number in numbers:
                lines = share_lines(sheets[number])
                if wrong:
                    lines = [lines[0], lines[1][::-1], *lines[1:]]
                text += "\n".join([str(number), *lines]) + "\n"
            return text.encode()
        told = self.rehearse(inst, "rehearsal", typed(5, 2, 3, wrong=True))
        self.assertIn("line 2: a typing error", told)
        for key, value in before.items():
            self.assertRegex(told, rf"{key} .* {value}")
        self.assertIn("nothing was written", told)
        entries = self.rehearse(inst, "backup-end")
        self.assertIn("action=backed up", entries)
        self.assertIn("action=backup", entries)
        self.assertFalse(made.exists())
        self.recover_by_hand(content, {n: share_value(sheets[n]) for n in (1, 3, 4)}, before)
        # The machine is lost. A new passphrase; too few, damaged and repeated shares bring nothing back.
        shutil.rmtree(inst.folder / "keyring")
        (inst.folder / "keyring").mkdir(mode=0o700)
        (inst.folder / "credentials/keyring-passphrase").write_text("quite another passphrase\n")
        self.assertEqual(inst.core.stop(), 0)
        files = {n: inst.folder / f"tmp/sheet-{n}" for n in sheets}
        for number, sheet in sheets.items():
            files[number].write_text(sheet)
        backup = inst.folder / "tmp/safe/keyring-backup.tpf"

        def refused(*arguments):
            done = env.run([env.BIN / "tpfctl", "--config", inst.config, "keys", "restore", "--backup", backup, "--reason", "x", *arguments],
                           check=False, env=inst.core_env)
            self.assertEqual(done.returncode, 1)
            return done.stderr.decode()
        self.assertIn("2 shares of the 3", refused(files[1], files[2]))
        self.assertIn("share 2 is there twice", refused(files[1], files[2], files[2]))
        files[2].write_text(sheets[2].replace("\n2  ", "\n2  Z"))
        self.assertIn("sheet-2: line 2: 26 characters", refused(files[1], files[2], files[3]))
        self.assertEqual(os.listdir(inst.folder / "keyring"), [])
        inst.start_core()
        self.assertIn("OPPTATT", refused(files[1], files[3], files[4]))
        told = self.rehearse(inst, "restore", typed(1, 4, 5))
        self.assertIn("all keys are good", told)
        self.assertEqual(self.check_values(inst), before)
        row = inst.wait_state(inst.submit(self.good().build()), "delivered", "quarantined")
        self.assertEqual(self.pseudonyms(inst, row), pseudonyms)
        events = [e["fields"] for e in inst.ctl("audit", "show", "--limit", "1000", json_output=True)["entries"] if e["kind"] == "key"]
        self.assertEqual([e["reason"] for e in events if e["action"] == "restored"], ["new machine, witness NN"])
        self.assertEqual(inst.core.stop(), 0)
        self.assertIn("holds a key ring already", refused(files[1], files[3], files[4]))

    def recover_by_hand(self, content, shares, check_values):
        """By the guide's last paragraph alone."""
        head, body = content.split("\n")[:2]
        head = head.removeprefix("tpf-keyring-backup-1 ")
        key = unite(shares)

        def mac(text):
            return hmac.new(key, text, "sha256").digest()
        self.assertEqual(mac(b"tpf-check-v1")[:8].hex(), json.loads(head)["backup"])
        sealed = base64.b64decode(body)
        plain = AESGCM(mac(b"tpf-keyring-backup-1\0" + head.encode())).decrypt(sealed[:12], sealed[12:], None)
        parts = []
        while plain:
            size = int.from_bytes(plain[:4], "big")
            parts.append(plain[4:4 + size])
            plain = plain[4 + size:]
        keys = json.loads(parts[0])["keys"]
        secrets = dict(zip((k["id"] for k in keys if k["kind"] in ("message", "pseudonym", "signing")), parts[1:], strict=True))
        secret = secrets["PSEUDONYM-IPLOS-1"]
        self.assertEqual(hmac.new(secret, b"tpf-check-v1", "sha256").digest()[:8].hex(), check_values["PSEUDONYM-IPLOS-1"])
        self.assertTrue(secrets["TPF-2026"].startswith(b"-----BEGIN PRIVATE KEY-----"))
        # Two shares are any key at all.
        few = dict(list(shares.items())[:2])
        self.assertNotEqual(unite(few), key)

    def test_no_backup_without_an_audit_entry(self):
        inst = self.stage()
        inst.start_core()
        self.assertEqual(inst.core.stop(), 0)
        with self.assertRaises(AssertionError):
            self.rehearse(inst, "backup")
        self.assertFalse((inst.folder / "tmp/ceremony").exists())

    def krypt(self, inst, key_file, out, moved):
        export = inst.folder / "tmp/export.xml"
        if not export.exists():
            env.generate(export, 2)
        env.run([env.BIN / "tpf-krypt", "--iplos", export, "--nokler", key_file, "--epost", "k@k.example", "--navn", "Kari",
                 "--mobil", "98765432", "--ut", out], env=moved)
        return out.read_bytes()

    @unittest.skipUnless((env.BIN / "tpf-clock-shift.so").exists(), "needs tpf-clock-shift.so")
    def test_the_change_of_1_december(self):
        inst = self.stage()
        shift = inst.folder / "shift"
        moved = {"LD_PRELOAD": str(env.BIN / "tpf-clock-shift.so"), "TPF_CLOCK_SHIFT": str(shift)}
        inst.wrap["core"] = ["env", *(f"{k}={v}" for k, v in moved.items())]

        def it_is(text):
            shift.write_text(f"{int(datetime.datetime.fromisoformat(text).timestamp() - time.time())}\n")
        files = {n: inst.folder / f"tmp/nokler-{n}.xml" for n in (1, 2, 3)}
        count = iter(range(100))

        def sends(edition):
            """The key that a sender with that key file takes now, and the message."""
            data = self.krypt(inst, files[edition], inst.folder / f"tmp/out-{next(count)}.xml", moved)
            return re.search(rb"KeyName>(TPF-\d+)<", data)[1].decode(), data

        def passes(edition, key):
            used, data = sends(edition)
            self.assertEqual(used, key)
            row = inst.wait_state(inst.submit(data), "delivered", "quarantined")
            self.assertEqual(row["state"], "delivered", row)
        it_is("2027-11-15T12:00:00+00:00")
        inst.start()
        inst.ctl("keys", "publish", "--out", files[1])
        self.rehearse(inst, "november")
        it_is("2027-11-30T22:58:00+00:00")  # 23:58 in Norway
        passes(1, "TPF-2026")
        passes(2, "TPF-2026")
        it_is("2027-11-30T23:00:05+00:00")
        passes(2, "TPF-2027")
        passes(1, "TPF-2026")  # a sender who lags behind
        it_is("2028-01-10T12:00:00+00:00")
        self.assertNotIn("TPF-2026: ends", inst.ctl("keys", "list").stdout.decode())
        it_is("2028-02-01T12:00:00+00:00")
        self.assertIn("TPF-2026: ends on 2028-03-31, in 59 days; its successor TPF-2027 is active", inst.ctl("keys", "list").stdout.decode())
        self.rehearse(inst, "january")
        self.assertEqual({k for k in s.read_key_file(files[3].read_bytes()) if k[0] == "TPF"}, {("TPF", "TPF-2027")})
        passes(1, "TPF-2026")
        passes(3, "TPF-2027")
        self.rehearse(inst, "april")
        used, data = sends(1)
        self.assertEqual(used, "TPF-2026")
        message = inst.submit(data)
        self.assert_quarantined(inst, message, "NOKKEL_UTLOPT", data)
        self.assertEqual(inst.kvittering(message)["feil"]["melding"], Expired.TEXT)
        self.assertIn(Expired.TEXT, GUIDE.read_text().replace("\n", " "))
        passes(3, "TPF-2027")

    def test_a_new_version_of_a_pseudonym_key(self):
        inst = self.stage()
        inst.start()

        def pseudonyms():
            row = inst.wait_state(inst.submit(self.good().build()), "delivered", "quarantined")
            self.assertEqual(row["state"], "delivered", row)
            version = re.search(rb'nokkelversjon="([0-9 ]+)"', inst.received(row["name"]))[1].decode()
            return version, self.pseudonyms(inst, row)

        def restart(versions):
            self.assertEqual(inst.core.stop(), 0)
            inst.register_settings = {"IPLOS": f"pseudonym_versions = {versions}"}
            inst.start_core()
        version, old = pseudonyms()
        self.assertEqual(version, "1")
        self.rehearse(inst, "version-begin")
        self.assertEqual(pseudonyms(), ("1", old))
        restart([2, 1])
        version, both = pseudonyms()
        self.assertEqual((version, [p[1:] for p in both]), ("2 1", old))
        with self.assertRaises(AssertionError):
            self.rehearse(inst, "version-end")
        # What was taken under both and is not delivered yet may have to be made again.
        self.assertEqual(inst.forward.stop(), 0)
        waiting = inst.submit(self.good().build())
        inst.wait_state(waiting, "committed")
        restart([2])
        answer = inst.ctl("keys", "retire", "PSEUDONYM-IPLOS-1", "--reason", "too early", check=False)
        self.assertNotEqual(answer.returncode, 0)
        self.assertIn(waiting, answer.stderr.decode())
        self.assertIn("was taken under settings that name version 1", answer.stderr.decode())
        inst.start_forward()
        inst.wait_state(waiting, "delivered")
        version, new = pseudonyms()
        self.assertEqual((version, new), ("2", [p[:1] for p in both]))
        self.rehearse(inst, "version-end")
        self.assertEqual(pseudonyms(), ("2", new))

    @unittest.skipUnless(env.AS_OTHERS, "needs root: asks as other users")
    def test_a_signing_key_is_changed_and_destroyed(self):
        inst = self.stage(operators_group="operator")
        inst.start_core()
        self.rehearse(inst, "signing")
        new = (inst.folder / "tmp/tpf-signing-2027.pem").read_text()
        self.rehearse(inst, "signing-end")
        inst.ctl("keys", "signing", "--out", inst.folder / "tmp/now.pem")
        self.assertEqual((inst.folder / "tmp/now.pem").read_text(), new)
        for folder in (inst.folder / "tmp", inst.folder / "tmp/bin"):
            folder.chmod(0o755)
        self.rehearse(inst, "destroy-first", user="daemon")
        with self.assertRaises(AssertionError):
            self.rehearse(inst, "destroy-second", user="daemon")
        self.rehearse(inst, "destroy-second", user="bin")
        self.assertFalse(list((inst.folder / "keyring").glob("SIGN-2026.*")))
        self.rehearse(inst, "weekly")


class Roots(Case):
    """Key files signed by roots that senders pin (docs/key-management.md, "Signed key files")."""

    def root(self, inst, *arguments, check=True, passphrase=b"offline\n"):
        return env.run([env.BIN / "tpfctl", "keys", "root", *arguments, "--passphrase-fd", "0"], check=check, stdin=passphrase)

    def test_a_signed_key_file_and_its_forgeries(self):
        inst = self.installation()
        inst.start_core()
        for owner in ("TPF", "IPLOS"):
            self.root(inst, "generate", "--owner", owner, "--out", inst.folder / f"root-{owner}")
        pinned = inst.folder / "rot.txt"
        pinned.write_bytes(b"".join((inst.folder / f"root-{owner}/root.txt").read_bytes() for owner in ("TPF", "IPLOS")))
        file, export = inst.folder / "nokler-2.xml", inst.folder / "eksport.xml"
        env.generate(export, 2)
        first = inst.folder / "nokler-1.xml"
        inst.ctl("keys", "publish", "--edition", "1", "--out", first)
        inst.ctl("keys", "publish", "--out", file)
        self.assertIn('utgave="2"', file.read_text("utf-16"))
        again = inst.folder / "nokler-2-igjen.xml"
        inst.ctl("keys", "publish", "--edition", "2", "--out", again)
        self.assertEqual(again.read_bytes(), file.read_bytes())
        lower = inst.ctl("keys", "publish", "--edition", "1", "--out", again, check=False)
        self.assertEqual((lower.returncode, again.read_bytes()), (1, file.read_bytes()))
        self.assertIn("the next one is 3", lower.stderr.decode())
        inst.key_file = file

        def krypt():
            done = inst.krypt(export, inst.folder / "ut.xml", check=False, extra=("--rot", pinned))
            self.assertEqual(done.returncode == 0, (inst.folder / "ut.xml").exists())
            (inst.folder / "ut.xml").unlink(missing_ok=True)
            return done.stderr.decode()
        self.assertIn("Nøkkelfilen er ikke signert", krypt())
        self.root(inst, "sign", "--key", inst.folder / "root-TPF/root.pem", file)
        self.assertIn("ikke signert av IPLOS", krypt())
        self.root(inst, "sign", "--owner", "IPLOS", "--key", inst.folder / "root-IPLOS/root.pem", file)
        self.assertEqual(krypt(), "")
        # The format, judged by another implementation.
        for line in Path(f"{file}.sig").read_text().splitlines():
            owner, signature = line.split(" ")
            root = base64.b64decode((inst.folder / f"root-{owner}/root.txt").read_text().split(" ")[1])
            ed25519.Ed25519PublicKey.from_public_bytes(root).verify(
                base64.b64decode(signature), b"tpf-nokkelfil-v1\0" + owner.encode() + b"\0" + file.read_bytes())
        good = file.read_bytes()
        file.write_bytes(good[:-2] + " ".encode("utf-16-le"))
        self.assertIn("noen kan ha byttet filen", krypt())
        # An older one with good signatures.
        file.write_bytes(first.read_bytes())
        for owner in ("TPF", "IPLOS"):
            self.root(inst, "sign", "--owner", owner, "--key", inst.folder / f"root-{owner}/root.pem", file)
        self.assertIn("Nøkkelfilen er eldre (utgave 1) enn den som sist ble brukt (utgave 2)", krypt())
        # The root key is sealed, and a folder is never overwritten.
        self.assertIn(b"ENCRYPTED PRIVATE KEY", (inst.folder / "root-TPF/root.pem").read_bytes())
        self.assertEqual((inst.folder / "root-TPF/root.pem").stat().st_mode & 0o777, 0o600)
        wrong = self.root(inst, "sign", "--key", inst.folder / "root-TPF/root.pem", file, check=False, passphrase=b"other\n")
        self.assertEqual(wrong.returncode, 1)
        self.assertEqual(self.root(inst, "generate", "--out", inst.folder / "root-TPF", check=False).returncode, 1)
