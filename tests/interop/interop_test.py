#!/usr/bin/python3
"""Both ways with two implementations that are not ours.

    interop_test.py --pass PROGRAM [--krypt TPF-KRYPT]

- Python makes submissions (every key transport and cipher of the modern profile); the pass takes them, and what it
  writes is checked by check_output.py.
- xmlsec1 (which knows only rsa-oaep-mgf1p) seals a submission's TPF layer from a template; the pass takes it. It opens
  both layers of what Python and, where it is built, tpf-krypt made.
"""

import argparse
import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    import check_output
    import formats as f
    import make_submission
except ImportError as error:
    print("SKIPPED: interop:", error)
    sys.exit(77)

NUMBERS = ["13097248022", "53097248016", "30108299939", "", "13097248023", "10915596784"]
CONTENT = "<Tjeneste>hjemmesykepleie</Tjeneste><Merknad>blåbær &amp; \N{EURO SIGN}</Merknad>"
PSEUDONYM_KEY = {1: bytes(range(32))}
programs = None


def run(*command, **more):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, **more)


class Interop(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tpf-interop-")
        cls.private = {name: rsa.generate_private_key(65537, 3072) for name in ("TPF-2026", "IPLOS-2026")}
        for name, key in cls.private.items():
            cls.save(name + ".pem", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                      serialization.NoEncryption()))
            cls.save(name + ".pub", key.public_key().public_bytes(serialization.Encoding.PEM,
                                                                  serialization.PublicFormat.SubjectPublicKeyInfo))
        cls.save("nokler.xml", b"\xff\xfe" + cls.key_file().encode("utf-16-le"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def save(cls, name, content):
        with open(cls.path(name), "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return cls.path(name)

    @classmethod
    def key_file(cls):
        text = '<?xml version="1.0" encoding="UTF-16"?>\n<Krypteringsnokler versjon="2026">\n'
        for name, key in cls.private.items():
            numbers = key.public_key().public_numbers()
            text += ('<Nokkel id="%s" eier="%s" gyldigFra="2020-01-01" gyldigTil="2099-12-31"><RSAKeyValue xmlns="%s">'
                     '<Modulus>%s</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></Nokkel>\n') % (
                         name, name.split("-")[0], f.DS, base64.b64encode(numbers.n.to_bytes(384, "big")).decode())
        return text + "</Krypteringsnokler>\n"

    def take(self, submission):
        """The pass takes it; the output."""
        answer = run(programs.take, self.path("TPF-2026.pem"), self.path("IPLOS-2026.pub"),
                     self.save("submission.xml", submission), self.path("output.xml"))
        self.assertEqual(answer.stdout.strip(), "OK")
        with open(self.path("output.xml"), "rb") as output:
            return output.read()

    def check(self, submission, output, contents=CONTENT):
        checker = check_output.Checker(output)
        checker.form()
        numbers = checker.against(submission.encode(), self.private["TPF-2026"])
        checker.pseudonyms(numbers, PSEUDONYM_KEY)
        opened = checker.opens(self.private["IPLOS-2026"])
        self.assertEqual(checker.faults, [])
        self.assertEqual(opened, [contents] * len(numbers))

    def message(self):
        return make_submission.Message([(number, CONTENT) for number in NUMBERS], navn="Åse <Ø> & Co")

    def public(self, name):
        return name, self.private[name].public_key()

    def test_python_seals_and_the_pass_takes_it(self):
        for transport in f.TRANSPORTS:
            for cipher in ("aes256-gcm", "aes128-gcm"):
                for width in (0, 76):
                    with self.subTest(transport=transport, cipher=cipher, width=width):
                        submission = self.message().build(self.public("TPF-2026"), self.public("IPLOS-2026"),
                                                          transport=transport, cipher=cipher, width=width)
                        self.check(submission, self.take(submission))

    def test_the_checker_finds_faults(self):
        submission = self.message().build(self.public("TPF-2026"), self.public("IPLOS-2026"))
        good = self.take(submission)
        first = re.search(rb"<p:Pseudonym>(1-[a-z2-7]{32})", good).group(1)
        second = re.findall(rb"<p:Pseudonym>(1-[a-z2-7]{32})", good)[1]
        for bad in (good.replace(b"2026-12-31", b"2026-12-30"),
                    good.replace(first, second),
                    good.replace(b"kari@kommune.example", b"13097248022@kommune.example"),
                    good.replace(b'feil="E30"', b'feil="E31"', 1),
                    good.replace(b"</p:Fra>", b"</p:Fra> "),
                    good.replace(b"<p:AntallPersoner>6", b"<p:AntallPersoner>5"),
                    good.replace(b"<xenc:EncryptedData ", b"<xenc:EncryptedData  ", 1),
                    good[:-1]):
            self.assertNotEqual(bad, good)
            checker = check_output.Checker(bad)
            checker.form()
            checker.pseudonyms(checker.against(submission.encode(), self.private["TPF-2026"]), PSEUDONYM_KEY)
            self.assertNotEqual(checker.faults, [], bad[:2000])

    def test_the_command_lines(self):
        folder = os.path.dirname(os.path.abspath(__file__))
        made = run(sys.executable, os.path.join(folder, "make_submission.py"), "--nokler", self.path("nokler.xml"),
                   "--ut", self.path("made.xml"), "--nummer", NUMBERS[0], "--nummer", NUMBERS[1])
        self.assertEqual(made.returncode, 0, made.stderr)
        with open(self.path("made.xml"), encoding="utf-8") as submission:
            self.take(submission.read())
        checked = run(sys.executable, os.path.join(folder, "check_output.py"), self.path("output.xml"),
                      "--submission", self.path("made.xml"), "--tpf-key", self.path("TPF-2026.pem"),
                      "--register-key", self.path("IPLOS-2026.pem"), "--pseudonym-key",
                      "1:" + PSEUDONYM_KEY[1].hex())
        self.assertEqual(checked.stdout.strip(), "2 persons, 0 faults", checked.stdout + checked.stderr)

    # xmlsec1

    def need_xmlsec1(self):
        if not shutil.which("xmlsec1"):
            self.skipTest("no xmlsec1")

    def xmlsec1_open(self, document, key_name):
        """The document with its EncryptedData opened in place."""
        answer = run("xmlsec1", "--decrypt", "--privkey-pem:" + key_name, self.path(key_name + ".pem"),
                     self.save("sealed.xml", document))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        return answer.stdout

    def check_opened_by_xmlsec1(self, submission, contents):
        opened = self.xmlsec1_open(submission, "TPF-2026")
        persons = re.findall(r"<i:Person>.*?</i:Person>", opened, re.S)
        self.assertEqual(len(persons), len(contents))
        for person, content in zip(persons, contents):
            data = re.search(r"<xenc:EncryptedData.*</xenc:EncryptedData>", person, re.S).group()
            alone = '<?xml version="1.0" encoding="UTF-8"?>\n<w xmlns:xenc="%s" xmlns:ds="%s">%s</w>' % (f.XENC, f.DS, data)
            self.assertIn(content, self.xmlsec1_open(alone, "IPLOS-2026"))

    def test_xmlsec1_opens_what_python_sealed(self):
        self.need_xmlsec1()
        submission = self.message().build(self.public("TPF-2026"), self.public("IPLOS-2026"),
                                          transport="rsa-oaep-mgf1p", width=64)
        self.check_opened_by_xmlsec1(submission, [CONTENT] * len(NUMBERS))

    def test_xmlsec1_seals_and_the_pass_takes_it(self):
        self.need_xmlsec1()
        message = self.message()
        layer = message.tpf_layer(lambda data: f.encrypted_data(data, *self.public("IPLOS-2026"), declare=False,
                                                                transport="rsa-oaep-mgf1p"))
        template = re.sub(r"(<xenc:CipherValue>)[^<]*", r"\1", f.encrypted_data(
            b"", *self.public("TPF-2026"), declare=False, transport="rsa-oaep-mgf1p"))
        answer = run("xmlsec1", "--encrypt", "--pubkey-pem:TPF-2026", self.path("TPF-2026.pub"), "--session-key",
                     "aes-256", "--binary-data", self.save("layer", layer),
                     self.save("template.xml", message.document(template)))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.check(answer.stdout, self.take(answer.stdout))

    def test_tpf_krypt(self):
        if not programs.krypt:
            self.skipTest("tpf-krypt is not built")
        self.need_xmlsec1()
        export = ('<?xml version="1.0" encoding="UTF-8"?>\n<IPLOS versjon="3.7"><Meldingstype>IPLOS</Meldingstype>'
                  '<Avsender><Kommunenummer>0301</Kommunenummer><Bydelsnummer>00</Bydelsnummer><Organisasjonsnummer>'
                  '974761076</Organisasjonsnummer></Avsender><Mottaker><Register>IPLOS</Register></Mottaker><Periode>'
                  '<Fra>2026-01-01</Fra><Til>2026-12-31</Til></Periode>')
        for number in NUMBERS:
            export += "<Person><Fodselsnummer>%s</Fodselsnummer>%s</Person>" % (number, CONTENT)
        self.save("export.xml", export + "</IPLOS>\n")
        for transport in ([], ["--nokkeltransport", "rsa-oaep-mgf1p"]):
            with self.subTest(transport=transport):
                if os.path.exists(self.path("krypt.xml")):
                    os.remove(self.path("krypt.xml"))
                answer = run(programs.krypt, "--iplos", self.path("export.xml"), "--nokler", self.path("nokler.xml"),
                             "--epost", "kari@kommune.example", "--navn", "Kari Nordmann", "--mobil", "99999999",
                             "--ut", self.path("krypt.xml"), *transport)
                self.assertEqual(answer.returncode, 0, answer.stderr)
                with open(self.path("krypt.xml"), encoding="utf-8") as sealed:
                    submission = sealed.read()
                self.check(submission, self.take(submission))
                if transport:
                    self.check_opened_by_xmlsec1(submission, [CONTENT] * len(NUMBERS))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pass", dest="take", required=True)
    parser.add_argument("--krypt")
    programs, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)
