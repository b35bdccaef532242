"""The main job: an export file becomes an encrypted submission, the submission a pseudonymised message, and the register
opens everybody's data and has nobody's number."""

import json
import re
import unittest.mock
import xml.etree.ElementTree as xml
from pathlib import Path

import env
from case import Case


def persons_of(export):
    """(number, the rest of the person's content as the register should see it) for each Person of an export file."""
    text = export.read_text("utf-8")
    for person in re.findall(r"<Person>(.*?)</Person>", text, re.S):
        number, rest = re.match(r"\s*<Fodselsnummer>(.*?)</Fodselsnummer>(.*)", person, re.S).groups()
        yield number, rest


class MainJob(Case):
    shared_settings = {"sources": {"oslo": 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'}}

    def export(self, persons, *extra):
        out = self.shared.folder / f"export-{self._testMethodName}.xml"
        return out, env.generate(out, persons, *extra)

    def assert_no_numbers(self, numbers, folder):
        """None of the numbers in any file below, as such or with a space after the sixth digit."""
        wanted = {n.encode() for n in numbers}
        for path in Path(folder).rglob("*"):
            if path.is_file():
                runs = re.findall(rb"[0-9]{11,}", re.sub(rb"(?<=[0-9]{6}) (?=[0-9]{5})", b"", path.read_bytes()))
                found = {r[i:i + n] for r in runs for n in (11, 12) for i in range(len(r) - n + 1)} & wanted
                self.assertEqual(found, set(), path)

    def test_two_thousand_persons_end_to_end(self):
        inst = self.shared
        export, numbers = self.export(2000, "--seed", "7")
        encrypted = inst.folder / "tmp" / "innsending.xml"
        said = inst.krypt(export, encrypted).stdout.decode()
        self.assertEqual(said.splitlines()[-1], "Antall personer: 2000")
        done = inst.ctl("submit", "--sender", env.SENDER, "--reason", "by hand", encrypted, json_output=True)
        row = inst.wait_state(done["id"], "delivered", "quarantined")
        self.assertEqual((row["state"], row["persons"]), ("delivered", 2000), row)
        self.assertNotIn("without_pseudonym", row)

        opened = inst.decrypt(row["name"])
        expected = list(persons_of(export))
        self.assertEqual([n for n, _ in expected], numbers)
        self.assertEqual(len(opened), 2000)
        for line, (number, rest) in zip(opened, expected):
            self.assertEqual(line["data"], rest)
            self.assertRegex(line["pseudonym"][0], r"^1-[a-z2-7]{32}$")
        # One person has one pseudonym, no two share one.
        by_number = {}
        for line, (number, _) in zip(opened, expected):
            by_number.setdefault(number, set()).add(line["pseudonym"][0])
        self.assertTrue(all(len(p) == 1 for p in by_number.values()))
        self.assertEqual(len({p for s in by_number.values() for p in s}), len(by_number))

        self.assert_no_numbers(numbers, inst.store())
        (inst.folder / "opened.json").write_text("\n".join(json.dumps(line) for line in opened))
        self.assert_no_numbers(numbers, inst.store().parent / "opened.json")
        answer = inst.kvittering(done["id"], status="levert")
        self.assertEqual(answer["antallPersoner"], 2000)
        self.assertEqual(list(answer), ["meldingsId", "avsender", "status", "mottatt", "levert", "antallPersoner", "registerKvittering"])

    def test_message_has_the_bytes_that_the_format_says(self):
        inst = self.shared
        good = self.good(2, opprettet="2027-01-04T09:30:00Z")
        row = inst.wait_state(inst.submit(good.build()), "delivered", "quarantined")
        message = inst.received(row["name"]).decode()
        first, second = [p["pseudonym"][0] for p in inst.decrypt(row["name"])]
        head = (f'<?xml version="1.0" encoding="UTF-8"?>\n<p:PseudonymisertMelding xmlns:p="urn:tpf:pseudonymisert:1" '
                f'xmlns:i="urn:tpf:innsending:1" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" versjon="1" domene="IPLOS" nokkelversjon="1">'
                f'{good.header.xml().replace("i:", "p:")}<p:Opprettet>2027-01-04T09:30:00Z</p:Opprettet>'
                f'<p:Kontaktperson><p:Epost>kari@kommune.example</p:Epost><p:Navn>Kari Nordmann</p:Navn>'
                f'<p:Mobiltelefon>98765432</p:Mobiltelefon></p:Kontaktperson><p:Periode><p:Fra>2026-01-01</p:Fra>'
                f'<p:Til>2026-12-31</p:Til></p:Periode><p:AntallPersoner>2</p:AntallPersoner>')
        self.assertEqual(message[:len(head)], head)
        persons = re.findall(r"<p:Person><p:Pseudonym>(.*?)</p:Pseudonym><xenc:EncryptedData.*?</xenc:EncryptedData></p:Person>", message)
        self.assertEqual(persons, [first, second])
        self.assertTrue(message.endswith("</p:Person></p:PseudonymisertMelding>\n"))
        xml.fromstring(message)

    def test_sealed_data_are_carried_byte_for_byte(self):
        inst = self.shared
        layer = []
        good = self.good(2)
        keep = unittest.mock.Mock(side_effect=lambda data: layer.append(data) or data + b"\n")
        row = inst.wait_state(inst.submit(good.but(layer_edit=keep).build()), "delivered", "quarantined")
        sent = re.findall(rb"<xenc:EncryptedData.*?</xenc:EncryptedData>", layer[0], re.S)
        got = re.findall(rb"<xenc:EncryptedData.*?</xenc:EncryptedData>", inst.received(row["name"]), re.S)
        self.assertEqual(got, sent)

    def test_dropped_file(self):
        inst = self.shared
        drop = inst.folder / "drop"
        drop.mkdir(exist_ok=True)
        good = self.good()
        (drop / ".innsending").write_bytes(good.build())
        (drop / ".innsending").rename(drop / "innsending.xml")
        row = env.until("the drop folder's message", lambda: next(
            (r for r in inst.ask("queue list")["messages"] if r.get("name") == good.header.name and r["state"] == "delivered"), None))
        self.assertEqual((row["source"], row["sender"]), ("oslo", env.SENDER))
        self.assertEqual([p.name for p in drop.rglob("*")], [".tpf"])
        self.assertEqual(inst.kvittering(row["id"], "oslo", "levert")["meldingsId"], good.header.meldings_id)

    def test_dropped_file_of_another_sender(self):
        inst = self.shared
        drop = inst.folder / "drop"
        drop.mkdir(exist_ok=True)
        good = self.good(header={"kommune": "4601"})
        data = good.build()
        (drop / "annen.tmp").write_bytes(data)
        (drop / "annen.tmp").rename(drop / "annen")
        row = env.until("the drop folder's message", lambda: next(
            (r for r in inst.ask("queue list", state="quarantined")["messages"] if r.get("name") == good.header.name), None))
        self.assert_quarantined(inst, row["id"], "AVSENDER_ULIK", data, source="oslo")

    def test_other_encodings_of_the_export_reach_the_register_as_utf8(self):
        inst = self.shared
        seen = []
        for encoding in ("utf-8", "utf-16", "iso-8859-1"):
            export, _ = self.export(20, "--seed", "3", "--encoding", encoding)
            encrypted = inst.folder / "tmp" / f"{encoding}.xml"
            inst.krypt(export, encrypted)
            row = inst.wait_state(inst.submit(encrypted.read_bytes()), "delivered", "quarantined")
            self.assertEqual(row["state"], "delivered", row)
            seen.append([(p["pseudonym"], p["data"]) for p in inst.decrypt(row["name"])])
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(seen[0], seen[2])

    def test_older_key_transport(self):
        inst = self.shared
        export, _ = self.export(5)
        encrypted = inst.folder / "tmp" / "mgf1p.xml"
        inst.krypt(export, encrypted, extra=("--nokkeltransport", "rsa-oaep-mgf1p"))
        row = inst.wait_state(inst.submit(encrypted.read_bytes()), "delivered", "quarantined")
        self.assertEqual(len(inst.decrypt(row["name"])), 5)

    def test_missing_and_wrong_numbers_are_marked(self):
        inst = self.shared
        numbers = [self.numbers[0], "", "12345678901", self.numbers[1], "  ", "abc", self.numbers[2] + "11"]
        row = inst.wait_state(inst.submit(self.good(numbers=numbers).build()), "delivered", "quarantined")
        self.assertEqual([p.get("feil") for p in inst.decrypt(row["name"])], [None, "E30", "E31", None, "E30", "E31", "E31"])
        marked = [{"person": n, "kode": k} for n, k in ((2, "E30"), (3, "E31"), (5, "E30"), (6, "E31"), (7, "E31"))]
        self.assertEqual(inst.kvittering(row["id"], status="levert")["utenPseudonym"], marked)

    def test_message_without_persons(self):
        inst = self.shared
        row = inst.wait_state(inst.submit(self.good(0).build()), "delivered", "quarantined")
        self.assertEqual((row["state"], row["persons"]), ("delivered", 0))

    def test_krypteringsmodul_stops_with_its_text_and_leaves_no_file(self):
        inst = self.shared
        export, _ = self.export(2)
        out = inst.folder / "tmp" / "ingen.xml"
        broken = inst.folder / "tmp" / "feil.xml"
        broken.write_text(export.read_text().replace("</Periode>", ""))
        for arguments, text in (((inst.folder / "finnes-ikke", out), "IPLOS filen kunne ikke åpnes."),
                                ((broken, out), "Feil i innholdet i IPLOS filen")):
            done = inst.krypt(*arguments, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr.decode())
            self.assertFalse(out.exists())
        done = inst.krypt(export, out, epost="", check=False)
        self.assertEqual((done.returncode, out.exists()), (1, False))
        self.assertIn("E-post adresse/Navn/MobilTelefonnr mangler", done.stderr.decode())
