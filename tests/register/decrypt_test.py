"""`tpf-register keys` and `decrypt` from outside: messages sealed by Python's cryptography package."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import outside

PROGRAM = None
TEXTS = ["<Tjeneste kode=\"1\">æøå &amp; 世界</Tjeneste>\n  <Diagnose/>", "", "<Data>" + "x" * 300_000 + "</Data>"]


def run(*args, **kwargs):
    return subprocess.run([PROGRAM] + list(args), capture_output=True, timeout=120, **kwargs)


class Keys(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tpf-register-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.keys = os.path.join(self.folder, "keys")

    def make(self, *options, **kwargs):
        return run("keys", "--register", "IPLOS", "--id", "IPLOS-2026", "--out", self.keys, *options, **kwargs)

    def openssl(self, name, *options):
        return subprocess.run(["openssl", "pkey", "-in", os.path.join(self.keys, name), "-noout", "-text"] + list(options),
                              capture_output=True, text=True)

    def test_two_pairs_that_openssl_reads(self):
        self.assertEqual(self.make().returncode, 0)
        self.assertEqual(os.stat(self.keys).st_mode & 0o777, 0o700)
        modes = {name: os.stat(os.path.join(self.keys, name)).st_mode & 0o777 for name in os.listdir(self.keys)}
        self.assertEqual(modes, {"IPLOS-2026.private.pem": 0o600, "IPLOS-2026.public.pem": 0o644,
                                 "IPLOS-2026-receipt.private.pem": 0o600, "IPLOS-2026-receipt.public.pem": 0o644})
        self.assertIn("(3072 bit", self.openssl("IPLOS-2026.private.pem").stdout)
        self.assertIn("ED25519", self.openssl("IPLOS-2026-receipt.private.pem").stdout)
        for pair in ("IPLOS-2026", "IPLOS-2026-receipt"):
            public = subprocess.run(["openssl", "pkey", "-in", os.path.join(self.keys, pair + ".private.pem"), "-pubout"],
                                    capture_output=True, check=True).stdout
            with open(os.path.join(self.keys, pair + ".public.pem"), "rb") as f:
                self.assertEqual(public, f.read())

    def test_nothing_is_overwritten(self):
        self.assertEqual(self.make().returncode, 0)
        for name in os.listdir(self.keys):
            if name != "IPLOS-2026-receipt.public.pem":
                os.remove(os.path.join(self.keys, name))
        self.assertEqual(self.make().returncode, 2)
        self.assertEqual(os.listdir(self.keys), ["IPLOS-2026-receipt.public.pem"])

    def test_sealed_under_a_passphrase(self):
        read, write = os.pipe()
        os.write(write, b"hemmelig\n")
        os.close(write)
        self.assertEqual(self.make("--passphrase-fd", str(read), pass_fds=[read]).returncode, 0)
        os.close(read)
        with open(os.path.join(self.keys, "IPLOS-2026.private.pem")) as f:
            self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", f.read())
        self.assertEqual(self.openssl("IPLOS-2026.private.pem", "-passin", "pass:hemmelig").returncode, 0)

    def test_refused(self):
        self.assertEqual(self.make("--bits", "2048").returncode, 2)
        self.assertEqual(run("keys", "--register", "iplos", "--id", "x", "--out", self.keys).returncode, 1)
        self.assertFalse(os.path.exists(self.keys))


class Decrypt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tpf-register-")
        subprocess.run([PROGRAM, "keys", "--register", "IPLOS", "--id", "IPLOS-2026", "--out", cls.folder], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(cls.folder, "IPLOS-2026.public.pem"), "rb") as f:
            cls.public_key = outside.serialization.load_pem_public_key(f.read())
        cls.private_path = os.path.join(cls.folder, "IPLOS-2026.private.pem")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.id = outside.new_id()

    def seal(self, text, position, meldings_id=None, **kwargs):
        return outside.seal(self.public_key, (outside.ref(meldings_id or self.id, position) + text).encode(), **kwargs)

    def person(self, position, sealed):
        return outside.person([outside.element(outside.pseudonym(position))], sealed)

    def decrypt(self, body, *options, key=None, **kwargs):
        path = os.path.join(self.folder, "message.xml")
        with open(path, "wb") as f:
            f.write(body)
        return run("decrypt", "--private-key", key or self.private_path, *options, path, **kwargs)

    def lines(self, result):
        return [json.loads(line) for line in result.stdout.splitlines()]

    def open_all(self, sealed):
        """The lines for a message of these persons, and the exit status."""
        persons = [self.person(n, one) for n, one in enumerate(sealed, 1)]
        result = self.decrypt(outside.message(self.id, persons), "--json")
        return self.lines(result), result.returncode

    def test_opened_as_sealed(self):
        lines, status = self.open_all([self.seal(text, n) for n, text in enumerate(TEXTS, 1)])
        self.assertEqual(status, 0)
        self.assertEqual(lines, [{"person": n, "pseudonym": [outside.pseudonym(n)], "data": text}
                                 for n, text in enumerate(TEXTS, 1)])

    def test_text(self):
        result = self.decrypt(outside.message(self.id, [self.person(1, self.seal(TEXTS[0], 1))]))
        self.assertEqual(result.stdout.decode(), "person 1: %s\n%s\n" % (outside.pseudonym(1), TEXTS[0]))

    def test_every_modern_algorithm(self):
        kinds = [dict(cipher=cipher, transport=transport) for cipher in ("aes256-gcm", "aes128-gcm")
                 for transport in ("rsa-oaep", "rsa-oaep-mgf1p")]
        lines, status = self.open_all([self.seal("<x/>", n, **kind) for n, kind in enumerate(kinds, 1)])
        self.assertEqual((status, [line["data"] for line in lines]), (0, ["<x/>"] * 4))

    def test_several_versions_and_a_fault(self):
        persons = [
            outside.person([outside.element(outside.pseudonym(1, 2)), outside.element(outside.pseudonym(1, 1))],
                           self.seal("<a/>", 1)),
            outside.person(['<p:Pseudonym feil="E31"/>'], self.seal("<b/>", 2)),
        ]
        result = self.decrypt(outside.message(self.id, persons, versions="2 1"), "--json")
        self.assertEqual(self.lines(result), [
            {"person": 1, "pseudonym": [outside.pseudonym(1, 2), outside.pseudonym(1, 1)], "data": "<a/>"},
            {"person": 2, "feil": "E31", "data": "<b/>"}])
        self.assertEqual(result.returncode, 0)

    def check_failed(self, lines, status, positions, code):
        self.assertEqual(status, 1)
        self.assertEqual([line["person"] for line in lines if "error" in line], positions)
        for line in lines:
            self.assertEqual("data" in line, line["person"] not in positions)
            if "error" in line:
                self.assertEqual(line["error"]["code"], code)

    def test_data_moved_between_two_persons(self):
        sealed = [self.seal("<x>%d</x>" % n, n) for n in (1, 2, 3)]
        lines, status = self.open_all([sealed[1], sealed[0], sealed[2]])
        self.check_failed(lines, status, [1, 2], "REGISTERLAG")
        self.assertEqual(lines[2]["data"], "<x>3</x>")

    def test_data_of_another_message(self):
        lines, status = self.open_all([self.seal("<x/>", 1, meldings_id=outside.new_id()), self.seal("<x/>", 2)])
        self.check_failed(lines, status, [1], "REGISTERLAG")

    def test_no_ref_or_almost_one(self):
        almost = outside.ref(self.id, 2).replace('"2"', '"02"')
        lines, status = self.open_all([outside.seal(self.public_key, text.encode()) for text in
                                       ("<x/>", almost, " " + outside.ref(self.id, 3), outside.ref(self.id, 4))])
        self.check_failed(lines, status, [1, 2, 3], "REGISTERLAG")

    def test_tag_key_and_algorithm(self):
        good = self.seal("<x/>", 1)
        at = good.rindex("</xenc:CipherValue>") - 8
        damaged = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1:]
        stranger = outside.rsa.generate_private_key(65537, 3072).public_key()
        other = outside.seal(stranger, (outside.ref(self.id, 3) + "<x/>").encode())
        lines, status = self.open_all([self.seal("<x/>", 1), damaged, other, self.seal("<x/>", 4)])
        self.check_failed(lines, status, [2, 3], "DEKRYPTERING")
        self.assertEqual(lines[1]["error"], lines[2]["error"])
        legacy = good.replace("xmlenc11#aes256-gcm", "xmlenc#aes256-cbc").replace("2009/xmlenc#", "2001/04/xmlenc#")
        lines, status = self.open_all([legacy])
        self.check_failed(lines, status, [1], "ALGORITME")

    def test_a_message_that_is_none(self):
        body = outside.message(self.id, [self.person(1, self.seal("<x/>", 1))])
        for wrong in (body[:-10], b"", b"<x/>", body.replace(b"<p:AntallPersoner>1", b"<p:AntallPersoner>2")):
            result = self.decrypt(wrong)
            self.assertEqual(result.returncode, 1)
            self.assertTrue(result.stderr.startswith(b"error: "))
        self.assertEqual(run("decrypt", "--private-key", self.private_path, "/nowhere").returncode, 1)
        self.assertEqual(run("decrypt").returncode, 2)

    def test_key_file(self):
        body = outside.message(self.id, [self.person(1, self.seal("<x/>", 1))])
        sealed = os.path.join(self.folder, "sealed.pem")
        subprocess.run(["openssl", "pkcs8", "-topk8", "-in", self.private_path, "-v2", "aes256", "-passout", "pass:abc",
                        "-out", sealed], check=True)
        os.chmod(sealed, 0o600)
        with open(os.path.join(self.folder, "phrase"), "w") as f:
            f.write("abc\n")
        environment = dict(os.environ, CREDENTIALS_DIRECTORY=self.folder)
        self.assertEqual(self.decrypt(body, "--passphrase-credential", "phrase", key=sealed, env=environment).returncode, 0)
        self.assertEqual(self.decrypt(body, key=sealed).returncode, 1)
        os.chmod(sealed, 0o640)
        result = self.decrypt(body, "--passphrase-credential", "phrase", key=sealed, env=environment)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"chmod 600", result.stderr)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
