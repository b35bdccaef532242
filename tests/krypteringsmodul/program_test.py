#!/usr/bin/python3
"""The real tpf-krypt, seen from outside: both layers opened with implementations that are not ours (Python's
cryptography, xmlsec1), what it prints, and what it leaves when it is stopped.

usage: program_test.py PATH-OF-tpf-krypt"""

import base64
import hashlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ET

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PROGRAM = None
XENC = "{http://www.w3.org/2001/04/xmlenc#}"
INN = "{urn:tpf:innsending:1}"
HEADER = (
    "<Meldingstype>IPLOS</Meldingstype>\n<Avsender><Kommunenummer>0301</Kommunenummer>"
    "<Bydelsnummer>00</Bydelsnummer><Organisasjonsnummer>974761076</Organisasjonsnummer></Avsender>\n"
    "<Mottaker><Register>IPLOS</Register></Mottaker>\n"
    "<Periode><Fra>2026-01-01</Fra><Til>2026-12-31</Til></Periode>\n"
)


def export(persons, encoding="UTF-8"):
    body = "".join(f"<Person><Fodselsnummer>{n}</Fodselsnummer>{c}</Person>\n" for n, c in persons)
    return f'<?xml version="1.0" encoding="{encoding}"?>\n<IPLOS versjon="3.7">\n{HEADER}{body}</IPLOS>\n'


def number_bytes(value):
    return base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


class Keys:
    """A TPF key and a register's, and the key file that publishes them."""

    def __init__(self, folder):
        self.private = {}
        entries = ""
        for owner in ("TPF", "IPLOS"):
            key = rsa.generate_private_key(65537, 3072)
            self.private[owner] = key
            with open(os.path.join(folder, owner + ".pem"), "wb") as out:
                out.write(
                    key.private_bytes(
                        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                    )
                )
            public = key.public_key().public_numbers()
            entries += (
                f'<Nokkel id="{owner}-2026" eier="{owner}" gyldigFra="2020-12-01" gyldigTil="2099-03-31">'
                f'<RSAKeyValue xmlns="http://www.w3.org/2000/09/xmldsig#"><Modulus>{number_bytes(public.n)}</Modulus>'
                f"<Exponent>{number_bytes(public.e)}</Exponent></RSAKeyValue></Nokkel>"
            )
        text = f'<Krypteringsnokler versjon="2026" utgave="3">{entries}</Krypteringsnokler>'
        self.file = b"\xff\xfe" + text.encode("utf-16le")


def open_with_cryptography(data, key):
    """EncryptedData (ElementTree) to plaintext, by what it says of itself."""
    wrapped = data.find(f".//{XENC}EncryptedKey")
    method = wrapped.find(f"{XENC}EncryptionMethod").get("Algorithm")
    modern = method == "http://www.w3.org/2009/xmlenc11#rsa-oaep"
    digest = hashes.SHA256() if modern else hashes.SHA1()
    content_key = key.decrypt(
        base64.b64decode(wrapped.find(f".//{XENC}CipherValue").text),
        padding.OAEP(padding.MGF1(digest), digest, None),
    )
    octets = base64.b64decode(data.find(f"{XENC}CipherData/{XENC}CipherValue").text)
    return AESGCM(content_key).decrypt(octets[:12], octets[12:], None).decode()


class ProgramTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tpf-krypt-")
        cls.keys = Keys(cls.folder)
        with open(cls.path("nokler.txt"), "wb") as out:
            out.write(cls.keys.file)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    def write(self, persons, encoding="UTF-8", codec="utf-8"):
        with open(self.path("eksport.xml"), "wb") as out:
            out.write(export(persons, encoding).encode(codec))

    def command(self, **changed):
        values = {
            "iplos": self.path("eksport.xml"),
            "nokler": self.path("nokler.txt"),
            "epost": "kari@kommune.example",
            "navn": "Kåre Nordmann",
            "mobil": "99999999",
            "ut": self.path("ut.xml"),
        }
        values.update(changed)
        words = [PROGRAM]
        for name, value in values.items():
            if value is not None:
                words += ["--" + name, value]
        return words

    def run_program(self, **changed):
        if os.path.exists(self.path("ut.xml")):
            os.unlink(self.path("ut.xml"))
        return subprocess.run(self.command(**changed), capture_output=True, text=True)

    def left(self):
        known = {"eksport.xml", "nokler.txt", "TPF.pem", "IPLOS.pem"}
        return sorted(set(os.listdir(self.folder)) - known)

    def opened(self):
        """(number, plaintext of the register layer) of each person, opened with Python's cryptography."""
        root = ET.parse(self.path("ut.xml")).getroot()
        layer = open_with_cryptography(root.find(f"{XENC}EncryptedData"), self.keys.private["TPF"])
        wrapped = ET.fromstring(f'<r xmlns:i="urn:tpf:innsending:1">{layer}</r>')
        return [
            (
                p.find(f"{INN}Fodselsnummer").text or "",
                open_with_cryptography(p.find(f"{XENC}EncryptedData"), self.keys.private["IPLOS"]),
            )
            for p in wrapped.iter(f"{INN}Person")
        ]

    PERSONS = [("13097248022", "<Navn>Bjørg &amp; Åse</Navn>"), ("", "<B xmlns='urn:b'/>"), ("29029648784", "")]

    def test_both_forms_open_with_cryptography(self):
        self.write(self.PERSONS)
        for transport in (None, "rsa-oaep-mgf1p"):
            with self.subTest(transport=transport):
                done = self.run_program(nokkeltransport=transport, meldingsid="7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                persons = self.opened()
                for position, (expected, found) in enumerate(zip(self.PERSONS, persons), 1):
                    reference = (
                        '<i:Ref xmlns:i="urn:tpf:innsending:1" meldingsId="7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11" '
                        f'person="{position}"/>'
                    )
                    self.assertEqual(found, (expected[0], reference + expected[1]))
                self.assertEqual(len(persons), 3)

    def test_xmlsec1_opens_both_layers(self):
        self.write(self.PERSONS)
        done = self.run_program(nokkeltransport="rsa-oaep-mgf1p")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        opened = self.path("ut.xml")
        steps = ["TPF"] + ["IPLOS"] * len(self.PERSONS)
        for step, owner in enumerate(steps):
            result = self.path(f"steg{step}.xml")
            answer = subprocess.run(
                ["xmlsec1", "--decrypt", f"--privkey-pem:{owner}-2026", self.path(owner + ".pem"), "--node-xpath",
                 '(//*[local-name()="EncryptedData"])[1]', "--output", result, opened],
                capture_output=True, text=True)
            self.assertEqual(answer.returncode, 0, answer.stderr)
            opened = result
        root = ET.parse(opened).getroot()
        for step in range(len(steps)):
            os.unlink(self.path(f"steg{step}.xml"))
        self.assertEqual(root.find(f"{INN}AntallPersoner").text, "3")
        persons = root.findall(f"{INN}Person")
        self.assertEqual([p.find(f"{INN}Fodselsnummer").text or "" for p in persons], [n for n, _ in self.PERSONS])
        self.assertEqual([p.find(f"{INN}Ref").get("person") for p in persons], ["1", "2", "3"])
        self.assertEqual(persons[0].find("Navn").text, "Bjørg & Åse")
        self.assertIsNotNone(persons[1].find("{urn:b}B"))

    def test_every_encoding_reaches_the_register_as_utf8(self):
        for encoding, codec in (("UTF-8", "utf-8"), ("UTF-8", "utf-8-sig"), ("ISO-8859-1", "latin-1"), ("UTF-16", "utf-16")):
            with self.subTest(codec=codec):
                self.write(self.PERSONS, encoding, codec)
                self.assertEqual(self.run_program().returncode, 0)
                self.assertTrue(self.opened()[0][1].endswith("<Navn>Bjørg &amp; Åse</Navn>"))

    def test_what_it_prints(self):
        self.write(self.PERSONS)
        done = self.run_program()
        lines = done.stdout.splitlines()
        self.assertEqual(lines[-1], "Antall personer: 3")
        self.assertIn(hashlib.sha256(self.keys.file).hexdigest(), lines[0])
        self.assertEqual(done.stderr, "")

    def test_progress_only_on_a_terminal(self):
        self.write(self.PERSONS)
        ours, theirs = pty.openpty()
        done = subprocess.run(self.command(), stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            pass  # the other end is closed
        os.close(ours)
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"100 %", shown)
        self.assertIn(b"Krypterer", shown)

    def test_errors_leave_nothing(self):
        self.write([("13097248022", "<A>13097248022</A>")])
        done = self.run_program()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr,
            "Feil: Person nummer 1 (linje 7) har sitt eget fødselsnummer også i et annet felt. Det må fjernes der.\n",
        )
        self.assertNotIn("Antall", done.stdout)
        self.assertEqual(self.left(), [])
        for changed, text in (
            ({"iplos": None}, "IPLOS datafil mangler\n"),
            ({"iplos": self.path("nei")}, "IPLOS filen kunne ikke åpnes.\n"),
            ({"nokler": self.path("nei")}, "Nøkkelfil mangler\n"),
            ({"ut": None}, "Kryptert IPLOS fil mangler\n"),
            ({"navn": ""}, "E-post adresse/Navn/MobilTelefonnr mangler\n"),
            ({"ukjent": "1"}, "Feil: Ukjent valg eller for mange verdier på kommandolinjen. Se tpf-krypt --help.\n"),
        ):
            done = self.run_program(**changed)
            self.assertEqual((done.returncode, done.stderr, self.left()), (1, text, []))

    def stopped(self, number):
        """Starts on a file that takes a while, sends the signal when something is being written."""
        self.write((("", "<A>" + "x" * 5000 + "</A>") for _ in range(40_000)))
        if os.path.exists(self.path("ut.xml")):
            os.unlink(self.path("ut.xml"))
        process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not self.left() and process.poll() is None:
            time.sleep(0.005)
        self.assertIsNone(process.poll(), "ended before it could be stopped")
        process.send_signal(number)
        _, errors = process.communicate()
        return process.returncode, errors

    def test_a_signal_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            status, errors = self.stopped(number)
            self.assertEqual((status, errors), (1, "Feil: Kjøringen ble avbrutt. Ingen kryptert fil er laget.\n"))
            self.assertEqual(self.left(), [])

    def test_a_kill_leaves_no_output_name(self):
        status, _ = self.stopped(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL)
        left = self.left()
        self.assertTrue(all(re.fullmatch(r"ut\.xml\.[0-9a-f]{8}\.tmp", name) for name in left), left)
        for name in left:
            os.unlink(self.path(name))

    @unittest.skipIf("TPF_SANITIZED" in os.environ, "a sanitizer's allocator keeps what was freed")
    def test_memory_does_not_grow_with_the_file(self):
        used = []
        for persons in (10_000, 40_000):
            self.write((("", "<A>" + "x" * 3000 + "</A>") for _ in range(persons)))
            script = (
                "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
            )
            done = subprocess.run([sys.executable, "-c", script] + self.command(), capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            used.append(int(done.stdout))
        os.unlink(self.path("ut.xml"))
        self.assertLess(used[1] - used[0], 8 * 1024, f"kB: {used}")


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
