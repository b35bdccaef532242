"""What the tests of the log share. The judge is the second verifier (tests/audit/verifier.py), which shares no code with the programs."""

import base64
import sys
from pathlib import Path

from case import Case
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "audit"))
import verifier  # noqa: E402

WHY = ("--reason", "a test")


class LogCase(Case):
    def delivered(self, inst=None):
        inst = inst or self.shared
        message = inst.submit(self.good().build())
        return inst.wait_state(message, "delivered")

    def vkeys(self, inst=None):
        answer = (inst or self.shared).ask("audit key")
        return answer["keys"][0], answer["witnesses"][0], answer["origin"]

    @staticmethod
    def siste(inst, register="IPLOS"):
        (note,) = (inst.store(register) / "sjekkpunkt").glob("*/siste.note")
        return note

    @staticmethod
    def vkey(name, kind, key):
        data = bytes([kind]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{name}+{verifier.sha256(name.encode() + bytes([10]) + data)[:4].hex()}+{base64.b64encode(data).decode()}"
