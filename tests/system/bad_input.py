"""Every kind of bad submission, by name: what to build, and the code that it must end with. Used by the test of bad
input, which looks at each closely, and by the taint test, which fills them with canaries."""

import os
import re

import submission as s

OTHER_ID = "7f1c0c2e-6c3b-4f0e-9a35-0c6a3f4d2b11"
EXTRA_NS = ' xmlns:x="urn:x"'


def _sealed_end(data):
    return data.rfind(b"</xenc:CipherValue>")


def flip_content(data):
    """One base64 digit of the TPF layer's content, far from its end."""
    at = _sealed_end(data) - 400
    return data[:at] + (b"A" if data[at:at + 1] != b"A" else b"B") + data[at + 1:]


def flip_tag(data):
    """A bit of the authentication tag: the last digit that stands for six whole bits."""
    at = _sealed_end(data) - 6
    return data[:at] + (b"A" if data[at:at + 1] != b"A" else b"B") + data[at + 1:]


def in_content(insert, back=400):
    return lambda data: data[:_sealed_end(data) - back] + insert + data[_sealed_end(data) - back + len(insert):]


def drop(element):
    """An edit: the first element of this name is gone, content and all."""
    return s.pattern(f"<{element}[ >].*?</{element}>", "")


def move_first(element, before):
    """An edit: the first `element` stands before the first `before`."""
    def edit(data):
        found = re.search(f"<{element}>.*?</{element}>".encode(), data, re.S).group(0)
        rest = data.replace(found, b"", 1)
        at = rest.index(f"<{before}".encode())
        return rest[:at] + found + rest[at:]
    return edit


def outer(edit):
    return lambda good: good.but(outer_edit=edit).build()


def layer(edit):
    return lambda good: good.but(layer_edit=edit).build()


def header(**changes):
    """Both headers, changed alike."""
    return lambda good: good.but(header=s.replace(good.header, **changes)).build()


def hode(**changes):
    """Only the sealed one."""
    return lambda good: good.but(hode=s.replace(good.header, **changes)).build()


def seal(**options):
    return lambda good: good.but(seal=options).build()


def seal_person(**options):
    return lambda good: good.but(seal_person=options).build()


PERSON = "<i:Person><i:Fodselsnummer>"
SEALED_PERSON = "</i:Fodselsnummer><xenc:EncryptedData"


