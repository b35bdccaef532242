#!/usr/bin/env python3
"""Checks tpf-generate from the outside: its numbers by the rules for Norwegian identity numbers, written here once more
from their description, and its files with an XML parser that is not ours.

Usage: check_generator.py TPF_GENERATE
"""
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

W1 = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
W2 = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
COUNT = 5000
FAULTS = []


def check(holds, what):
    if not holds:
        FAULTS.append(what)


def residues(number):
    digits = [int(c) for c in number]
    return (sum(w * d for w, d in zip(W1, digits)) % 11, sum(w * d for w, d in zip(W2, digits)) % 11)


def is_date(day, month, year):
    return 1 <= month <= 12 and 1 <= day <= DAYS[month - 1] and (month != 2 or day < 29 or year % 4 == 0)


def kinds_of(number, rules=("old", "2032")):
    """All (kind, mark) that the number is valid as."""
    if re.fullmatch(r"[0-9]{12}", number):
        return {("duf-nummer", None)}
    if not re.fullmatch(r"[0-9]{11}", number):
        return set()
    k1, k2 = residues(number)
    old = (k1, k2) == (0, 0)
    person = k2 == 0 and (("old" in rules and k1 == 0) or ("2032" in rules and k1 in (1, 2, 3)))
    if number[0] in "89":
        return {("fh-nummer", None)} if old else set()
    day, month, year = int(number[0:2]), int(number[2:4]), int(number[4:6])
    kind, day = ("d-nummer", day - 40) if day > 40 else ("fodselsnummer", day)
    found = {(kind, mark) for added, mark in ((0, "none"), (80, "tenor"), (65, "syntpop"))
             if person and is_date(day, month - added, year)}
    found |= {("npid", mark) for added, mark in ((20, "none"), (60, "tenor"))
              if old and kind == "fodselsnummer" and is_date(day, month - added, year)}
    if kind == "fodselsnummer" and is_date(day, month - 40, year):
        found.add(("h-nummer", None))
    return found


def run(generate, *arguments):
    return subprocess.run([generate, *map(str, arguments)], check=True, capture_output=True)


def numbers(generate, *arguments):
    return run(generate, "--numbers", COUNT, *arguments).stdout.decode("ascii").split()


def check_numbers(generate):
    for kind in ("fodselsnummer", "d-nummer", "h-nummer", "fh-nummer", "duf-nummer", "npid"):
        for mark in ("tenor", "syntpop", "none"):
            if (kind, mark) == ("npid", "syntpop"):
                continue
            got = numbers(generate, "--kind", kind, "--synthetic", mark)
            expected = (kind, None if kind in ("h-nummer", "fh-nummer", "duf-nummer") else mark)
            check(len(set(got)) == COUNT, f"{kind} {mark}: not {COUNT} different numbers")
            wrong = [n for n in got if expected not in kinds_of(n)]
            check(not wrong, f"{kind} {mark}: {len(wrong)} are not of that kind")
    for rule in ("old", "2032"):
        other = "2032" if rule == "old" else "old"
        for kind in ("fodselsnummer", "d-nummer"):
            got = numbers(generate, "--kind", kind, "--rule", rule)
            check(all((kind, "tenor") in kinds_of(n, (rule,)) for n in got), f"{kind}: rule {rule} is not kept")
            check(not any(kinds_of(n, (other,)) for n in got), f"{kind}: rule {rule} gives numbers of rule {other}")
    every = {name for n in numbers(generate, "--kind", "all") for name, _ in kinds_of(n)}
    check(len(every) == 6, f"all: only {sorted(every)}")
    likely = numbers(generate, "--kind", "mix", "--production-like")
    check(not any(mark in ("tenor", "syntpop") for n in likely for _, mark in kinds_of(n)),
          "production-like: synthetic numbers")


def check_person(person, seen):
    number = person[0].text or ""
    check(person[0].tag == "Fodselsnummer" and not person.attrib, "a person does not begin with Fodselsnummer")
    texts = [t for element in list(person)[1:] for t in element.itertext()]
    texts += [v for element in person.iter() for v in element.attrib.values()]
    squeezed = [re.sub(r"[\s.-]", "", t) for t in texts]
    check(not any(re.search(r"[0-9]{11}", t) for t in squeezed), "content holds eleven digits in a row")
    check(not number or not any(number in t for t in squeezed), "content holds the person's own number")
    names = [v.get("navn") for v in person.iter("Variabel")]
    check(len(names) == 17 == len(set(names)), f"{len(names)} function variables")
    check(person.find("Tjenester/Tjeneste") is not None, "a person without a service")
    if number and not set(number) == {"0"}:
        check(number not in seen, "a number twice")
        seen.add(number)
    return number


def check_file(generate, folder, encoding, persons):
    out, listing = folder / "export.xml", folder / "list.txt"
    run(generate, "--persons", persons, "--kinds", "all", "--seed", 11, "--encoding", encoding, "--invalid-percent", 5,
        "--missing-percent", 3, "--kommune", "1103", "--out", out, "--list", listing)
    root = ElementTree.parse(out).getroot()
    check((root.tag, root.get("versjon")) == ("IPLOS", "3.7"), f"{encoding}: root")
    check([e.tag for e in root[:4]] == ["Meldingstype", "Avsender", "Mottaker", "Periode"], f"{encoding}: header")
    check([e.text for e in root[1]] == ["1103", "00", "974761076"], f"{encoding}: Avsender")
    found = root.findall("Person")
    lines = listing.read_text("ascii").splitlines()
    check(len(found) == persons == len(lines) == len(root) - 4, f"{encoding}: {len(found)} persons")
    seen = set()
    for person, line in zip(found, lines):
        number = check_person(person, seen)
        check(line.split()[-1] == (number or "missing"), f"{encoding}: the list says something else")
        valid = bool(kinds_of(number))
        check(valid == (len(line.split()) == 1 and line != "missing"), f"{encoding}: {line!r} is not what it says")
    return ElementTree.tostring(root)


def main():
    generate = sys.argv[1]
    check_numbers(generate)
    with tempfile.TemporaryDirectory() as name:
        encodings = ("utf-8", "utf-8-bom", "utf-16", "utf-16be", "iso-8859-1")
        contents = {check_file(generate, Path(name), encoding, 500) for encoding in encodings}
        check(len(contents) == 1, "encodings differ in what they say")
    for fault in FAULTS[:20]:
        print("FAULT:", fault)
    print("checked:", "FAULTS" if FAULTS else "no fault")
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())
