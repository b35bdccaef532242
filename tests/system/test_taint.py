"""Taint: a thousand canary numbers and contact persons' data go through every success and every error path; then all that
the installation has written or answered is searched for them."""

import base64
import hashlib
import json
import pwd
import re
import shutil
import tempfile
from pathlib import Path

import bad_input
import env
import submission as s
import taint
from case import Case
from test_forwarding import AnsweringRegister

EPOST, NAVN, MOBIL = "kanarifugl.qvist@taint.example", "Kanari Fuglesang Qvist", "41592653"
DROP = 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'


def in_clear(number):
    """{name: edit}: the sender's program is broken and writes a number where it is not sealed."""
    return {
        "MeldingsId": s.pattern("<i:MeldingsId>.*?<", f"<i:MeldingsId>{number}<"),
        "Kommunenummer": s.swap(">0301<", f">{number}<"),
        "Bydelsnummer": s.swap(">00<", f">{number}<"),
        "Organisasjonsnummer": s.swap(">974761076<", f">{number}<"),
        "Register": s.swap("<i:Register>IPLOS<", f"<i:Register>{number}<"),
        "Meldingstype": s.swap("<i:Meldingstype>IPLOS<", f"<i:Meldingstype>{number}<"),
        "element": s.swap("<i:Avsender>", f"<i:n{number}/><i:Avsender>"),
        "end tag": s.last("</i:Innsending>", f"</i:n{number}>"),
        "attribute": s.swap(' versjon="1"', f' versjon="1" n{number}="x"'),
        "attribute value": s.swap(' versjon="1"', f' versjon="{number}"'),
        "namespace": s.swap("urn:tpf:innsending:1", f"urn:{number}"),
        "prefix": s.swap("<i:Innsending", f"<n{number}:Innsending"),
        "declared prefix": s.swap("<i:Innsending", f'<i:Innsending xmlns:n{number}="urn:x"'),
        "declared namespace": s.swap("<i:Innsending", f'<i:Innsending xmlns:n="urn:{number}"'),
        "text": s.swap("<i:Avsender>", f"{number}<i:Avsender>"),
        "comment": s.swap("<i:Avsender>", f"<!-- {number} --><i:Avsender>"),
        "processing instruction": s.swap("<i:Avsender>", f"<?n{number} {number}?><i:Avsender>"),
        "entity": s.swap("<i:Register>", f"<i:Register>&n{number};"),
        "DOCTYPE": s.swap("<i:Innsending", f"<!DOCTYPE n{number}><i:Innsending"),
        "algorithm": s.swap(s.AES256_GCM, f"urn:{number}"),
        "key name": s.swap("<ds:KeyName>TPF-2026<", f"<ds:KeyName>{number}<"),
        "base64": s.last("</xenc:CipherValue>", f"*{number}</xenc:CipherValue>"),
        "after the end": lambda data: data + number.encode(),
        "instead of XML": lambda data: b"nr " + number.encode(),
    }


