"""Who gets which pseudonym: registers, key versions, kinds of numbers, installations, settings."""

import base64
import hashlib
import hmac
import os

import env
from case import Case


class TwoRegisters(Case):
    shared_settings = {"registers": env.REGISTERS, "register_settings": {
        "KPR": 'kinds = ["fodselsnummer", "d-nummer", "duf-nummer"]'}}

    def test_pseudonyms_of_two_registers_have_nothing_in_common(self):
        inst = self.shared
        numbers = env.numbers(8, "--kinds", "fodselsnummer")
        rows = {r: inst.wait_state(inst.submit(self.good(register=r, numbers=numbers).build()), "delivered", "quarantined")
                for r in env.REGISTERS}
        first, second = ([p[0][2:] for p in self.pseudonyms(inst, rows[r], r)] for r in env.REGISTERS)
        self.assertEqual((len(set(first)), len(set(second))), (8, 8))
        self.assertEqual({p[:8] for p in first} & {p[:8] for p in second}, set())
        self.assertIn(b'domene="KPR"', inst.received(rows["KPR"]["name"], "KPR")[:400])
        # Each register has only its own message.
        names = [{m["navn"] for m in inst.register_list(r)} for r in env.REGISTERS]
        self.assertEqual([rows[r]["name"] in names[i] for r in env.REGISTERS for i in (0, 1)], [True, False, False, True])

    def test_kinds_are_each_registers_own(self):
        inst = self.shared
        numbers = [env.numbers(1, "--kinds", kind)[0] for kind in ("fodselsnummer", "d-nummer", "duf-nummer", "fh-nummer")]
        marks = {}
        for register in env.REGISTERS:
            row = inst.wait_state(inst.submit(self.good(register=register, numbers=numbers).build()), "delivered", "quarantined")
            marks[register] = [p.get("feil") for p in inst.decrypt(row["name"], register)]
        self.assertEqual(marks, {"IPLOS": [None] * 4, "KPR": [None, None, None, "E31"]})

    def test_sealed_for_the_other_register(self):
        good = self.good(register="KPR")
        wrong = good.but(register_key=self.keys["IPLOS", "IPLOS-2026"]).build()
        self.assert_quarantined(self.shared, self.shared.submit(wrong), "REGISTERNOKKEL", wrong)


