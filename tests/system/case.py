"""What the test classes share: installations that are taken down whatever happens, kept logs, and good submissions."""

import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import env
import submission

# Where a failed test's installation is copied to.
KEEP = os.environ.get("TPF_SYSTEM_KEEP", os.path.join(tempfile.gettempdir(), "tpf-system-failed"))


class Case(unittest.TestCase):
    """`installation()` for a test's own; `shared` (see shared_settings) is one for the whole class."""

    shared_settings = None
    shared = None

    @classmethod
    def setUpClass(cls):
        cls.keys = submission.read_key_file((Path(os.environ["TPF_SYSTEM_TEMPLATE"]) / "nokler.xml").read_bytes())
        cls.numbers = env.numbers(40, "--kinds", "mix")
        if cls.shared_settings is not None:
            cls.shared = env.Installation(**cls.shared_settings)
            cls.addClassCleanup(cls.shared.remove)
            cls.shared.start()

    def setUp(self):
        if self.shared:
            self.addCleanup(self._keep_logs, self.shared)

    def installation(self, **settings):
        inst = env.Installation(**settings)
        self.addCleanup(inst.remove)
        # Cleanups run last in, first out: the logs are kept before the folder goes.
        self.addCleanup(self._keep_logs, inst)
        return inst

    def _keep_logs(self, inst):
        if getattr(self, "failed", False):
            target = Path(KEEP) / self.id()
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for log in [*inst.folder.glob("*.log"), inst.transcript, inst.config]:
                if log.exists():
                    shutil.copy(log, target)
            print(f"logs of {self.id()} are kept in {target}")

    # --- messages ---
    def good(self, persons=3, **changes):
        """A submission that passes, for `register` (default IPLOS)."""
        register = changes.pop("register", "IPLOS")
        whole = submission.Submission(self.keys["TPF", "TPF-2026"], self.keys[register, f"{register}-2026"],
                                      changes.pop("numbers", self.numbers[:persons]))
        header = changes.pop("header", {})
        whole.header = submission.replace(whole.header, register=register, meldingstype="KPR" if register == "KPR" else "IPLOS",
                                          **header)
        return whole.but(**changes)

    def pseudonyms(self, inst, row, register="IPLOS"):
        return [p.get("pseudonym") or p["feil"] for p in inst.decrypt(row["name"], register)]

    # --- what must hold ---
    def assert_quarantined(self, inst, message, code, data=None, source="operator", status=None):
        """In quarantine with its code; the encrypted bytes kept; no output anywhere; kvittering right. The row."""
        row = inst.wait_state(message, "quarantined", "delivered", "held", "duplicate")
        self.assertEqual((row["state"], row.get("code")), ("quarantined", code), row.get("reason"))
        # The journal speaks first, the folders follow.
        kept = inst.spool / "quarantine" / message / "innsending.xml"
        env.until("the bytes in quarantine", kept.exists)
        if data is not None:
            self.assertEqual(kept.read_bytes(), data)
        self.assertNotIn(message, inst.entries("outbox"))
        self.assertNotIn(message + ".ut", inst.entries("work"))
        self.assertNotIn(message, inst.entries("work"))
        answer = inst.kvittering(message, source)
        expected = status or ("avvist" if code in FINAL else "under behandling")
        self.assertEqual(answer["status"], expected)
        if code in TOLD:
            self.assertEqual(answer["feil"], {"kode": code, "melding": TOLD[code]})
        else:
            self.assertNotIn("feil", answer)
        self.assert_no_number(row["reason"])
        return row

    def assert_no_number(self, text):
        """Nothing that could be an identity number."""
        self.assertIsNone(re.search(r"(?<![0-9a-f-])[0-9]{11,12}(?![0-9a-f-])", re.sub(r"[0-9a-f]{64}", "", text)), text)


def _catalogue():
    """{code: final}, {code: text to the sender}, from the catalogue's document."""
    final, told = set(), {}
    document = Path(__file__).resolve().parents[2] / "docs" / "codes.md"
    for line in document.read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split(" | ")] if line.startswith("| `") else []
        if len(cells) < 7:
            continue
        code = cells[0].strip("`")
        if cells[2] == "yes":
            final.add(code)
        if cells[6].rstrip("| "):
            told[code] = cells[6].rstrip("| ")
    return final, told


FINAL, TOLD = _catalogue()
