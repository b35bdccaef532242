"""Which key and which algorithms a submission may come under: legacy profiles where a key says so and nowhere else, and
keys whose time is over."""

import hashlib
import json
import os
import pwd
import shutil
import subprocess
import unittest
import uuid

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
            cls.shared.ctl("keys", "generate", "--kind", "message", "--id", f"NETT-{name}", "--profile", f"legacy-net:{name}")
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
        inst.ctl("keys", "generate", "--kind", "message", "--id", "TPF-2027")
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

    def as_user(self, inst, user, *arguments):
        """tpfctl as somebody else of the operators' group."""
        entry = pwd.getpwnam(user)
        command = ["setpriv", f"--reuid={entry.pw_uid}", "--regid=operator", "--clear-groups", env.BIN / "tpfctl",
                   "--json", "--socket", inst.folder / "core.sock", *arguments]
        done = subprocess.run([str(a) for a in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=env.DEADLINE)
        return json.loads(done.stdout)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root: asks as other users")
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
        asked = self.as_user(inst, "daemon", "keys", "destroy", "SIGN-2026", *why)
        self.assertNotIn("error", asked)
        self.assertEqual(asked["result"]["destroy_request"]["by"], "daemon")
        self.assertIn("daemon wants it destroyed", inst.ctl("keys", "list").stdout.decode())
        confirm = ("keys", "destroy", "SIGN-2026", "--confirm", *why)
        self.assertEqual(self.as_user(inst, "daemon", *confirm)["error"]["code"], "IKKE_ADGANG")
        self.assertEqual(inst.ctl(*confirm, check=False, json_output=True)["error"]["code"], "IKKE_ADGANG")
        self.assertTrue(list((inst.folder / "keyring").glob("SIGN-2026.*")))
        self.assertEqual(self.as_user(inst, "bin", *confirm)["result"]["state"], "destroyed")
        self.assertFalse(list((inst.folder / "keyring").glob("SIGN-2026.*")))
        shown = inst.ctl("keys", "show", "SIGN-2026").stdout.decode()
        self.assertIn("by bin: a rehearsal", shown)
        events = [e for e in inst.ctl("audit", "show", "--limit", "1000", json_output=True)["entries"] if e["kind"] == "key"]
        done = [(e["actor"], e["fields"].get("action"), e["fields"].get("state") or e["fields"].get("refused")) for e in events[-6:]]
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
