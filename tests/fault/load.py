"""The load of the fault tests: messages whose fate can be foretold to the byte, and what became of handing them over.

A Message knows what the register must receive (built here from docs/message-format.md, not by the project's code), what
must never stand on a disk in clear, and which hand-overs were acknowledged. The judge (judge.py) holds an end state
against it."""

import base64
import hashlib
import hmac
import json
import random
import uuid
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import env
import submission

EPOST, NAVN, MOBIL = "klartekst@kommune.example", "Klara Klartekst", "91919191"
SEALED = "Forseglet-klartekst"  # stands in every person's content, which only the register may open


class Recorded(submission.Submission):
    """A submission that remembers its persons' sealed elements: the register must get them byte for byte."""

    def person(self, position, number):
        element = super().person(position, number)
        if not hasattr(self, "sealed"):
            self.sealed = []
        self.sealed.append(element[element.index(b"<xenc:EncryptedData"):-len(b"</i:Person>")])
        return element


@dataclass
class Message:
    name: str            # Idempotency-Key
    meldings_id: str
    data: bytes = field(repr=False)
    output: bytes = field(repr=False)  # what the register must receive; empty: must never receive it
    numbers: list = field(repr=False)
    code: str = ""       # of the quarantine that must be its end; empty: it must be delivered
    source: str = "operator"
    # Hand-overs. `acknowledged`: spool ids the source was given (None: acknowledged without one, by the drop folder).
    acknowledged: list = field(default_factory=list)
    attempts: int = 0    # hand-overs tried, acknowledged or not
    copies: int = 1      # how often it is to be acknowledged

    @property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()

    @property
    def output_sha256(self):
        return hashlib.sha256(self.output).hexdigest()

    def must_be_there(self):
        return bool(self.acknowledged)

    # A journal of the load itself, for harnesses whose load and judge are two processes.
    def to_json(self):
        record = {**self.__dict__, "data": base64.b64encode(self.data).decode(), "output": base64.b64encode(self.output).decode()}
        return json.dumps(record)

    @staticmethod
    def from_json(text):
        record = json.loads(text)
        return Message(**{**record, "data": base64.b64decode(record["data"]), "output": base64.b64decode(record["output"])})


class Maker:
    """Makes messages for one installation's keys. Deterministic but for keys, ids and sealing."""

    def __init__(self, template, seed=1):
        self.keys = submission.read_key_file((template / "nokler.xml").read_bytes())
        self.numbers = env.numbers(40, "--kinds", "fodselsnummer", "--seed", str(seed))
        self.key = json.loads((template / "pseudonym-keys.json").read_text())
        self.random = random.Random(seed)

    def pseudonym(self, number, register="IPLOS"):
        key = base64.b64decode(self.key[register])
        mac = hmac.new(key, b"tpf-pseudonym-v1\0" + register.encode() + b"\0" + number.encode(), hashlib.sha256).digest()
        return "1-" + base64.b32encode(mac[:20]).decode().lower()

    def good(self, persons=3, size=0, source="operator", **changes):
        """`size`: about so many bytes of sealed content, shared by the persons."""
        numbers = [self.numbers[self.random.randrange(len(self.numbers))] for _ in range(persons)]
        filling = "x" * (size // max(persons, 1) * 3 // 5)
        built = Recorded(self.keys["TPF", "TPF-2026"], self.keys["IPLOS", "IPLOS-2026"], numbers,
                         header=submission.Header(str(uuid.uuid4())), opprettet="2027-01-04T09:30:00Z", epost=EPOST, navn=NAVN,
                         mobil=MOBIL, contents=[f"<Tjeneste>{SEALED}{filling}</Tjeneste>"] * persons, **changes)
        data = built.build()
        return Message(built.header.name, built.header.meldings_id, data, self.expected(built), numbers, source=source)

    def bad(self, source="operator"):
        """Quarantined with ANTALL, after all of it was read."""
        message = self.good(antall=9, source=source)
        message.output, message.code = b"", "ANTALL"
        return message

    def expected(self, built):
        """docs/message-format.md, "Pseudonymised message"."""
        header = built.header
        leaf = lambda name, value: f"<p:{name}>{escape(value)}</p:{name}>"
        text = ('<?xml version="1.0" encoding="UTF-8"?>\n<p:PseudonymisertMelding xmlns:p="urn:tpf:pseudonymisert:1" '
                'xmlns:i="urn:tpf:innsending:1" xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" versjon="1" domene="IPLOS" nokkelversjon="1">'
                + leaf("MeldingsId", header.meldings_id) + leaf("Meldingstype", header.meldingstype)
                + "<p:Avsender>" + leaf("Kommunenummer", header.kommune) + leaf("Bydelsnummer", header.bydel)
                + leaf("Organisasjonsnummer", header.orgnr) + "</p:Avsender>"
                + "<p:Mottaker>" + leaf("Register", header.register) + "</p:Mottaker>" + leaf("Opprettet", built.opprettet)
                + "<p:Kontaktperson>" + leaf("Epost", built.epost) + leaf("Navn", built.navn) + leaf("Mobiltelefon", built.mobil)
                + "</p:Kontaktperson><p:Periode>" + leaf("Fra", "2026-01-01") + leaf("Til", "2026-12-31") + "</p:Periode>"
                + leaf("AntallPersoner", str(len(built.numbers))))
        persons = b"".join(f"<p:Person><p:Pseudonym>{self.pseudonym(number)}</p:Pseudonym>".encode() + sealed + b"</p:Person>"
                           for number, sealed in zip(built.numbers, built.sealed))
        return text.encode() + persons + b"</p:PseudonymisertMelding>\n"
