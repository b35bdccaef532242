#!/usr/bin/python3
"""Checks a pseudonymised message (formats.md § 3 and § 4), independently of the code that made it.

    check_output.py MESSAGE [--submission FILE --tpf-key PEM] [--register-key PEM]
                    [--pseudonym-key VERSION:HEX]… [--test] [--rule-2032 yes|no] [--kinds LIST]

Without keys: form, order, counts, no identity number in clear. With the submission and the TPF's private key: header,
contact person and period carried over, each EncryptedData byte for byte, each person in its place. With pseudonym keys
(newest first): every pseudonym is what § 4 says. With the register's private key: each person's data open, and Ref
fits. Exit status 1 and one line for each fault.
"""

import argparse
import re
import sys
import xml.etree.ElementTree as ET

import formats as f

P = "{%s}" % f.PSEUDONYMISERT
I = "{%s}" % f.INNSENDING
HEAD = ("MeldingsId", "Meldingstype", "Avsender", "Mottaker", "Opprettet", "Kontaktperson", "Periode",
        "AntallPersoner")
PARTS = {"Avsender": ("Kommunenummer", "Bydelsnummer", "Organisasjonsnummer"), "Mottaker": ("Register",),
         "Kontaktperson": ("Epost", "Navn", "Mobiltelefon"), "Periode": ("Fra", "Til")}
SEALED = re.compile(rb"<(?:[\w-]+:)?EncryptedData[\s>].*?</(?:[\w-]+:)?EncryptedData\s*>", re.S)


class Checker:
    """Gathers faults; `faults` is empty when all is well."""

    def __init__(self, message, numbers_on_test=False, rule_2032=True,
                 kinds=("fodselsnummer", "d", "fh", "duf")):
        self.faults = []
        self.bytes = message
        self.test, self.rule_2032, self.kinds = numbers_on_test, rule_2032, kinds
        self.root = ET.fromstring(message)
        self.persons = self.root.findall(P + "Person")
        self.versions = self.root.get("nokkelversjon", "").split()
        self.domain = self.root.get("domene")

    def expect(self, holds, fault):
        if not holds:
            self.faults.append(fault)

    def form(self):
        """What § 0 and § 3 say of every message."""
        text = self.bytes.decode("utf-8")
        self.expect(text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<'), "the XML declaration")
        between = SEALED.sub(b"<x/>", self.bytes.split(b"\n", 1)[1][:-1])
        self.expect(text.endswith(">\n") and not re.search(rb">[ \t\r\n]+<|>[ \t\r\n]+$", between),
                    "white space between elements, or no final line feed")
        self.expect(self.root.tag == P + "PseudonymisertMelding", "the root element")
        self.expect(list(self.root.keys()) == ["versjon", "domene", "nokkelversjon"], "the root's attributes")
        self.expect(self.root.get("versjon") == "1", "versjon")
        self.expect(self.versions == sorted(self.versions, key=int, reverse=True) and self.versions, "nokkelversjon")
        self.expect([e.tag for e in self.root] == [P + name for name in HEAD] + [P + "Person"] * len(self.persons),
                    "elements or their order")
        for name, parts in PARTS.items():
            self.expect([e.tag for e in f.only(self.root, P + name)] == [P + part for part in parts], name)
        self.expect(int(self.root.findtext(P + "AntallPersoner")) == len(self.persons), "AntallPersoner")
        self.expect(self.domain == self.root.findtext(P + "Mottaker/" + P + "Register"), "domene")
        for i, person in enumerate(self.persons, 1):
            self.person_form(i, person)
        self.no_number(text)

    def person_form(self, position, person):
        names = person.findall(P + "Pseudonym")
        self.expect([e.tag for e in person] == [P + "Pseudonym"] * len(names) + ["{%s}EncryptedData" % f.XENC],
                    "person %d: elements" % position)
        if len(names) == 1 and names[0].get("feil"):
            self.expect(names[0].get("feil") in ("E30", "E31") and not names[0].text, "person %d: feil" % position)
            return
        self.expect([(e.text or "").split("-")[0] for e in names] == self.versions, "person %d: versions" % position)
        for name in names:
            self.expect(re.fullmatch(r"[1-9][0-9]*-[a-z2-7]{32}", name.text or ""), "person %d: form" % position)

    def no_number(self, text):
        """No run of eleven digits or more outside sealed data, MeldingsId, telephone and pseudonyms."""
        for leaf in ("CipherValue", "MeldingsId", "Mobiltelefon", "Pseudonym"):
            text = re.sub(r"(<[\w:]*%s[^>]*>)[^<]*" % leaf, r"\1", text)
        self.expect(not re.search(r"[0-9]{11}", re.sub(r"[\s.-]", "", re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "", text))),
                    "something like an identity number in clear")

    def against(self, submission, tpf_key):
        """What was in the submission is here; returns the identity numbers, in order."""
        outer = ET.fromstring(submission)
        layer = f.decrypt(f.only(outer, "{%s}EncryptedData" % f.XENC), tpf_key)
        inner = ET.fromstring(b"<w%s>" % declarations(submission) + layer + b"</w>")
        hode = f.only(inner, I + "Hode")
        for name in HEAD:
            source = hode if hode.find(I + name) is not None else inner
            for path in [name] if name not in PARTS else [name + "/" + part for part in PARTS[name]]:
                was = source.findtext(I + path.replace("/", "/" + I)).strip()
                now = self.root.findtext(P + path.replace("/", "/" + P))
                if name == "Kontaktperson" and path.endswith("Mobiltelefon"):
                    was = "".join(was.split())
                self.expect(was == now, path)
        self.expect([m.group() for m in SEALED.finditer(layer)] == [m.group() for m in SEALED.finditer(self.bytes)],
                    "an EncryptedData is not carried byte for byte")
        return [(e.text or "").strip() for e in inner.findall(I + "Person/" + I + "Fodselsnummer")]

    def pseudonyms(self, numbers, keys):
        """`keys`: {version: key}; every pseudonym is the one of the number in that place."""
        self.expect(len(numbers) == len(self.persons), "the number of persons")
        organisation = self.root.findtext(P + "Avsender/" + P + "Organisasjonsnummer")
        for i, (number, person) in enumerate(zip(numbers, self.persons), 1):
            found = person.findall(P + "Pseudonym")
            kind = f.valid_number(number, self.rule_2032, self.test)
            if kind not in self.kinds:
                self.expect(found[0].get("feil") == ("E31" if number else "E30"), "person %d: feil" % i)
                continue
            identity = number + ":" + organisation if kind == "h" else number
            expected = [f.pseudonym(keys[int(v)], self.domain, int(v), identity) for v in self.versions]
            self.expect([e.text for e in found] == expected, "person %d: pseudonym" % i)

    def opens(self, register_key):
        """Each person's data open with the register's key and say whose they are; returns them."""
        contents = []
        for i, person in enumerate(self.persons, 1):
            data = f.decrypt(f.only(person, "{%s}EncryptedData" % f.XENC), register_key)
            ref = '<i:Ref xmlns:i="%s" meldingsId="%s" person="%d"/>' % (
                f.INNSENDING, self.root.findtext(P + "MeldingsId"), i)
            self.expect(data.startswith(ref.encode()), "person %d: Ref" % i)
            contents.append(data[len(ref):].decode("utf-8"))
        return contents