def cases():
    """{name: (builder, code)}; a builder makes bytes of a good Submission."""
    table = {
        # --- the outer layer: is it XML at all ---
        "text": (lambda g: b"dette er ikke XML\n", "IKKE_XML"),
        "binary": (lambda g: bytes(range(256)) * 8, "IKKE_XML"),
        "white space only": (lambda g: b" \n\t\n", "AVKUTTET"),
        "end tag of another name": (outer(s.last("</i:Innsending>", "</i:Inn>")), "IKKE_XML"),
        "bare ampersand": (outer(s.swap("<i:Meldingstype>", "<i:Meldingstype>&")), "IKKE_XML"),
        "unbound prefix": (outer(s.swap(f' xmlns:i="{s.INNSENDING}"', "")), "IKKE_XML"),
        "same attribute twice": (outer(s.swap(' versjon="1"', ' versjon="1" versjon="1"')), "IKKE_XML"),
        "second root": (outer(lambda d: d + b"<x/>"), "ETTER_SLUTT"),
        "text after the end": (outer(lambda d: d + b"mer"), "ETTER_SLUTT"),
        "comment after the end": (outer(lambda d: d + b"<!-- mer -->"), "IKKE_TILLATT"),
        "NUL after the end": (outer(lambda d: d + b"\0"), "ETTER_SLUTT"),
        "cut before the end tag": (outer(lambda d: d[:d.rindex(b"</i:Innsending>")]), "AVKUTTET"),
        "cut in the content": (outer(lambda d: d[:_sealed_end(d) - 1000]), "AVKUTTET"),
        "cut in the header": (outer(lambda d: d[:200]), "AVKUTTET"),
        "invalid UTF-8 in the header": (outer(s.swap("<i:Register>", b"<i:Register>\xc3\x28")), "TEGNSETT"),
        "ISO-8859-1 declared": (outer(s.swap('encoding="UTF-8"', 'encoding="ISO-8859-1"')), "TEGNSETT"),
        "UTF-16": (outer(lambda d: d.decode().replace("UTF-8", "UTF-16").encode("utf-16")), "TEGNSETT"),
        # --- root, version, header ---
        "wrong root": (outer(lambda d: d.replace(b"i:Innsending", b"i:Melding")), "ROT"),
        "wrong namespace": (outer(s.swap("urn:tpf:innsending:1", "urn:tpf:innsending:2")), "ROT"),
        "wrong version": (outer(s.swap('versjon="1"', 'versjon="2"')), "ROT"),
        "no version": (outer(s.swap(' versjon="1"', "")), "ROT"),
        "MsgHead": (lambda g: b'<MsgHead xmlns="http://www.kith.no/xmlstds/msghead/2006-05-24"/>', "ROT"),
        "header without MeldingsId": (outer(drop("i:MeldingsId")), "HODEFELT"),
        "header without Meldingstype": (outer(drop("i:Meldingstype")), "HODEFELT"),
        "header without Kommunenummer": (outer(drop("i:Kommunenummer")), "HODEFELT"),
        "header without Mottaker": (outer(drop("i:Mottaker")), "HODEFELT"),
        "header without EncryptedData": (outer(drop("xenc:EncryptedData")), "HODEFELT"),
        "header in another order": (outer(move_first("i:Meldingstype", "i:MeldingsId")), "HODEFELT"),
        "MeldingsId twice": (outer(s.pattern("(<i:MeldingsId>.*?</i:MeldingsId>)", r"\1\1")), "HODEFELT"),
        "MeldingsId of version 1": (header(meldings_id="7f1c0c2e-6c3b-1f0e-9a35-0c6a3f4d2b11"), "FELTFORM"),
        "MeldingsId in capitals": (header(meldings_id=OTHER_ID.upper()), "FELTFORM"),
        "unknown Meldingstype": (header(meldingstype="NPR"), "FELTFORM"),
        "Bydelsnummer of three digits": (header(bydel="000"), "FELTFORM"),
        "Organisasjonsnummer with a wrong check digit": (header(orgnr="974761077"), "FELTFORM"),
        "Register in lower case": (header(register="iplos"), "FELTFORM"),
        "Kommunenummer of three digits": (header(kommune="301"), "KOMMUNENUMMER"),
        "Kommunenummer of letters": (header(kommune="OSLO"), "KOMMUNENUMMER"),
        "Kommunenummer empty": (header(kommune=""), "KOMMUNENUMMER"),
        "unknown register": (header(register="XYZ"), "UKJENT_REGISTER"),
        # --- what nobody named, in the outer layer ---
        "foreign element": (outer(s.swap("<xenc:EncryptedData", "<i:Merknad>x</i:Merknad><xenc:EncryptedData")), "IKKE_TILLATT"),
        "foreign attribute": (outer(s.swap(' versjon="1"', ' versjon="1" lang="no"')), "IKKE_TILLATT"),
        "xml:lang": (outer(s.swap(' versjon="1"', ' versjon="1" xml:lang="no"')), "IKKE_TILLATT"),
        "text between elements": (outer(s.swap("<i:Avsender>", "mellom<i:Avsender>")), "IKKE_TILLATT"),
        "comment": (outer(s.swap("<i:Avsender>", "<!-- x --><i:Avsender>")), "IKKE_TILLATT"),
        "comment in a leaf": (outer(s.swap("<i:Register>", "<i:Register><!-- x -->")), "IKKE_TILLATT"),
        "CDATA": (outer(s.pattern("<i:Register>(.*?)<", r"<i:Register><![CDATA[\1]]><")), "IKKE_TILLATT"),
        "processing instruction": (outer(s.swap("<i:Avsender>", "<?x y?><i:Avsender>")), "IKKE_TILLATT"),
        "DOCTYPE": (outer(s.swap("<i:Innsending", "<!DOCTYPE x><i:Innsending")), "IKKE_TILLATT"),
        "DOCTYPE with an entity": (outer(s.swap("<i:Innsending", '<!DOCTYPE x [<!ENTITY a "b">]><i:Innsending')), "IKKE_TILLATT"),
        "entity of its own": (outer(s.swap("<i:Register>", "<i:Register>&a;")), "IKKE_XML"),
        "RetrievalMethod": (outer(s.pattern("<xenc:EncryptedKey>.*?</xenc:EncryptedKey>", '<ds:RetrievalMethod URI="#k"/>')), "IKKE_TILLATT"),
        "EncryptedKey as a sibling": (outer(lambda d: re.sub(rb"(?s)<ds:KeyInfo [^>]*>(<xenc:EncryptedKey>.*?</xenc:EncryptedKey>)</ds:KeyInfo>",
                                                            rb"\1", d, count=1)), "IKKE_TILLATT"),
        "AgreementMethod": (outer(s.pattern("<xenc:EncryptedKey>.*?</xenc:EncryptedKey>", f'<xenc:AgreementMethod Algorithm="{s.XENC}dh"/>')),
                            "IKKE_TILLATT"),
        # --- keys and algorithms ---
        "unknown key id": (seal(key_id="TPF-1999"), "UKJENT_NOKKEL"),
        "a register's key id": (seal(key_id="IPLOS-2026"), "UKJENT_NOKKEL"),
        "key id of wrong form": (seal(key_id="TPF 2026"), "FELTFORM"),
        "tripledes-cbc": (seal(cipher=s.DES3), "ALGORITME"),
        "aes256-cbc under a modern key": (seal(cipher=s.AES256_CBC), "ALGORITME"),
        "rsa-1_5 under a modern key": (seal(transport=s.RSA_1_5), "ALGORITME"),
        "rsa-1_5 and aes256-cbc": (seal(transport=s.RSA_1_5, cipher=s.AES256_CBC), "ALGORITME"),
        "unknown cipher": (seal(cipher="urn:x"), "ALGORITME"),
        "OAEP with MD5": (outer(s.swap(s.XENC + "sha256", "http://www.w3.org/2001/04/xmldsig-more#md5")), "ALGORITME"),
        "OAEPparams": (outer(s.swap("</xenc:EncryptionMethod>", "<xenc:OAEPparams>AA==</xenc:OAEPparams></xenc:EncryptionMethod>")), "IKKE_TILLATT"),
        "key transport fails": (lambda g: g.but(seal={"wrapped": s.wrap(g.tpf_key, os.urandom(31))}).build(), "DEKRYPTERING"),
        "random wrapped key": (seal(wrapped=bytes([1]) + os.urandom(383)), "DEKRYPTERING"),
        "short wrapped key": (seal(wrapped=os.urandom(100)), "DEKRYPTERING"),
        "wrapped for another key": (lambda g: g.but(seal={"wrapped": s.wrap(g.register_key, os.urandom(32))}).build(), "DEKRYPTERING"),
        "tag wrong": (outer(flip_tag), "DEKRYPTERING"),
        "content bit turned": (outer(flip_content), "DEKRYPTERING"),
        "content of 27 bytes": (seal(sealed=bytes(27)), "DEKRYPTERING"),
        "content empty": (seal(sealed=b""), "DEKRYPTERING"),
        "other IV": (lambda g: g.but(outer_edit=lambda d: re.sub(
            rb"(?s)(.*<xenc:CipherValue>)....", rb"\1AAAA", d)).build(), "DEKRYPTERING"),
        "foreign base64 character": (outer(in_content(b"*")), "BASE64"),
        "base64 padding inside": (outer(in_content(b"=")), "BASE64"),
        "base64url": (outer(in_content(b"-_")), "BASE64"),
        "one base64 digit missing": (outer(lambda d: d[:_sealed_end(d) - 400] + d[_sealed_end(d) - 399:]), "BASE64"),
        "foreign base64 character in the key": (outer(s.swap("<xenc:CipherValue>", "<xenc:CipherValue>*")), "BASE64"),
        # What an attacker could measure: nothing of the decrypted content is told unless the tag is right.
        "comment in the layer, and the tag wrong": (lambda g: g.but(layer_edit=s.swap("<i:Person>", "<!-- x --><i:Person>"),
                                                                    outer_edit=flip_tag).build(), "DEKRYPTERING"),
        "AntallPersoner wrong, and the tag wrong": (lambda g: g.but(antall=9, outer_edit=flip_tag).build(), "DEKRYPTERING"),
        "Hode different, and the tag wrong": (lambda g: g.but(hode=s.replace(g.header, kommune="4601"),
                                                              outer_edit=flip_tag).build(), "DEKRYPTERING"),
        # --- sealed header and sender ---
        "Hode with another MeldingsId": (hode(meldings_id=OTHER_ID), "HODE_ULIK"),
        "Hode with another Meldingstype": (hode(meldingstype="KPR"), "HODE_ULIK"),
        "Hode with another Kommunenummer": (hode(kommune="4601"), "HODE_ULIK"),
        "Hode with another Bydelsnummer": (hode(bydel="01"), "HODE_ULIK"),
        "Hode with another Organisasjonsnummer": (hode(orgnr="889640782"), "HODE_ULIK"),
        "Hode with another Register": (hode(register="KPR"), "HODE_ULIK"),
        "clear header of another sender": (outer(s.swap(">0301<", ">4601<")), "HODE_ULIK"),
        "another sender": (header(kommune="4601"), "AVSENDER_ULIK"),
        # --- the TPF layer ---
        "AntallPersoner too high": (lambda g: g.but(antall=len(g.numbers) + 1).build(), "ANTALL"),
        "AntallPersoner too low": (lambda g: g.but(antall=len(g.numbers) - 1).build(), "ANTALL"),
        "AntallPersoner not a number": (lambda g: g.but(antall="tre").build(), "FELTFORM"),
        "person without sealed data": (layer(drop("xenc:EncryptedData")), "UTEN_DATA"),
        "person without Fodselsnummer": (layer(drop("i:Fodselsnummer")), "HODEFELT"),
        "Fodselsnummer twice": (layer(s.pattern("(<i:Fodselsnummer>.*?</i:Fodselsnummer>)", r"\1\1")), "HODEFELT"),
        "Fodselsnummer of 33 characters": (lambda g: g.but(numbers=["1" * 33, *g.numbers[1:]]).build(), "FELTFORM"),
        "number in Navn": (lambda g: g.but(navn=f"Kari {g.numbers[0]}").build(), "IDENTITET"),
        "number in Navn, spaced": (lambda g: g.but(navn=f"Kari {g.numbers[0][:6]} {g.numbers[0][6:]}").build(), "IDENTITET"),
        "number in Epost": (lambda g: g.but(epost=f"{g.numbers[0]}@x.example").build(), "IDENTITET"),
        "number in Epost, with dots": (lambda g: g.but(epost=f"{g.numbers[0][:6]}.{g.numbers[0][6:]}@x.example").build(), "IDENTITET"),
        "number in a period": (layer(lambda d: re.sub(rb"<i:Fra>.*?<", b"<i:Fra>" + _number(d) + b"<", d)), "FELTFORM"),
        "number as a person's key name": (lambda g: g.but(seal_person={"key_id": g.numbers[0]}).build(), "REGISTERNOKKEL"),
        "number in AntallPersoner": (lambda g: g.but(antall=g.numbers[0]).build(), "FELTFORM"),
        "number of twelve digits in Navn": (lambda g: g.but(navn="Kari 201812345678").build(), "IDENTITET"),
        "number as a namespace of the message": (lambda g: g.but(outer_edit=s.swap(
            f' xmlns:i="{s.INNSENDING}"', f' xmlns:i="{s.INNSENDING}" xmlns:x="urn:{g.numbers[0]}"')).build(), "IDENTITET"),
        "number as a namespace of a person": (lambda g: g.but(layer_edit=s.swap(
            "<i:Person>", f'<i:Person xmlns:x="urn:{g.numbers[0]}">')).build(), "IDENTITET"),
        "number as a namespace of sealed data": (lambda g: g.but(layer_edit=s.swap(
            "<xenc:EncryptedData ", f'<xenc:EncryptedData xmlns:x="urn:{g.numbers[0]}" ')).build(), "IDENTITET"),
        "number as an algorithm of a person's": (lambda g: g.but(seal_person={"cipher": f"urn:{g.numbers[0]}"}).build(), "ALGORITME"),
        "Epost without at": (lambda g: g.but(epost="kari").build(), "FELTFORM"),
        "Epost empty": (lambda g: g.but(epost="").build(), "FELTFORM"),
        "Navn empty": (lambda g: g.but(navn="").build(), "FELTFORM"),
        "Navn of 201 characters": (lambda g: g.but(navn="N" * 201).build(), "FELTFORM"),
        "Mobiltelefon of seven digits": (lambda g: g.but(mobil="9876543").build(), "FELTFORM"),
        "Opprettet without Z": (lambda g: g.but(opprettet="2027-01-04T09:30:00").build(), "FELTFORM"),
        "date that is none": (layer(s.swap("2026-01-01", "2026-02-30")), "FELTFORM"),
        "layer without Kontaktperson": (layer(drop("i:Kontaktperson")), "HODEFELT"),
        "layer without Hode": (layer(drop("i:Hode")), "HODEFELT"),
        "layer without Periode": (layer(drop("i:Periode")), "HODEFELT"),
        "layer in another order": (layer(move_first("i:Periode", "i:Kontaktperson")), "HODEFELT"),
        "layer: foreign element": (layer(s.swap(PERSON, "<i:Merknad/>" + PERSON)), "IKKE_TILLATT"),
        "layer: foreign element in a person": (layer(s.swap(SEALED_PERSON, "</i:Fodselsnummer><i:Navn>x</i:Navn><xenc:EncryptedData")), "IKKE_TILLATT"),
        "layer: element after the sealed data": (layer(s.last("</i:Person>", "<i:Navn>x</i:Navn></i:Person>")), "IKKE_TILLATT"),
        "layer: foreign attribute": (layer(s.swap("<i:Person>", '<i:Person id="1">')), "IKKE_TILLATT"),
        "layer: attribute of another namespace": (layer(s.swap("<i:Person>", f'<i:Person{EXTRA_NS} x:id="1">')), "IKKE_TILLATT"),
        "layer: text": (layer(s.swap("<i:Person>", "tekst<i:Person>")), "IKKE_TILLATT"),
        "layer: comment": (layer(s.swap("<i:Person>", "<!-- x --><i:Person>")), "IKKE_TILLATT"),
        "layer: CDATA": (layer(s.swap("<i:Person>", "<![CDATA[x]]><i:Person>")), "IKKE_TILLATT"),
        "layer: processing instruction": (layer(s.swap("<i:Person>", "<?x?><i:Person>")), "IKKE_TILLATT"),
        "layer: XML declaration": (layer(lambda d: b'<?xml version="1.0"?>' + d), "IKKE_TILLATT"),
        "layer: DOCTYPE": (layer(lambda d: b"<!DOCTYPE x>" + d), "IKKE_TILLATT"),
        "layer: not XML": (layer(s.swap("<i:Person>", "<i:Person")), "IKKE_XML"),
        "layer: end tag too many": (layer(lambda d: d + b"</i:Person>"), "IKKE_XML"),
        "layer: cut": (layer(lambda d: d[:-20]), "AVKUTTET"),
        "layer: empty": (layer(lambda d: b""), "HODEFELT"),
        "layer: invalid UTF-8": (layer(s.swap("<i:Navn>", b"<i:Navn>\xff\xfe")), "TEGNSETT"),
        "layer: NUL": (layer(s.swap("<i:Navn>", b"<i:Navn>\0")), "IKKE_XML"),
        # --- the register layer ---
        "person sealed with tripledes": (seal_person(cipher=s.DES3), "ALGORITME"),
        "person sealed with cbc": (seal_person(cipher=s.AES256_CBC), "ALGORITME"),
        "person sealed with rsa-1_5": (seal_person(transport=s.RSA_1_5), "ALGORITME"),
        "person sealed under an unknown key": (seal_person(key_id="IPLOS-1999"), "REGISTERNOKKEL"),
        "person sealed under the TPF's key": (seal_person(key_id="TPF-2026"), "REGISTERNOKKEL"),
        "person sealed under another register's key": (seal_person(key_id="KPR-2026"), "REGISTERNOKKEL"),
        "person's wrapped key too short": (seal_person(wrapped=bytes(100)), "REGISTERLAG"),
        "person's content of 27 bytes": (seal_person(sealed=bytes(27)), "REGISTERLAG"),
        "person: clear text in an attribute": (layer(s.swap("<xenc:EncryptedData ", '<xenc:EncryptedData Id="x" ')), "REGISTERLAG"),
        "person: clear text in an element": (layer(s.swap("<xenc:CipherData>", "<xenc:Merknad/><xenc:CipherData>")), "REGISTERLAG"),
        "person: text between": (layer(s.swap("<xenc:CipherData>", "tekst<xenc:CipherData>")), "REGISTERLAG"),
        "person: comment": (layer(s.swap("<xenc:CipherData>", "<!--x--><xenc:CipherData>")), "IKKE_TILLATT"),
        "person: CDATA": (layer(s.swap("<xenc:CipherData>", "<![CDATA[x]]><xenc:CipherData>")), "IKKE_TILLATT"),
        "person: processing instruction": (layer(s.swap("<xenc:CipherData>", "<?x?><xenc:CipherData>")), "IKKE_TILLATT"),
        "person: RetrievalMethod": (layer(s.pattern("<xenc:EncryptedKey>.*?</xenc:EncryptedKey>", '<ds:RetrievalMethod URI="#k"/>')), "REGISTERLAG"),
        "person: foreign base64": (layer(s.last("</xenc:CipherValue>", "*</xenc:CipherValue>")), "BASE64"),
        "person: KeyName twice": (layer(s.pattern("(<ds:KeyName>.*?</ds:KeyName>)", r"\1\1")), "REGISTERLAG"),
        "second EncryptedData": (layer(s.pattern("(<xenc:EncryptedData.*?</xenc:EncryptedData>)", r"\1\1")), "IKKE_TILLATT"),
        # --- limits ---
        "name too long": (outer(s.swap("<i:Avsender>", f"<i:{'a' * 300}/><i:Avsender>")), "GRENSE"),
        "too many attributes": (outer(s.swap(' versjon="1"', ' versjon="1"' + "".join(f' a{i}="1"' for i in range(20)))), "GRENSE"),
        "too deep": (outer(s.swap("<i:Avsender>", "<i:Avsender>" + "<i:a>" * 40)), "IKKE_TILLATT"),
        "layer: name too long": (layer(s.swap("<i:Person>", f"<i:{'a' * 300}/><i:Person>")), "GRENSE"),
        "tag too long": (outer(s.swap(' versjon="1"', f' versjon="1" a="{"x" * 20000}"')), "GRENSE"),
        "leaf too long": (outer(s.swap("<i:Register>", "<i:Register>" + "A" * 5000)), "GRENSE"),
    }
    return table


def _number(layer_bytes):
    return re.search(rb"<i:Fodselsnummer>(\d+)<", layer_bytes).group(1)