class Determinism(Case):
    def deliver(self, inst, data):
        inst.start()
        row = inst.wait_state(inst.submit(data), "delivered", "quarantined")
        self.assertEqual(row["state"], "delivered", row)
        return inst.received(row["name"]), row

    def test_two_installations_with_the_same_keys_make_the_same_bytes(self):
        data = self.good(numbers=[*self.numbers[:5], "", "1"]).build()
        results = [self.deliver(self.installation(**settings), data) for settings in (
            {}, {"name": "another", "log_level": "error", "sections": "[workers]\nthreads = 1"})]
        self.assertEqual(results[0][0], results[1][0])
        self.assertEqual(results[0][1]["output_sha256"], results[1][1]["output_sha256"])

    def test_the_key_of_an_earlier_installation(self):
        """Taken in from a credential; judged by Python's own HMAC and base32 (formats.md, section 4)."""
        inst = self.installation(register_settings={"IPLOS": "pseudonym_versions = [7]"})
        key = os.urandom(32)
        prefix = "pseudonym-key-"
        for name, content, mode in (("raw", key, 0o400), ("hex", key.hex().encode() + b"\n", 0o600), ("short", key[:31], 0o400),
                                    ("half", key[:16].hex().encode(), 0o400), ("zero", bytes(32), 0o400), ("open", key, 0o644)):
            (inst.folder / "credentials" / (prefix + name)).write_bytes(content)
            (inst.folder / "credentials" / (prefix + name)).chmod(mode)
        inst.start_register("IPLOS")
        inst.start_core()

        def take_in(credential, key_id="PSEUDONYM-IPLOS-7", version="7"):
            return inst.ctl("keys", "import", "--kind", "pseudonym", "--id", key_id, "--register", "IPLOS", "--version", version,
                            "--credential", credential, "--reason", "the old system's key", check=False)
        for credential, why in ((prefix + "short", "neither 32 bytes"), (prefix + "half", "neither 32 bytes"), (prefix + "zero", "no key"),
                                (prefix + "open", "chmod 0400"), (prefix + "../keyring-passphrase", "begins with"),
                                ("keyring-passphrase", "begins with"), (prefix + "none", "LoadCredentialEncrypted=")):
            refused = take_in(credential)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(why, refused.stderr.decode())
        self.assertEqual(take_in(prefix + "raw").returncode, 0)
        again = take_in(prefix + "hex", "P-8", "8")
        self.assertIn("this is the key PSEUDONYM-IPLOS-7", again.stderr.decode())
        inst.start_forward()
        row = inst.wait_state(inst.submit(self.good(numbers=self.numbers[:5]).build()), "delivered", "quarantined")
        expected = []
        for number in self.numbers[:5]:
            mac = hmac.new(key, b"tpf-pseudonym-v1\0IPLOS\0" + number.encode(), hashlib.sha256).digest()
            expected.append(["7-" + base64.b32encode(mac[:20]).decode().lower().rstrip("=")])
        self.assertEqual(self.pseudonyms(inst, row), expected)
        log = inst.ctl("audit", "show").stdout.decode()
        # What was tried is in the log, with what it was to become.
        for tried in ("short", "half", "zero", "open", "none", "raw", "hex"):
            self.assertRegex(log, f"credential={prefix}{tried}.*version=[78]|version=[78].*credential={prefix}{tried}")
        # And how it ended: refused, but for what could not be read.
        ended = [next(end for end in ("refused", "failed") if end in entry["fields"])
                 for entry in inst.ask("audit show", limit=1000)["entries"]
                 if entry["fields"].get("action") == "import" and {"refused", "failed"} & set(entry["fields"])]
        self.assertEqual(sorted(ended), ["failed"] + ["refused"] * 5)
        for secret in (key.hex(), base64.b64encode(key).decode()):
            self.assertNotIn(secret, log)

    def test_settings_are_those_of_the_claim(self):
        """A message that was held under one set of versions keeps it nowhere; one that was committed keeps it for ever."""
        inst = self.installation()
        inst.start_core()
        message = inst.submit(self.good().build())
        committed = inst.wait_state(message, "committed", "quarantined")
        env.until("the output", lambda: inst.entries("outbox") == [message])
        before = (inst.spool / "outbox" / message / "melding.xml").read_bytes()
        inst.core.stop()
        inst.register_settings = {"IPLOS": "pseudonym_versions = [2, 1]"}
        inst.start_core()
        inst.start_register()
        inst.start_forward()
        row = inst.wait_state(message, "delivered", "quarantined")
        self.assertEqual(inst.received(row["name"]), before)
        self.assertEqual(row["output_sha256"], committed["output_sha256"])

    def test_two_key_versions(self):
        numbers = [*self.numbers[:3], ""]
        old = self.installation()
        _, row = self.deliver(old, self.good(numbers=numbers).build())
        both = self.installation(register_settings={"IPLOS": "pseudonym_versions = [2, 1]"})
        message, row_both = self.deliver(both, self.good(numbers=numbers).build())
        self.assertIn(b'nokkelversjon="2 1"', message[:400])
        first = [p for p in self.pseudonyms(old, row) if p != "E30"]
        second = [p for p in self.pseudonyms(both, row_both) if p != "E30"]
        self.assertEqual([len(p) for p in second], [2, 2, 2])
        for one, two in zip(first, second):
            self.assertEqual(two[1], one[0])
            self.assertTrue(two[0].startswith("2-") and two[0][2:] != two[1][2:])
        self.assertEqual(message.count(b"feil="), 1)


class Production(Case):
    shared_settings = {"kind": "production"}

    def test_synthetic_numbers_are_wrong_on_a_production_installation(self):
        tenor, syntpop = env.numbers(2), env.numbers(2, "--synthetic", "syntpop", "--kinds", "fodselsnummer")
        real = env.numbers(2, "--production-like", "--kinds", "fodselsnummer")
        row = self.shared.wait_state(self.shared.submit(self.good(numbers=tenor + syntpop + real).build()), "delivered", "quarantined")
        self.assertEqual([p.get("feil") for p in self.shared.decrypt(row["name"])], ["E31"] * 4 + [None] * 2)

    def test_nothing_says_test_installation(self):
        self.shared.ctl("status")
        for log in ("tpfd.log", "forward.log", "register-IPLOS.log"):
            self.assertNotIn("TEST INSTALLATION", (self.shared.folder / log).read_text())
        self.assertNotIn(b"TEST INSTALLATION", self.shared.transcript.read_bytes())


class RealNumbersOnTest(Case):
    shared_settings = {"register_settings": {"IPLOS": 'on_invalid = "quarantine"'}}

    def test_real_looking_number_stops_the_message(self):
        real = env.numbers(1, "--production-like", "--kinds", "fodselsnummer")
        data = self.good(numbers=[self.numbers[0], real[0], ""]).build()
        message = self.shared.submit(data)
        row = self.assert_quarantined(self.shared, message, "UGYLDIG_NUMMER", data)
        self.assertEqual(row["without_pseudonym"], [{"person": 2, "code": "E31"}, {"person": 3, "code": "E30"}])
        self.assertEqual(self.shared.kvittering(message)["utenPseudonym"], [{"person": 2, "kode": "E31"}, {"person": 3, "kode": "E30"}])

    def test_all_good_passes(self):
        self.assertEqual(self.shared.wait_state(self.shared.submit(self.good().build()), "delivered", "quarantined")["state"], "delivered")
