"""kill -9 of each process at random moments under a small load: after a restart everything is delivered exactly once."""

import json
import os
import random
import re
import time

import env
from case import Case

ROUNDS = 20
SEED = int(os.environ.get("TPF_SYSTEM_SEED", "20261201"))
DROP = 'kind = "drop"\npath = "{folder}/drop"\nsender = "0301-00-974761076"\nsettle_seconds = 0'


class Crash(Case):
    def drop(self, inst, data, name):
        part = inst.folder / "drop" / f"{name}.part"
        part.write_bytes(data)
        part.rename(inst.folder / "drop" / f"{name}.xml")

    def kill_and_restart(self, inst, which):
        if which == "core":
            inst.core.kill()
            inst.start_core()
        elif which == "forward":
            inst.forward.kill()
            inst.start_forward()
        else:
            inst.registers["IPLOS"].kill()
            inst.start_register()

    def delivered(self, inst, names):
        rows = inst.ask("queue list", limit=10000)["messages"]
        done = {r["name"] for r in rows if r["state"] == "delivered"}
        if done != names or any(r["state"] in ("claimed", "committed") for r in rows) or inst.ask("status")["inbox"]:
            return None
        return rows

    def test_twenty_kills(self):
        chance = random.Random(SEED)
        print(f"test_twenty_kills: seed {SEED}")
        inst = self.installation(sources={"oslo": DROP}, sections="[workers]\npoll_seconds = 1")
        (inst.folder / "drop").mkdir()
        inst.start()
        names = set()
        kills = ["core", "forward", "register"] * (ROUNDS // 3 + 1)
        for number, which in enumerate(kills[:ROUNDS]):
            for part in range(3):
                good = self.good(2)
                names.add(good.header.name)
                self.drop(inst, good.build(), f"{number}-{part}")
            time.sleep(chance.uniform(0, 0.2))  # not to wait for anything: any moment is as good as another
            self.kill_and_restart(inst, which)
        rows = env.until("everything to be delivered", lambda: self.delivered(inst, names))

        # Once in the journal, once at the register; a file taken twice is a duplicate of the one.
        first = [r["name"] for r in rows if r["state"] == "delivered"]
        self.assertEqual(len(first), len(set(first)))
        self.assertEqual({r["state"] for r in rows} - {"delivered", "duplicate"}, set())
        held = inst.register_list()
        self.assertEqual(sorted(m["navn"] for m in held), sorted(names))
        self.assertEqual({m["status"] for m in held}, {"mottatt"})
        by_name = {m["navn"]: m for m in held}
        for row in rows:
            if row["state"] == "delivered":
                self.assertEqual((row["output_sha256"], row["register_receipt"]),
                                 (by_name[row["name"]]["sha256"], by_name[row["name"]]["kvittering"]))
        accepted = re.findall(r"message accepted name=(\S+)", (inst.folder / "register-IPLOS.log").read_text())
        self.assertEqual(len(accepted), len(set(accepted)), "the register accepted a message twice")
        # Every sender has its answer, nothing is left over, and the log holds.
        for row in rows:
            self.assertEqual(inst.kvittering(row["id"], "oslo", "levert")["status"], "levert")
        self.assertEqual(inst.entries("outbox") + inst.entries("quarantine") + inst.entries("inbox/new"), [])
        self.assertEqual([p.name for p in (inst.folder / "drop").rglob("*")], [".tpf"])
        env.until("the receipts to be taken", lambda: not inst.entries("receipts/new"))
        inst.ask("audit verify")
        inst.stop()
        self.assertEqual([n for n in inst.entries("inbox/tmp") + inst.entries("receipts/tmp")], [])
        self.assertEqual(inst.journal_rows("PRAGMA integrity_check"), [("ok",)])

    def test_core_killed_again_and_again_while_one_large_message_is_under_way(self):
        inst = self.installation()
        inst.start_core()
        data = self.good(1, contents=["x" * 6_000_000]).build()
        message = inst.submit(data)
        chance = random.Random(SEED)
        for _ in range(4):
            time.sleep(chance.uniform(0, 0.05))
            inst.core.kill()
            outbox = inst.entries("outbox")
            if outbox:  # published whole, or not at all
                record = json.loads((inst.spool / "outbox" / message / "post.json").read_text())
                self.assertEqual((inst.spool / "outbox" / message / "melding.xml").stat().st_size, record["lengde"])
            inst.start_core()
        inst.wait_state(message, "committed")
        env.until("the output", lambda: inst.entries("outbox") == [message])
        self.assertEqual(inst.entries("work"), [message])
