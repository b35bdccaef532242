#!/usr/bin/python3
"""Makes a submission (formats.md § 2), independently of the krypteringsmodul.

    make_submission.py --nokler FILE --ut FILE [--nummer N]… [--persons FILE] [options]

As a module: Message(...).build(...) gives the text.
"""

import argparse
import uuid

import formats as f


class Message:
    """One submission. `persons`: pairs of number and content (text after </Fodselsnummer>)."""

    def __init__(self, persons, **values):
        self.persons = persons
        self.meldings_id = str(uuid.uuid4())
        self.meldingstype = "IPLOS"
        self.kommunenummer, self.bydelsnummer, self.organisasjonsnummer = "0301", "00", "974761076"
        self.register = "IPLOS"
        self.opprettet = "2027-01-04T09:30:00Z"
        self.epost, self.navn, self.mobiltelefon = "kari@kommune.example", "Kari Nordmann", "+4799999999"
        self.fra, self.til = "2026-01-01", "2026-12-31"
        for name, value in values.items():
            if not hasattr(self, name):
                raise ValueError(name)
            setattr(self, name, value)

    def header(self):
        return ("<i:MeldingsId>%s</i:MeldingsId><i:Meldingstype>%s</i:Meldingstype><i:Avsender><i:Kommunenummer>%s"
                "</i:Kommunenummer><i:Bydelsnummer>%s</i:Bydelsnummer><i:Organisasjonsnummer>%s"
                "</i:Organisasjonsnummer></i:Avsender><i:Mottaker><i:Register>%s</i:Register></i:Mottaker>") % (
                    self.meldings_id, self.meldingstype, self.kommunenummer, self.bydelsnummer,
                    self.organisasjonsnummer, self.register)

    def person(self, position, number, content, seal):
        ref = '<i:Ref xmlns:i="%s" meldingsId="%s" person="%d"/>' % (f.INNSENDING, self.meldings_id, position)
        return "<i:Person><i:Fodselsnummer>%s</i:Fodselsnummer>%s</i:Person>" % (number, seal((ref + content).encode()))

    def tpf_layer(self, seal):
        """The TPF layer's plaintext; `seal` makes each person's EncryptedData."""
        return ("<i:Hode>%s<i:Opprettet>%s</i:Opprettet></i:Hode><i:Kontaktperson><i:Epost>%s</i:Epost><i:Navn>%s"
                "</i:Navn><i:Mobiltelefon>%s</i:Mobiltelefon></i:Kontaktperson><i:Periode><i:Fra>%s</i:Fra><i:Til>%s"
                "</i:Til></i:Periode><i:AntallPersoner>%d</i:AntallPersoner>") % (
                    self.header(), self.opprettet, f.escape(self.epost), f.escape(self.navn), self.mobiltelefon,
                    self.fra, self.til, len(self.persons)) + "".join(
                        self.person(i, number, content, seal) for i, (number, content) in enumerate(self.persons, 1))

    def document(self, sealed):
        return ('<?xml version="1.0" encoding="UTF-8"?>\n<i:Innsending xmlns:i="%s" xmlns:xenc="%s" xmlns:ds="%s" '
                'versjon="1">%s%s</i:Innsending>\n') % (f.INNSENDING, f.XENC, f.DS, self.header(), sealed)

    def build(self, tpf_key, register_key, **how):
        """`tpf_key`, `register_key`: (key id, public key). `how`: transport, cipher, width."""
        layer = self.tpf_layer(lambda data: f.encrypted_data(data, *register_key, declare=False, **how))
        return self.document(f.encrypted_data(layer.encode(), *tpf_key, declare=False, **how))


def newest(keys, owner):
    """The last key of `owner` in the key file."""
    found = [(key_id, key) for key_id, (of, key) in keys.items() if of == owner]
    if not found:
        raise f.Refused("no key of " + owner)
    return found[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nokler", required=True, help="the published key file")
    parser.add_argument("--ut", required=True)
    parser.add_argument("--nummer", action="append", default=[], help="a person's identity number")
    parser.add_argument("--persons", help="a file with one identity number a line")
    parser.add_argument("--content", default="<Tjeneste>hjemmesykepleie</Tjeneste>")
    parser.add_argument("--transport", default="rsa-oaep", choices=sorted(f.TRANSPORTS))
    parser.add_argument("--cipher", default="aes256-gcm", choices=["aes256-gcm", "aes128-gcm"])
    parser.add_argument("--width", type=int, default=0, help="characters of a base64 line")
    for name in ("meldings_id", "meldingstype", "kommunenummer", "bydelsnummer", "organisasjonsnummer", "register",
                 "opprettet", "epost", "navn", "mobiltelefon", "fra", "til"):
        parser.add_argument("--" + name.replace("_", "-"), dest=name)
    args = vars(parser.parse_args())
    numbers = args["nummer"] + (open(args["persons"]).read().split() if args["persons"] else [])
    values = {name: args[name] for name in args if args[name] is not None and hasattr(Message([]), name)
              and name != "persons"}
    message = Message([(number, args["content"]) for number in numbers], **values)
    keys = f.load_key_file(args["nokler"])
    text = message.build(newest(keys, "TPF"), newest(keys, message.register), transport=args["transport"],
                         cipher=args["cipher"], width=args["width"])
    open(args["ut"], "w", encoding="utf-8", newline="").write(text)
    print(message.meldings_id)


if __name__ == "__main__":
    main()
