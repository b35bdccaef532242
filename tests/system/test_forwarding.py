"""Register away, wrong receipts, refusals: retried and shown, or quarantined, never lost and never believed."""

import base64
import hashlib
import json
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
        data = path.read_bytes()
        path.write_bytes(data.replace(b"Kari", b"Kari"[::-1]))
        inst.start_forward()
        row = inst.wait_state(message, "quarantined", "delivered")
        self.assertEqual((row["state"], row["code"]), ("quarantined", "SPOOL_SKADET"))
        self.assertEqual(inst.register_list(), [])
        # The submission is whole: a retry makes the same output again, and that is delivered.
        inst.ctl("queue", "retry", message, "--reason", "disk repaired")
        self.assertEqual(inst.wait_state(message, "delivered")["output_sha256"], hashlib.sha256(data).hexdigest())
