"""Bad input: a clear error, nothing lost, nothing leaked (one test per group, one subtest per kind)."""

import bad_input
import env
import submission as s
from case import Case


class EveryKind(Case):
    """Each kind of bad submission against one installation with both registers, the forwarder at work."""
    shared_settings = {"registers": env.REGISTERS}

    def test_each_kind_ends_in_quarantine_with_its_code(self):
        inst = self.shared
        sent = {}
        for name, (build, code) in bad_input.cases().items():
            data = build(self.good())
            sent[inst.submit(data)] = name, code, data
        for message, (name, code, data) in sent.items():
            with self.subTest(name):
                self.assert_quarantined(inst, message, code, data)
        self.assertEqual(inst.outputs(), [])
        self.assertEqual(inst.register_list("IPLOS") + inst.register_list("KPR"), [])
        # The service is none the worse for it.
        self.assertEqual(inst.wait_state(inst.submit(self.good().build()), "delivered", "quarantined")["state"], "delivered")


class Cut(Case):
    shared_settings = {}

    def test_file_cut_anywhere(self):
        whole = self.good(1).build()
        end = whole.rindex(b">") + 1
        borders = {i + d for i, byte in enumerate(whole) if byte in b"<>" for d in (0, 1)}
        cuts = sorted({c for c in borders | set(range(1, len(whole), 211)) | {1, 2, 3, end - 2, end - 1} if 0 < c < end})
        sent = {cut: self.shared.submit(whole[:cut]) for cut in cuts}
        for cut, message in sent.items():
            row = self.shared.wait_state(message, "quarantined", "committed", "delivered", "duplicate")
            self.assertEqual((cut, row["state"], row.get("code")), (cut, "quarantined", "AVKUTTET"), row.get("reason"))
        for message in (sent[cuts[0]], sent[cuts[len(cuts) // 2]], sent[cuts[-1]]):
            self.assert_quarantined(self.shared, message, "AVKUTTET")
        self.assertEqual(self.shared.register_list(), [])
        self.assertEqual(self.shared.outputs(), [])
        # Only white space is missing: complete.
        self.assertEqual(self.shared.wait_state(self.shared.submit(whole[:end]), "delivered", "quarantined")["state"], "delivered")


class Limits(Case):
    shared_settings = {"limits": {"gcm_bytes": 20000, "persons": 5, "message_bytes": "64 KiB"},
                       "sources": {"oslo": 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'}}

    def test_more_than_gcm_allows_under_one_key(self):
        self.assert_quarantined(self.shared, self.shared.submit(self.good(1, contents=["x" * 20000]).build()), "FOR_STOR")

    def test_more_persons_than_allowed(self):
        self.assert_quarantined(self.shared, self.shared.submit(self.good(6).build()), "GRENSE")

    def test_as_many_persons_as_allowed(self):
        self.assertEqual(self.shared.wait_state(self.shared.submit(self.good(5).build()), "delivered", "quarantined")["state"], "delivered")

    def test_message_too_large_is_refused_before_it_is_stored(self):
        with self.assertRaises(env.CoreError) as caught:
            self.shared.submit(self.good(1, contents=["x" * 70000]).build())
        self.assertEqual(caught.exception.code, "BRUK")
        self.assertIn("message_bytes", caught.exception.text)

    def test_dropped_message_too_large(self):
        drop = self.shared.folder / "drop"
        drop.mkdir(exist_ok=True)
        data = self.good(1, contents=["x" * 70000]).build()
        (drop / "stor.tmp").write_bytes(data)
        (drop / "stor.tmp").rename(drop / "stor.xml")
        row = env.until("the dropped file's row", lambda: [r for r in self.shared.ask("queue list")["messages"] if r["source"] == "oslo"])[0]
        self.assert_quarantined(self.shared, row["id"], "GRENSE", data, source="oslo")


class Identity(Case):
    """Same bytes, same id."""
    shared_settings = {}

    def test_same_bytes_again_are_answered_from_the_journal(self):
        data = self.good().build()
        first = self.shared.wait_state(self.shared.submit(data), "delivered")
        again = self.shared.wait_state(self.shared.submit(data), "duplicate")
        self.assertEqual(again["duplicate_of"], first["id"])
        self.assertEqual(self.shared.row(first["id"])["repeated_as"], [again["id"]])
        answers = [self.shared.kvittering(m, status="levert") for m in (first["id"], again["id"])]
        for answer in answers:
            answer.pop("mottatt")
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(len([m for m in self.shared.register_list() if m["navn"] == first["name"]]), 1)

    def test_same_id_with_other_bytes(self):
        good = self.good()
        first = self.shared.wait_state(self.shared.submit(good.build()), "delivered")
        other = good.build()  # other content keys, other bytes
        row = self.assert_quarantined(self.shared, self.shared.submit(other), "ID_GJENBRUKT", other)
        self.assertEqual(row["name"], first["name"])
        self.assertEqual(self.shared.row(first["id"])["state"], "delivered")

    def test_same_id_of_another_sender_is_another_message(self):
        good = self.good()
        self.shared.wait_state(self.shared.submit(good.build()), "delivered")
        bergen = good.but(header=s.replace(good.header, kommune="4601"))
        row = self.shared.wait_state(self.shared.submit(bergen.build(), sender="4601-00-974761076"), "delivered", "quarantined")
        self.assertEqual(row["state"], "delivered")

    def test_copied_by_another_sender_gets_no_receipt(self):
        data = self.good().build()
        self.shared.wait_state(self.shared.submit(data), "delivered")
        self.assert_quarantined(self.shared, self.shared.submit(data, sender="4601-00-974761076"), "AVSENDER_ULIK", data)

    def test_same_bytes_of_a_quarantined_message(self):
        data = self.good(antall=9).build()
        self.assert_quarantined(self.shared, self.shared.submit(data), "ANTALL", data)
        again = self.shared.submit(data)
        self.shared.wait_state(again, "duplicate", "quarantined")
        self.assertEqual(self.shared.kvittering(again)["feil"]["kode"], "ANTALL")