class Taint(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Not below any installation: the export and the list of numbers are where numbers belong.
        cls.outside = Path(tempfile.mkdtemp(prefix="tpf-system-outside-"))
        cls.addClassCleanup(shutil.rmtree, cls.outside, ignore_errors=True)
        cls.export = cls.outside / "export.xml"
        known = env.generate(cls.export, 900, "--seed", "20260101", "--bytes-per-person", "600")
        more = env.numbers(60, "--kinds", "all", "--seed", "99") + env.numbers(40, "--production-like", "--seed", "98")
        cls.canary_numbers = list(dict.fromkeys(known + more))
        cls.canaries = taint.Canaries(cls.canary_numbers, (EPOST, NAVN, "kanarifugl", "Fuglesang"), (MOBIL,))

    def setUp(self):
        super().setUp()
        self.next = 0

    def tainted(self, persons=3, **changes):
        """A submission full of canaries, other ones each time."""
        numbers = [self.canary_numbers[(self.next + i) % len(self.canary_numbers)] for i in range(persons)]
        self.next += persons
        return self.good(numbers=changes.pop("numbers", numbers), **{"epost": EPOST, "navn": NAVN, "mobil": MOBIL, **changes})

    def assert_clean(self, inst, clear=()):
        """`clear`: spool ids of messages whose sender wrote canaries in clear: their own bytes hold them."""
        own = {f"spool/{place}/{message}/innsending.xml" for message in clear for place in ("inbox/new", "work", "quarantine")}
        self.assertEqual(taint.search_folder(inst.folder, self.canaries, lambda path: path in own), {})

    def krypt(self, inst, export, out, **options):
        return inst.krypt(export, out, epost=EPOST, navn=NAVN, mobil=MOBIL, **options)

    def look_everywhere(self, inst):
        """Every question that an operator can ask, in both forms; the answers go into the transcript."""
        messages = inst.ask("queue list", limit=10000)["messages"]
        self.assertGreater(len(messages), 5)
        for row in messages:
            inst.ask("queue show", id=row["id"])
            inst.ask("receipt", id=row["id"])
        # What monitoring reads is among the files that are searched.
        if inst.metrics_file:
            env.until("the metrics", lambda: "tpf_messages_delivered_total{" in Path(inst.metrics_file).read_text())
        for command in (["status"], ["metrics"], ["queue", "list", "--limit", "10000"], ["audit", "show", "--limit", "100000"], ["audit", "verify"],
                        ["keys", "list"], ["queue", "show", messages[0]["id"]], ["receipt", messages[-1]["id"]]):
            inst.ctl(*command)
            inst.ctl(*command, json_output=True)

    def look_up(self, inst, row):
        """Insight requests: refused, wrong, and (asked as other users, by root) answered."""
        def ask(*arguments, user=None, number=None, check=True):
            entry = pwd.getpwnam(user) if user else None
            run_as = ["setpriv", f"--reuid={entry.pw_uid}", "--regid=operator", "--clear-groups"] if user else []
            done = env.run(run_as + [env.BIN / "tpfctl", "--socket", inst.folder / "core.sock", "--json", "audit", *arguments], check=check,
                           stdin=number.encode() + b"\n" if number else b"")
            inst._note(done.stdout, done.stderr)
            return json.loads(done.stdout).get("result")
        numbers = [self.canary_numbers[(self.numbers_of[row["id"]] + i) % len(self.canary_numbers)] for i in range(3)]
        number = numbers[0]
        for wrong in (number, number[:-1] + str((int(number[-1]) + 1) % 10), "nr " + number):
            ask("person", "--reason", "taint", number=wrong, check=False)
            try:
                inst.ask("audit person", number=wrong, reason=wrong)
            except env.CoreError:
                pass
        if not env.AS_OTHERS:
            return
        found = []
        for number in numbers:
            asked = ask("person", "--reason", "taint", user="daemon", number=number, check=False)
            if not asked:
                continue  # a number of a kind that no register takes
            request = asked["request"]
            ask("requests")
            ask("approve", request, "--reason", "taint", user="bin")
            found += ask("answer", request, user="daemon")["messages"]
        self.assertIn(row["id"], [one["id"] for one in found])

    def test_every_path(self):
        inst = self.installation(registers=env.REGISTERS, sources={"oslo": DROP}, operators_group="operator" if env.AS_OTHERS else "")
        inst.metrics_file = str(inst.folder / "tpf.prom")
        inst.start_register("IPLOS", faults=("wrong-signature:1", "wrong-digest:1", "503:1", "500:1", "cut:1", "lost:1"))
        inst.start_register("KPR")
        inst.start_core()
        inst.start_forward()

        # The main job, by hand; a dry run first.
        encrypted = inst.folder / "tmp" / "innsending.xml"
        self.krypt(inst, self.export, encrypted)
        inst.ctl("check", encrypted)
        done = inst.ctl("submit", "--sender", env.SENDER, "--reason", "taint", encrypted, json_output=True)
        clear = self.send_bad_ones(inst)
        self.drop_files(inst)

        # Every operator's action; the same bytes again; the same name with other bytes; what an operator mistypes.
        begin = self.next
        good = self.tainted()
        first = inst.wait_state(inst.submit(good.build()), "delivered")
        self.numbers_of = {first["id"]: begin % len(self.canary_numbers)}
        inst.submit(good.build())
        inst.wait_state(inst.submit(encrypted.read_bytes()), "duplicate")
        for row in inst.ask("queue list", state="quarantined", limit=20)["messages"]:
            inst.ask("queue retry", id=row["id"], reason="taint")
            inst.wait_state(row["id"], "quarantined", "duplicate")
        for row in inst.ask("queue list", state="quarantined", limit=10, offset=20)["messages"]:
            inst.ask("queue discard", id=row["id"], reason="taint")
            if env.AS_OTHERS:
                inst.discard(row["id"], "taint")
        for number in self.canary_numbers[:5]:
            for command in ("queue show", "receipt", "queue retry", "queue list"):
                try:
                    inst.ask(command, id=number, reason="taint", state=number, sender=number)
                except env.CoreError:
                    pass
        row = inst.wait_state(done["id"], "delivered")
        self.assertEqual(row["persons"], 900)

        # The register opens everything: still no number.
        (inst.folder / "opened.json").write_text("\n".join(map(json.dumps, inst.decrypt(row["name"]) + inst.decrypt(first["name"]))))
        self.krypt_errors(inst)
        self.look_up(inst, first)
        self.look_everywhere(inst)
        self.kill_in_the_middle(inst, clear)
        inst.stop()
        self.assert_clean(inst, clear)
        # The search did see the files that matter.
        for log in ("tpfd.log", "forward.log", "register-IPLOS.log", "transcript"):
            self.assertGreater((inst.folder / log).stat().st_size, 1000, log)

    def send_bad_ones(self, inst):
        """Spool ids of those that hold canaries in clear."""
        messages, clear, outside = [], [], []
        for name, (build, _) in bad_input.cases().items():
            data = build(self.tainted())
            messages.append(inst.submit(data))
            if any(number.encode() in data for number in self.canary_numbers):
                outside.append(messages[-1])
            inst.ask("check", body=data)
        for number in (self.canary_numbers[0], self.canary_numbers[-1]):
            for edit in in_clear(number).values():
                clear.append(inst.submit(self.tainted(outer_edit=edit).build()))
                try:
                    inst.ask("check", body=self.tainted(outer_edit=edit).build())
                except env.CoreError:
                    pass
            for name in ("element", "attribute", "text", "comment", "entity", "processing instruction"):
                edit = in_clear(number)[name]
                inside = lambda layer, edit=edit: edit(layer.replace(b"<i:Person>", b'<i:Avsender></i:Avsender><i:Person versjon="1">')) \
                    if name != "attribute" else layer.replace(b"<i:Person>", f'<i:Person n{number}="{number}">'.encode())
                messages.append(inst.submit(self.tainted(layer_edit=inside).build()))
        for message in messages + clear:
            row = inst.wait_state(message, "quarantined", "delivered", "committed", "duplicate")
            if message in messages:
                self.assertEqual(row["state"], "quarantined", row)
        return clear + outside

    def drop_files(self, inst):
        """Files whose names the sender chose. They are gone from the folder once they were taken."""
        drop = inst.folder / "drop"
        drop.mkdir(exist_ok=True)
        for suffix, data in ((".xml", self.tainted().build()), ("-feil.xml", self.tainted(antall=7).build())):
            waiting = drop / ".waiting"
            waiting.write_bytes(data)
            waiting.rename(drop / f"{self.canary_numbers[3]}{suffix}")
        # What is refused: a link and a folder of such a name.
        (drop / self.canary_numbers[4]).symlink_to("/nowhere")
        (drop / self.canary_numbers[5]).mkdir()
        env.until("the dropped files to be taken", lambda: not list(drop.glob("*.xml")))
        env.until("a word about what is left", lambda: "left there" in (inst.folder / "tpfd.log").read_text())
        (drop / self.canary_numbers[4]).unlink()
        (drop / self.canary_numbers[5]).rmdir()
        env.until("both messages to end", lambda: {r["state"] for r in inst.ask("queue list", limit=10000)["messages"]
                                                   if r["source"] == "oslo"} == {"delivered", "quarantined"})

    def krypt_errors(self, inst):
        """The sender's program stops: its texts go to a screen, and to whoever helps with it."""
        text = self.export.read_text()
        number = self.canary_numbers[0]
        for name, broken in (("cut", text[:len(text) // 2]), ("own number", text.replace("</Person>", f"<x>{number}</x></Person>", 1)),
                             ("no period", text.replace("<Periode>", "<Perioden>", 1)), ("entity", text.replace("<Person>", "<Person>&n;", 1)),
                             ("doctype", text.replace("<IPLOS", "<!DOCTYPE IPLOS><IPLOS", 1)), ("attribute", text.replace("<Person>", '<Person id="1">', 1))):
            path = self.outside / "broken.xml"
            path.write_text(broken)
            out = inst.folder / "tmp" / "broken-out.xml"
            self.assertEqual(self.krypt(inst, path, out, check=False).returncode, 1, name)
            self.assertFalse(out.exists())

    def kill_in_the_middle(self, inst, clear):
        """The core is killed while it works; what lies about then is searched before anything is tidied up."""
        for _ in range(3):
            other = self.outside / "again.xml"
            self.krypt(inst, self.export, other)
            message = inst.submit(other.read_bytes())
            env.until("the pass to have begun", lambda: f"{message}.ut" in inst.entries("work") or message in inst.entries("outbox"))
            inst.core.kill()
            self.assert_clean(inst, clear)
            inst.start_core()
            inst.wait_state(message, "delivered")

    def test_hold_invalid_numbers_and_a_full_disk(self):
        inst = self.installation(limits={"persons_per_day": 4}, register_settings={"IPLOS": 'on_invalid = "quarantine"'})
        inst.start()
        messages = [inst.submit(self.tainted(4, numbers=self.canary_numbers[:4]).build()) for _ in range(2)]
        messages += [inst.submit(self.tainted(numbers=self.canary_numbers[-3:]).build()) for _ in range(4)]
        rows = [inst.wait_state(m, "delivered", "held", "quarantined") for m in messages]
        self.assertEqual(sorted({r["state"] for r in rows}), ["delivered", "held", "quarantined"])
        held = next(r["id"] for r in rows if r["state"] == "held")
        self.assert_clean(inst)
        inst.ask("queue retry", id=held, reason="taint")
        inst.wait_state(held, "delivered")
        self.look_everywhere(inst)
        inst.core.stop()
        inst.reserve = "1000 TiB"
        inst.start_core()
        with self.assertRaises(env.CoreError):
            inst.submit(self.tainted().build())
        inst.ctl("submit", "--sender", env.SENDER, "--reason", "taint", self._file(inst), check=False)
        inst.stop()
        self.assert_clean(inst)

    def _file(self, inst):
        path = inst.folder / "tmp" / "innsending.xml"
        path.write_bytes(self.tainted().build())
        return path

    def test_production_installation_and_a_register_that_talks_too_much(self):
        inst = self.installation(kind="production")
        told = {"status": "feil", "kode": NAVN, "epost": EPOST, "mobil": MOBIL}
        answers = [(500, told, {"Retry-After": MOBIL}), (201, told, {}), (422, {**told, "status": "avvist"}, {}), (503, told, {"Server": EPOST})]

        def answer(count, signed):
            return answers[count - 1] if count <= len(answers) else (201, {**signed("mottatt", "KV-1"), "navn2": NAVN}, {})
        register = AnsweringRegister(inst, answer)
        self.addCleanup(register.close)
        inst.start_core()
        inst.start_forward()
        messages = [inst.submit(self.tainted().build()) for _ in range(6)]
        for message in messages:
            inst.wait_state(message, "delivered", "quarantined")
        self.look_everywhere(inst)
        inst.stop()
        self.assert_clean(inst)


class SearchCanFail(Case):
    """The search itself: a canary in any form, in any of the places, is found."""

    def test_every_form_is_found(self):
        number, duf = "13097248022", "201012345678"
        canaries = taint.Canaries([number, duf], (EPOST, NAVN), (MOBIL,))
        line = b"2026-11-22T18:45:42.212Z info tpfd[1]: TEST INSTALLATION received message=1c80a44e-be58-495d-bae8-a8408fe3f2c9 "
        self.assertEqual(canaries.search(line * 3), [])
        raw = number.encode()
        forms = {"plain": raw, "DUF": duf.encode(), "inside digits": b"99" + raw + b"77", "backwards": raw[::-1],
                 "space": b"130972 48022", "dashes": b"13-09-72-48022", "dots": b"13.09.72 480 22", "each apart": b" ".join(bytes([c]) for c in raw),
                 "line break": b"130972\n48022", "UTF-16LE": number.encode("utf-16-le"), "UTF-16BE": number.encode("utf-16-be"),
                 "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(), "hex of UTF-16": number.encode("utf-16-le").hex().encode(),
                 "base64 of UTF-16": base64.b64encode(number.encode("utf-16-le")),
                 "base64url": base64.urlsafe_b64encode(b"\xff\xfe" + raw), "in hex text": b"abc" + raw.hex().encode() + b"def",
                 "epost": EPOST.upper().encode(), "navn": NAVN.encode(), "mobil": b"+47" + MOBIL.encode(), "mobil spaced": b"415 92 653",
                 "navn in base64": base64.b64encode(b"x" + NAVN.encode()), "epost in UTF-16": EPOST.encode("utf-16-be")}
        for offset in range(3):
            forms[f"base64 at {offset}"] = base64.b64encode(b"abc"[:offset] + raw + b"xyz")
            forms[f"base64 inside a run, {offset}"] = b"QUJD"[:offset] + base64.b64encode(b"ab" + raw + b"xyz")
        for kind in (hashlib.md5, hashlib.sha1, hashlib.sha256):
            digest = kind(raw).digest()
            forms |= {f"{digest.hex()[:4]} raw": digest, f"{kind.__name__} hex": digest.hex().encode(),
                      f"{kind.__name__} base64": base64.b64encode(digest), f"{kind.__name__} shortened": digest.hex()[:20].encode(),
                      f"{kind.__name__} of navn": kind(NAVN.encode()).hexdigest().encode()}
        for name, form in forms.items():
            with self.subTest(name):
                self.assertNotEqual(canaries.search(line + b"x=" + form + b"\n" + line), [])

    def test_planted_canary_turns_the_real_search_red(self):
        """One canary in each file of a real installation: each is named."""
        inst = self.installation()
        inst.start()
        row = inst.wait_state(inst.submit(self.good().build()), "delivered")
        inst.kvittering(row["id"], status="levert")
        inst.wait_state(inst.submit(self.good(antall=5).build()), "quarantined")
        inst.stop()
        number = self.numbers[0]
        # Tests' own canaries: the good message's contact person is no canary here.
        canaries = taint.Canaries(self.numbers)
        self.assertEqual(taint.search_folder(inst.folder, canaries), {})
        places = [p for p in inst.folder.rglob("*") if p.is_file() and not p.is_symlink()]
        seen = {re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", str(p.relative_to(inst.folder))) for p in places}
        for wanted in ("tpfd.log", "forward.log", "register-IPLOS.log", "transcript", "journal/journal.db", "spool/quarantine/ID/kilde.json",
                       "spool/quarantine/ID/innsending.xml", "spool/kvittering/operator/ID.json", "spool/receipts/registre.json",
                       "spool/receipts/status.json", "spool/work/ID.ut/melding.xml", "spool/work/ID.ut/post.json"):
            self.assertIn(wanted, seen)
        for path in places:
            path.write_bytes(path.read_bytes() + b" " + number.encode())
        planted = {str(p.relative_to(inst.folder)) for p in places}
        self.assertEqual(set(taint.search_folder(inst.folder, canaries)), planted)
        (inst.folder / f"melding-{number}").mkdir()
        self.assertIn(f"melding-{number}", taint.search_folder(inst.folder, canaries))
