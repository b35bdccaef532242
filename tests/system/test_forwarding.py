"""Register away, wrong receipts, refusals: retried and shown, or quarantined, never lost and never believed."""

import base64
import hashlib
import json
import sqlite3
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import env
from case import Case
from cryptography.hazmat.primitives import serialization


class AnsweringRegister:
    """A register of its own in Python that gives the answer it is told to, signed as docs say: what the reference
    register never answers to a core that does things right (400, 409, 422 …)."""

    def __init__(self, inst, answer):
        self.requests = []
        key = serialization.load_pem_private_key(
            (inst.folder / "registers/IPLOS/IPLOS-2026-receipt.private.pem").read_bytes(), None)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                name, digest = self.headers["Idempotency-Key"], hashlib.sha256(body).hexdigest()
                outer.requests.append((self.path, dict(self.headers), body))

                def signed(status, token):
                    when = "2026-11-22T18:00:00Z"
                    text = b"\0".join(x.encode() for x in ("tpf-kvittering-v1", "IPLOS", name, digest, status, token, when))
                    return {"status": status, "kvittering" if status == "mottatt" else "kode": token, "navn": name,
                            "sha256": digest, "mottatt": when, "signatur": base64.b64encode(key.sign(text)).decode()}
                status, document, headers = answer(len(outer.requests), signed)
                content = json.dumps(document).encode() if document is not None else b""
                self.send_response(status)
                for header in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(*header)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(inst.folder / "tls/register.pem", inst.folder / "tls/register.key")
        context.load_verify_locations(inst.folder / "tls/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        inst.ports["IPLOS"] = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Forwarding(Case):
    def status_of(self, inst):
        registers = inst.ask("status")["registers"]
        return registers[0] if registers else {}

    def test_register_away_is_shown_and_the_message_delivered_later(self):
        inst = self.installation()
        inst.start_register()
        self.assertEqual(inst.registers["IPLOS"].stop(), 0)
        inst.start_core()
        inst.start_forward()
        message = inst.submit(self.good().build())
        trouble = env.until("status to say that the register is away", lambda: self.status_of(inst).get("code") and self.status_of(inst))
        self.assertEqual((trouble["register"], trouble["state"], trouble["code"]), ("IPLOS", "trouble", "REGISTER_BORTE"))
        self.assertIn("REGISTER_BORTE", inst.ctl("status").stdout.decode())
        self.assertEqual(inst.ask("receipt", id=message)["status"], "under behandling")
        inst.start_register()
        inst.wait_state(message, "delivered")
        env.until("status to say that all is well", lambda: self.status_of(inst).get("state") == "well")
        self.assertEqual(inst.kvittering(message, status="levert")["status"], "levert")

    def deliver_despite(self, *faults, code=None, **settings):
        """A message that meets these faults first; the installation."""
        inst = self.installation(**settings)
        inst.start_register(faults=faults)
        inst.start_core()
        inst.start_forward()
        good = self.good()
        message = inst.submit(good.build())
        inst.wait_state(message, "committed", "delivered", "quarantined")
        if code:
            waits = env.until(f"{code} at the message", lambda: [e for e in inst.ask("audit show", message=message)["entries"]
                                                                if e["fields"].get("code") == code])
            self.assertEqual(waits[0]["kind"], "receipt-refused")
        row = inst.wait_state(message, "delivered", "quarantined")
        self.assertEqual(row["state"], "delivered", row)
        self.assertEqual([m["navn"] for m in inst.register_list()], [good.header.name])
        self.assertNotIn("waits_for", row)
        return inst

    def test_wrong_signature_is_no_receipt(self):
        inst = self.deliver_despite("wrong-signature:1", code="KVITTERING_UGYLDIG")
        self.assertIn("ALARM", (inst.folder / "tpfd.log").read_text())

    def test_wrong_digest_is_no_receipt(self):
        self.deliver_despite("wrong-digest:1", code="KVITTERING_UGYLDIG")

    def test_wrong_receipts_for_ever_are_shown_in_status(self):
        inst = self.installation()
        inst.start_register(faults=("wrong-signature",))
        inst.start_core()
        inst.start_forward()
        message = inst.submit(self.good().build())
        waiting = env.until("the message among those that wait", lambda: inst.ask("status")["waiting"])
        self.assertEqual([(w["id"], w["code"]) for w in waiting], [(message, "KVITTERING_UGYLDIG")])
        self.assertIn("KVITTERING_UGYLDIG", inst.ctl("status").stdout.decode())
        row = inst.row(message)
        self.assertEqual((row["state"], row["waits_for"]["code"]), ("committed", "KVITTERING_UGYLDIG"))
        self.assertEqual(inst.ask("receipt", id=message)["status"], "under behandling")

    def test_500_429_503_lost_and_cut_connections(self):
        self.deliver_despite("500:1", "503:1", "429:1", "lost:1", "cut:1")

    def answered(self, answer, **settings):
        inst = self.installation(**settings)
        register = AnsweringRegister(inst, answer)
        self.addCleanup(register.close)
        inst.start_core()
        inst.start_forward()
        good = self.good()
        data = good.build()
        return inst, register, inst.submit(data), data, good

    def test_422_is_quarantined_with_the_registers_code(self):
        inst, register, message, data, _ = self.answered(lambda n, signed: (422, signed("avvist", "K-17"), {}))
        row = self.assert_quarantined(inst, message, "REGISTER_AVVIST", data)
        self.assertEqual(row["register_code"], "K-17")
        self.assertEqual(len(register.requests), 1)

    def test_422_with_a_wrong_signature_is_not_believed(self):
        def answer(n, signed):
            if n == 1:
                return 422, {**signed("avvist", "K-17"), "kode": "K-18"}, {}
            return 201, signed("mottatt", "KV-1"), {}
        inst, _, message, _, _ = self.answered(answer)
        self.assertEqual(inst.wait_state(message, "delivered", "quarantined")["state"], "delivered")

    def test_409_is_quarantined(self):
        inst, _, message, data, _ = self.answered(lambda n, signed: (409, None, {}))
        self.assert_quarantined(inst, message, "REGISTER_KONFLIKT", data)

    def test_a_refused_message_is_delivered_after_the_operators_retry(self):
        """The same name and bytes again: what was refused by mistake must not be lost."""
        for refusal, code in ((422, "REGISTER_AVVIST"), (409, "REGISTER_KONFLIKT")):
            with self.subTest(code):
                def answer(n, signed, refusal=refusal):
                    if n == 1:
                        return refusal, signed("avvist", "K-17") if refusal == 422 else None, {}
                    return 201, signed("mottatt", "KV-1"), {}
                inst, register, message, data, _ = self.answered(answer)
                self.assert_quarantined(inst, message, code, data)
                inst.ctl("queue", "retry", message, "--reason", "the register was wrong")
                self.assertEqual(inst.wait_state(message, "delivered")["register_receipt"], "KV-1")
                first, second = register.requests
                self.assertEqual(first[2], second[2])
                self.assertEqual(first[1]["Idempotency-Key"], second[1]["Idempotency-Key"])
                inst.kvittering(message, status="levert")

    def test_400_once_more_then_quarantine(self):
        inst, register, message, data, _ = self.answered(lambda n, signed: (400, None, {}))
        self.assert_quarantined(inst, message, "REGISTER_DIGEST", data)
        self.assertEqual(len(register.requests), 2)

    def test_400_once_and_then_received(self):
        inst, _, message, _, _ = self.answered(lambda n, signed: (400, None, {}) if n == 1 else (201, signed("mottatt", "KV-1"), {}))
        self.assertEqual(inst.wait_state(message, "delivered", "quarantined")["state"], "delivered")

    def test_403_raises_an_alarm_and_waits(self):
        inst, _, message, _, _ = self.answered(lambda n, signed: (403, None, {}) if n < 3 else (201, signed("mottatt", "KV-1"), {}))
        inst.wait_state(message, "delivered")
        self.assertIn("REGISTER_ADGANG", (inst.folder / "forward.log").read_text())

    def test_redirects_are_not_followed(self):
        inst, register, message, _, _ = self.answered(
            lambda n, signed: (307, None, {"Location": "https://localhost:1/v1/meldinger"}) if n == 1 else (201, signed("mottatt", "KV-1"), {}))
        inst.wait_state(message, "delivered")
        self.assertEqual([path for path, _, _ in register.requests], ["/v1/meldinger"] * 2)

    def test_request_is_as_the_format_says(self):
        inst, register, message, _, good = self.answered(lambda n, signed: (201, signed("mottatt", "KV-1"), {}))
        row = inst.wait_state(message, "delivered")
        _, headers, body = register.requests[0]
        digest = hashlib.sha256(body)
        self.assertEqual(row["output_sha256"], digest.hexdigest())
        self.assertEqual(headers["Idempotency-Key"], good.header.name)
        self.assertEqual(headers["Content-Type"], "application/xml")
        self.assertEqual(headers["Content-Length"], str(len(body)))
        self.assertEqual(headers["Content-Digest"], f"sha-256=:{base64.b64encode(digest.digest()).decode()}:")
        core_key = serialization.load_pem_public_key((inst.template / "tpf-signing.pem").read_bytes())
        text = b"\0".join(x.encode() for x in ("tpf-melding-v1", "IPLOS", good.header.name, digest.hexdigest()))
        core_key.verify(base64.b64decode(headers["TPF-Signature"]), text)  # InvalidSignature otherwise
        self.assertEqual(row["register_receipt"], "KV-1")

    def test_register_of_another_authority_is_not_talked_to(self):
        inst = self.installation()
        inst.start_register()
        other = inst.folder / "other"
        other.mkdir()
        env.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other",
                 "-keyout", other / "key", "-out", inst.folder / "tls/ca.pem"])
        inst.start_core()
        inst.start_forward()
        message = inst.submit(self.good().build())
        env.until("status to say so", lambda: self.status_of(inst).get("code") == "REGISTER_TLS")
        self.assertEqual(inst.row(message)["state"], "committed")
        self.assertEqual(inst.register_list(), [])

    def test_output_that_was_changed_on_disk_is_not_sent(self):
        inst = self.installation()
        inst.start_register()
        inst.start_core()
        message = inst.submit(self.good().build())
        inst.wait_state(message, "committed")
        path = inst.spool / "outbox" / message / "melding.xml"
        env.until("the output in the outbox", path.exists)
        data = path.read_bytes()
        path.write_bytes(data.replace(b"Kari", b"Kari"[::-1]))
        inst.start_forward()
        row = inst.wait_state(message, "quarantined", "delivered")
        self.assertEqual((row["state"], row["code"]), ("quarantined", "SPOOL_SKADET"))
        self.assertEqual(inst.register_list(), [])
        # The submission is whole: a retry makes the same output again, and that is delivered.
        inst.ctl("queue", "retry", message, "--reason", "disk repaired")
        self.assertEqual(inst.wait_state(message, "delivered")["output_sha256"], hashlib.sha256(data).hexdigest())


