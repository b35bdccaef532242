"""`tpf-register serve` from outside: Python's TLS, HTTP and cryptography against the real program on 127.0.0.1."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import outside

PROGRAM = None
NUMBER = "13097248022"


def is_sanitized():
    """AddressSanitizer keeps freed memory for a while, so a process under it says nothing about memory."""
    with open(PROGRAM, "rb") as f:
        return b"__asan_init" in f.read()


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tpf-register-")
        cls.keys = os.path.join(cls.folder, "keys")
        subprocess.run([PROGRAM, "keys", "--register", "IPLOS", "--id", "IPLOS-2026", "--out", cls.keys], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(cls.keys, "IPLOS-2026.public.pem"), "rb") as f:
            cls.public_key = outside.serialization.load_pem_public_key(f.read())
        cls.pki = outside.Pki(cls.folder)
        cls.core = outside.Core(cls.folder)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.store = tempfile.mkdtemp(dir=self.folder, prefix="store-")
        self.id = outside.new_id()
        self.name = outside.name_of(self.id)

    def serve(self, *options):
        server = outside.Register(PROGRAM, self.keys, self.pki, self.core, self.store, *options)
        self.addCleanup(server.__exit__)
        return server

    def message(self, **kwargs):
        return outside.simple_message(self.public_key, self.id, **kwargs)

    def headers(self, body, name=None, **kwargs):
        return self.core.headers(name or self.name, hashlib.sha256(body).digest(), **kwargs)

    def entry(self, *path):
        return os.path.join(self.store, "meldinger", self.name, *path)

    def check_receipt(self, answer, body, status="mottatt"):
        """The receipt as formats.md § 6 has it, its signature held against OpenSSL's."""
        receipt = json.loads(answer[2])
        token = "kvittering" if status == "mottatt" else "kode"
        self.assertEqual(list(receipt), ["status", token, "navn", "sha256", "mottatt", "signatur"])
        self.assertEqual(receipt["status"], status)
        self.assertEqual(receipt["navn"], self.name)
        self.assertEqual(receipt["sha256"], hashlib.sha256(body).hexdigest())
        self.assertRegex(receipt["mottatt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(receipt[token], r"^[A-Za-z0-9._-]{1,64}$")
        self.assertTrue(self.verifies(receipt, token))
        return receipt

    def verifies(self, receipt, token="kvittering"):
        text = "\0".join(["tpf-kvittering-v1", "IPLOS", receipt["navn"], receipt["sha256"], receipt["status"],
                          receipt[token], receipt["mottatt"]])
        paths = [os.path.join(self.folder, name) for name in ("signed", "signature")]
        for path, content in zip(paths, (text.encode(), base64.b64decode(receipt["signatur"], validate=True))):
            with open(path, "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey",
                               os.path.join(self.keys, "IPLOS-2026-receipt.public.pem"), "-rawin", "-in", paths[0],
                               "-sigfile", paths[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def check_nothing_stored(self):
        self.assertEqual(os.listdir(os.path.join(self.store, "meldinger")), [])
        self.assertEqual(os.listdir(os.path.join(self.store, "tmp")), [])


class Delivery(Case):
    def test_taken_once_and_answered_alike_ever_after(self):
        body = self.message()
        with self.serve() as server:
            connection = server.connect()
            first = server.post(body, self.headers(body), connection)
            again = server.post(body, self.headers(body), connection)
            self.assertEqual((first[0], again[0]), (201, 200))
            self.check_receipt(first, body)
            self.assertEqual(first[2], again[2])
            self.assertEqual(int(first[1]["Content-Length"]), len(first[2]))
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.log().count("message accepted name=" + self.name), 1)
        with open(self.entry("melding.xml"), "rb") as f:
            self.assertEqual(f.read(), body)
        for path in (self.store, self.entry()):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o700)
        with self.serve() as server:
            after = server.post(body, self.headers(body))
            self.assertEqual((after[0], after[2]), (200, first[2]))

    def test_killed_between_store_and_answer(self):
        body = self.message()
        with self.serve("--fault", "hang:1") as server:
            connection = server.connect()
            connection.request("POST", "/v1/meldinger", body=body, headers=self.headers(body))
            end = time.monotonic() + 60
            while not os.path.exists(self.entry("kvittering.json")) and time.monotonic() < end:
                time.sleep(0.01)
            server.stop(signal.SIGKILL)
            connection.close()
        with open(self.entry("kvittering.json")) as f:
            stored = json.load(f)
        with self.serve() as server:
            answer = server.post(body, self.headers(body))
            self.assertEqual(answer[0], 200)
            self.assertEqual(self.check_receipt(answer, body)["kvittering"], stored["kvittering"])

    def test_killed_in_the_middle_of_a_body(self):
        body = self.message()
        with self.serve() as server:
            connection = server.connect()
            connection.putrequest("POST", "/v1/meldinger")
            for field in dict(self.headers(body), **{"Content-Length": str(len(body))}).items():
                connection.putheader(*field)
            connection.endheaders(body[:100])
            tmp = os.path.join(self.store, "tmp")
            end = time.monotonic() + 60
            while not os.listdir(tmp) and time.monotonic() < end:
                time.sleep(0.01)
            self.assertNotEqual(os.listdir(tmp), [])
            server.stop(signal.SIGKILL)
            connection.close()
        with self.serve() as server:
            self.check_nothing_stored()
            self.assertEqual(server.post(body, self.headers(body))[0], 201)

    def test_same_name_other_content(self):
        body = self.message()
        other = self.message(navn="Ola Nordmann")
        with self.serve() as server:
            first = server.post(body, self.headers(body))
            conflict = server.post(other, self.headers(other))
            again = server.post(body, self.headers(body))
        self.assertEqual((first[0], conflict[0], again[0]), (201, 409, 200))
        self.assertEqual(first[2], again[2])

    def test_damaged_on_the_way(self):
        body = self.message()
        damaged = body.replace(b"Kari", b"Kara")
        with self.serve() as server:
            self.assertEqual(server.post(damaged, self.headers(body))[0], 400)
            # Damaged so that it is no XML any more: still the way's fault, so nothing is decided about the name.
            self.assertEqual(server.post(body.replace(b"<p:Navn>", b"<p:Naun>"), self.headers(body))[0], 400)
            self.check_nothing_stored()
            self.assertEqual(server.post(body, self.headers(body))[0], 201)
            self.assertEqual(server.post(damaged, self.headers(body))[0], 400)

    def test_many_at_once_of_one_name(self):
        body = self.message(count=20)
        headers = self.headers(body)
        answers = []
        with self.serve("--threads", "4") as server:
            def post():
                while True:
                    answer = server.post(body, headers)
                    answers.append(answer)
                    if answer[0] != 503:
                        return
                    self.assertIn("Retry-After", answer[1])
                    time.sleep(0.02)
            threads = [threading.Thread(target=post) for _ in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(server.log().count("message accepted"), 1)
        statuses = [answer[0] for answer in answers]
        self.assertEqual(statuses.count(201), 1)
        self.assertEqual(statuses.count(200), 11)
        self.assertEqual(len({answer[2] for answer in answers if answer[0] != 503}), 1)

    def test_large_body_flat_memory(self):
        sealed = outside.seal(self.public_key, os.urandom(1 << 20))
        persons = [outside.person([outside.element(outside.pseudonym(n))], sealed) for n in range(1, 151)]
        body = outside.message(self.id, persons)
        self.assertGreater(len(body), 200_000_000)
        with self.serve() as server:
            other = outside.new_id()
            warm = outside.simple_message(self.public_key, other)
            server.post(warm, self.headers(warm, outside.name_of(other)))
            before = self.peak_kb(server)
            answer = server.post(body, self.headers(body))
            self.assertEqual(answer[0], 201)
            self.assertEqual(json.loads(answer[2])["sha256"], hashlib.sha256(body).hexdigest())
            if not is_sanitized():
                self.assertLess(self.peak_kb(server) - before, 8 * 1024)
        self.assertEqual(os.path.getsize(self.entry("melding.xml")), len(body))

    @staticmethod
    def peak_kb(server):
        with open("/proc/%d/status" % server.process.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

    def test_list(self):
        body = self.message(count=3)
        refused = outside.new_id()
        with self.serve() as server:
            receipt = json.loads(server.post(body, self.headers(body))[2])
            bad = outside.message(refused, [], count=1)
            server.post(bad, self.headers(bad, outside.name_of(refused)))
            listed = subprocess.run([PROGRAM, "list", "--store", self.store, "--json"], check=True, capture_output=True,
                                    text=True).stdout
        entries = {entry["navn"]: entry for entry in map(json.loads, listed.splitlines())}
        self.assertEqual(entries[self.name], dict(receipt, personer=3, bytes=len(body)))
        self.assertEqual(entries[outside.name_of(refused)]["kode"], "ANTALL")


class Refusal(Case):
    def refuse(self, server, body, kode, **kwargs):
        """422, signed, the same for a repeat, and nothing of the message kept."""
        first = server.post(body, self.headers(body, **kwargs))
        again = server.post(body, self.headers(body, **kwargs))
        self.assertEqual((first[0], again[0]), (422, 422))
        self.assertEqual(first[2], again[2])
        self.assertEqual(self.check_receipt(first, body, "avvist")["kode"], kode)
        self.assertEqual(os.listdir(self.entry()), ["kvittering.json"])
        return first

    def next_name(self):
        self.id = outside.new_id()
        self.name = outside.name_of(self.id)

    def test_what_can_never_be_taken(self):
        with self.serve() as server:
            for change, kode in [
                (lambda b: b[:-20], "AVKUTTET"),
                (lambda b: b + b"<x/>", "ETTER_SLUTT"),
                (lambda b: b.replace(b"</p:Navn>", b"</p:Epost>"), "IKKE_XML"),
                (lambda b: b.replace(b"<p:Mottaker>", b"<!-- --><p:Mottaker>"), "IKKE_TILLATT"),
                (lambda b: b.replace(b"Kari Nordmann", b"Kari " + NUMBER.encode()), "IDENTITET"),
                (lambda b: b.replace(b"Kari Nordmann", b"Kari 130972 48022"), "IDENTITET"),
                (lambda b: b.replace(b"<p:Person>", b'<p:Person xmlns:x="urn:' + NUMBER.encode() + b'">', 1), "IDENTITET"),
                (lambda b: b.replace(b"<p:AntallPersoner>2", b"<p:AntallPersoner>3"), "ANTALL"),
                (lambda b: b.replace(self.id.encode(), outside.new_id().encode(), 1), "HODE_ULIK"),
                (lambda b: b"not XML at all", "IKKE_XML"),
                (lambda b: b"", "AVKUTTET"),
            ]:
                self.next_name()
                with self.subTest(kode=kode):
                    answer = self.refuse(server, change(self.message()), kode)
                    self.assertNotIn(NUMBER.encode(), answer[2])
            self.assertNotIn(NUMBER, server.log())

    def test_other_register(self):
        with self.serve() as server:
            self.refuse(server, self.message(register="KPR"), "UKJENT_REGISTER")

    def test_a_refused_name_is_used_up(self):
        bad = self.message().replace(b"<p:AntallPersoner>2", b"<p:AntallPersoner>3")
        with self.serve() as server:
            self.refuse(server, bad, "ANTALL")
            good = self.message()
            self.assertEqual(server.post(good, self.headers(good))[0], 409)

    def test_signature(self):
        body = self.message()
        stranger = outside.Core(tempfile.mkdtemp(dir=self.folder))
        with self.serve() as server:
            for headers in [
                stranger.headers(self.name, hashlib.sha256(body).digest()),
                self.headers(body, register="KPR"),
                dict(self.headers(body), **{"Idempotency-Key": outside.name_of(outside.new_id())}),
                dict(self.headers(body), **{"TPF-Signature": "x"}),
                {k: v for k, v in self.headers(body).items() if k != "TPF-Signature"},
            ]:
                self.assertEqual(server.post(body, headers)[0], 403)
            self.check_nothing_stored()

    def test_head(self):
        body = self.message()
        good = self.headers(body)
        with self.serve("--max-bytes", "1000000") as server:
            for expected, kwargs in [
                (404, dict(path="/")),
                (404, dict(path="/v1/meldinger/" + NUMBER)),
                (405, dict(method="PUT")),
                (405, dict(method="GET")),
                (415, dict(headers=dict(good, **{"Content-Type": "text/plain"}))),
                (415, dict(headers=dict(good, **{"Content-Encoding": "gzip"}))),
                (400, dict(headers=dict(good, **{"Idempotency-Key": NUMBER}))),
                (400, dict(headers=dict(good, **{"Content-Digest": "sha-256=x"}))),
                (413, dict(body=bytes(1000001))),
                (431, dict(headers=dict(good, **{"X-Long": "x" * 20000}))),
            ]:
                with self.subTest(expected=expected):
                    answer = server.post(**dict(dict(body=body, headers=good), **kwargs))
                    self.assertEqual(answer[0], expected)
                    self.assertEqual(int(answer[1]["Content-Length"]), len(answer[2]))
                    self.assertNotIn(NUMBER.encode(), answer[2])
                    if expected == 405:
                        self.assertEqual(answer[1]["Allow"], "POST")
            connection = server.connect()
            connection.request("POST", "/v1/meldinger", body=iter([body]), headers=good, encode_chunked=True)
            self.assertEqual(connection.getresponse().status, 411)
            self.assertEqual(self.raw(server, b"POST /v1/meldinger HTTP/1.1\r\n broken\r\n\r\n")[9:12], b"400")
            self.assertEqual(self.raw(server, b"\x00\x01\x02 nonsense\r\n\r\n")[9:12], b"400")
            self.assertNotIn(NUMBER, server.log())
            self.check_nothing_stored()

    def raw(self, server, request):
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
            with self.pki.client_context().wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(request)
                return secure.recv(4096)

    def test_expect_100_continue(self):
        body = self.message()
        head = "".join("%s: %s\r\n" % field for field in self.headers(body).items())
        request = ("POST /v1/meldinger HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n%s\r\n" %
                   (len(body), head)).encode()
        with self.serve() as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain:
                with self.pki.client_context().wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                    secure.sendall(request)
                    self.assertEqual(secure.recv(4096), b"HTTP/1.1 100 Continue\r\n\r\n")
                    secure.sendall(body)
                    self.assertEqual(secure.recv(4096)[9:12], b"201")

    def test_disk_full(self):
        body = self.message()
        headers = dict(self.headers(body), **{"Content-Length": str(1 << 39)})
        with self.serve() as server:
            connection = server.connect()
            connection.putrequest("POST", "/v1/meldinger")
            for field in headers.items():
                connection.putheader(*field)
            connection.endheaders()
            answer = connection.getresponse()
            self.assertEqual((answer.status, answer.getheader("Retry-After")), (503, "60"))


class Tls(Case):
    def attempt(self, server, context):
        try:
            with contextlib.closing(server.connect(context)) as connection:
                return server.post(None, {}, connection, path="/")[0]
        except (ssl.SSLError, ConnectionError):
            return None

    def test_only_1_3_and_only_with_a_certificate_of_the_client_ca(self):
        with self.serve() as server:
            self.assertEqual(self.attempt(server, self.pki.client_context()), 404)
            self.assertIsNone(self.attempt(server, self.pki.client_context(version=ssl.TLSVersion.TLSv1_2)))
            self.assertIsNone(self.attempt(server, self.pki.client_context(None)))
            self.assertIsNone(self.attempt(server, self.pki.client_context("stranger")))
            self.assertEqual(self.attempt(server, self.pki.client_context()), 404)


class Stopping(Case):
    def test_a_delivery_under_way_is_finished(self):
        body = self.message()
        with self.serve("--fault", "slow:1") as server:
            connection = server.connect()
            connection.request("POST", "/v1/meldinger", body=body, headers=self.headers(body))
            end = time.monotonic() + 60
            while "fault on purpose" not in server.log() and time.monotonic() < end:
                time.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 201)
            self.assertEqual(server.stop(), 0)

    def test_an_idle_connection_does_not_hold_it(self):
        with self.serve() as server:
            connection = server.connect()
            server.post(None, {}, connection, method="GET")
            self.assertEqual(server.stop(), 0)
            connection.close()
            self.assertNotIn("are cut", server.log())

    def test_a_body_that_never_ends_does_not_hold_it_for_ever(self):
        body = self.message()
        with self.serve() as server:
            connection = server.connect()
            connection.putrequest("POST", "/v1/meldinger")
            for field in dict(self.headers(body), **{"Content-Length": str(len(body))}).items():
                connection.putheader(*field)
            connection.endheaders(body[:100])
            while not os.listdir(os.path.join(self.store, "tmp")):
                time.sleep(0.01)
            self.assertEqual(server.stop(), 0)
            connection.close()
            self.assertIn("are cut", server.log())
            self.check_nothing_stored()

    def test_a_connection_that_says_nothing_is_closed(self):
        with self.serve("--max-connections", "1") as server:
            with socket.create_connection(("127.0.0.1", server.port)):
                # The one place is taken, so this waits for the first one's deadline.
                self.assertEqual(server.post(None, {}, path="/")[0], 404)
            self.assertIn("no TLS connection", server.log())

    def test_one_server_to_a_store(self):
        with self.serve():
            with self.assertRaisesRegex(RuntimeError, "(?s)did not start"):
                self.serve()


class Faults(Case):
    def test_each_kind(self):
        with self.serve("--fault", "500:1", "--fault", "503:1", "--fault", "429:1", "--fault", "cut:1", "--fault", "lost:1",
                        "--fault", "wrong-digest:1", "--fault", "wrong-signature:1", "--fault", "slow:1") as server:
            body = self.message()
            headers = self.headers(body)
            self.assertEqual(server.post(body, headers)[0], 500)
            for status in (503, 429):
                answer = server.post(body, headers)
                self.assertEqual((answer[0], answer[1]["Retry-After"]), (status, "1"))
            self.assertRaises((ConnectionError, OSError), server.post, body, headers)
            self.assertFalse(os.path.exists(self.entry()))
            self.assertRaises((ConnectionError, OSError), server.post, body, headers)
            self.assertTrue(os.path.exists(self.entry()))
            wrong = json.loads(server.post(body, headers)[2])
            self.assertNotEqual(wrong["sha256"], hashlib.sha256(body).hexdigest())
            self.assertTrue(self.verifies(wrong))
            self.assertFalse(self.verifies(json.loads(server.post(body, headers)[2])))
            start = time.monotonic()
            slow = server.post(body, headers)
            self.assertGreater(time.monotonic() - start, 0.5)
            self.assertEqual(slow[0], 200)
            self.check_receipt(slow, body)
            self.assertEqual(server.log().count("message accepted"), 1)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