def declarations(document):
    """The namespace declarations above the TPF layer, as they stand: those of the root and of EncryptedData."""
    found = {}
    for tag in re.findall(rb"<(?:[\w-]+:)?(?:Innsending|EncryptedData)\b[^>]*>", document)[:2]:
        for name, value in re.findall(rb"(xmlns(?::[\w.-]+)?)\s*=\s*[\"']([^\"']*)", tag):
            found[name] = value
    return b"".join(b' %s="%s"' % item for item in found.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("message")
    parser.add_argument("--submission")
    parser.add_argument("--tpf-key")
    parser.add_argument("--register-key")
    parser.add_argument("--pseudonym-key", action="append", default=[], metavar="VERSION:HEX")
    parser.add_argument("--test", action="store_true", help="a test installation: synthetic numbers are the right ones")
    parser.add_argument("--rule-2032", choices=["yes", "no"], default="yes")
    parser.add_argument("--kinds", default="fodselsnummer,d,fh,duf")
    parser.add_argument("--print", action="store_true", help="pseudonym and opened data, person by person")
    args = parser.parse_args()
    checker = Checker(open(args.message, "rb").read(), args.test, args.rule_2032 == "yes", args.kinds.split(","))
    checker.form()
    if args.submission:
        numbers = checker.against(open(args.submission, "rb").read(), f.load_private(args.tpf_key))
        if args.pseudonym_key:
            keys = {int(v): bytes.fromhex(k) for v, k in (pair.split(":") for pair in args.pseudonym_key)}
            checker.pseudonyms(numbers, keys)
    if args.register_key:
        contents = checker.opens(f.load_private(args.register_key))
        if args.print:
            for person, content in zip(checker.persons, contents):
                print(person.findtext(P + "Pseudonym"), content, sep="\t")
    for fault in checker.faults:
        print("fault:", fault)
    print("%d persons, %d faults" % (len(checker.persons), len(checker.faults)))
    return 1 if checker.faults else 0


if __name__ == "__main__":
    sys.exit(main())