class Refused(Case):
    """A message that the register may not take: with an identity number outside sealed data, or not well-formed. No core
    of ours makes one, so what a core with such a fault would leave is laid out by hand: output, record and journal."""

    def core_key(self, inst):
        path, = (inst.folder / "keyring").glob("SIGN-2026.*.pem")
        return serialization.load_pem_private_key(path.read_bytes(), (inst.folder / "credentials/keyring-passphrase").read_bytes().strip())

    def change_output(self, inst, message, edit, name, sign=True):
        """The output and its record; the record's new fields. Without `sign` the signature stays the old body's."""
        folder = inst.spool / "outbox" / message
        body = edit((folder / "melding.xml").read_bytes())
        record = json.loads((folder / "post.json").read_text())
        digest = hashlib.sha256(body).hexdigest()
        record.update(lengde=len(body), sha256=digest)
        if sign:
            text = b"\0".join(x.encode() for x in ("tpf-melding-v1", "IPLOS", name, digest))
            record["signatur"] = base64.b64encode(self.core_key(inst).sign(text)).decode()
        del record["slutt"]
        text = json.dumps(record, separators=(",", ":"))[:-1]
        (folder / "melding.xml").write_bytes(body)
        (folder / "post.json").write_text(text + f',"slutt":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n')
        return record

    def change_journal(self, inst, message, record):
        """The row as docs/spool-format.md has it, its digest included."""
        db = sqlite3.connect(inst.folder / "journal/journal.db")
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM messages WHERE id = ?", (message,)).fetchone())
        row.update(output_sha256=record["sha256"], output_size=record["lengde"], signature=record["signatur"])

        def value(v):
            return "" if v is None else f"i{v}" if isinstance(v, int) else f"t{len(v.encode())}:{v}"
        digest = hashlib.sha256("".join(f"{k}={value(v)}\n" for k, v in row.items() if k != "digest").encode()).hexdigest()
        with db:
            changed = db.execute("UPDATE messages SET output_sha256 = ?, output_size = ?, signature = ?, digest = ? WHERE id = ?",
                                 (row["output_sha256"], row["output_size"], row["signature"], digest, message)).rowcount
        db.close()
        self.assertEqual(changed, 1)

    def committed(self):
        inst = self.installation()
        inst.start_register()
        inst.start_core()
        good = self.good()
        data = good.build()
        message = inst.submit(data)
        inst.wait_state(message, "committed")
        return inst, good, data, message

    def assert_refused(self, edit, code):
        inst, good, data, message = self.committed()
        self.assertEqual(inst.core.stop(), 0)
        self.change_journal(inst, message, self.change_output(inst, message, edit, good.header.name))
        inst.start_core()
        inst.start_forward()
        row = self.assert_quarantined(inst, message, "REGISTER_AVVIST", data)
        self.assertEqual(row["register_code"], code)
        # The register keeps its decision and nothing of the message; it was sent once, and is not sent again.
        listed, = inst.register_list()
        self.assertEqual((listed["navn"], listed["status"], listed["kode"]), (good.header.name, "avvist", code))
        self.assertEqual([p.name for p in (inst.store() / "meldinger" / good.header.name).iterdir()], ["kvittering.json"])
        self.assertEqual(inst.kvittering(message)["feil"]["kode"], "REGISTER_AVVIST")
        status = inst.ctl("status", json_output=True)
        self.assertEqual(status["messages"]["quarantined"], 1)
        self.assertEqual(inst.registers["IPLOS"].stop(), 0)
        log = (inst.folder / "register-IPLOS.log").read_text()
        self.assertIn("stopped requests=1 accepted=0 refused=1 repeated=0", log)
        for text in (log, (inst.folder / "forward.log").read_text(), (inst.folder / "tpfd.log").read_text(), inst.transcript.read_text()):
            self.assertNotIn(self.numbers[0], text)

    def test_identity_number_outside_sealed_data(self):
        self.assert_refused(lambda d: d.replace(b"Kari Nordmann", b"Kari " + self.numbers[0].encode()), "IDENTITET")

    def test_identity_number_with_spaces(self):
        number = self.numbers[0].encode()
        self.assert_refused(lambda d: d.replace(b"Kari Nordmann", b"Kari " + number[:6] + b" " + number[6:]), "IDENTITET")

    def test_identity_number_as_a_namespace(self):
        self.assert_refused(lambda d: d.replace(b"<p:Person>", b'<p:Person xmlns:x="urn:' + self.numbers[0].encode() + b'">', 1), "IDENTITET")

    def test_not_well_formed(self):
        self.assert_refused(lambda d: d.replace(b"</p:Navn>", b"</p:Epost>"), "IKKE_XML")

    def test_changed_by_somebody_without_the_cores_key(self):
        """The register takes nothing that the core did not sign: 403, an alarm, and the message waits."""
        inst, good, data, message = self.committed()
        folder = inst.spool / "outbox" / message
        before = {name: (folder / name).read_bytes() for name in ("melding.xml", "post.json")}
        self.change_output(inst, message, lambda d: d.replace(b"Kari Nordmann", b"Kari " + self.numbers[0].encode()), good.header.name, sign=False)
        inst.start_forward()
        trouble = env.until("status to say so", lambda: [r for r in inst.ask("status")["registers"] if r.get("code") == "REGISTER_ADGANG"])
        self.assertEqual(trouble[0]["state"], "trouble")
        self.assertIn("REGISTER_ADGANG", inst.ctl("status").stdout.decode())
        self.assertEqual((inst.row(message)["state"], inst.register_list()), ("committed", []))
        self.assertEqual((inst.spool / "work" / message / "innsending.xml").read_bytes(), data)
        for name, content in before.items():
            (folder / name).write_bytes(content)
        inst.wait_state(message, "delivered")
        self.assertEqual([m["status"] for m in inst.register_list()], ["mottatt"])
