"""What is left in the core's memory: of a message no identity number and nobody's name once it is done with, of the keys
nothing once the core has stopped. All memory that the process can write to is read and searched."""

import base64
import hashlib
import hmac
import json
import os
import subprocess

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import bad_input
import env
import memory
import submission as s
from case import Case

EPOST, NAVN, MOBIL = "kanarifugl.qvist@memory.example", "Kanari Fuglesang Qvist", "41592653"


def secrets_of(inst):
    """{name: forms} of every secret that the core has from its key ring, opened here as docs/keyring-format.md says."""
    passphrase = (inst.folder / "credentials/keyring-passphrase").read_bytes().rstrip(b"\n")
    ring = json.loads((inst.folder / "keyring/keyring.json").read_text())
    kdf = ring["kdf"]
    master = hashlib.scrypt(passphrase, salt=base64.b64decode(kdf["salt"]), n=kdf["n"], r=kdf["r"], p=kdf["p"],
                            maxmem=1 << 27, dklen=32)
    found = {"passphrase": [passphrase], "master key": memory.pieces(master)}
    for key in ring["keys"]:
        if key["kind"] == "pseudonym":
            text = (inst.folder / "keyring" / f"{key['id']}.{key['check']}.key").read_text()
            octets = base64.b64decode(text.removeprefix("tpf-pseudonym-key-1 "))
            label = b"\0".join(x.encode() for x in ("tpf-keyring-v1", "pseudonym", key["id"], key["register"], str(key["keyVersion"])))
            sealing = hmac.new(master, label, "sha256").digest()
            found[key["id"]] = memory.pieces(AESGCM(sealing).decrypt(octets[:12], octets[12:], None))
        elif key["kind"] in ("message", "signing"):
            pem = (inst.folder / "keyring" / f"{key['id']}.{key['check']}.pem").read_bytes()
            private = serialization.load_pem_private_key(pem, passphrase)
            if key["kind"] == "signing":
                raw = private.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
                found[key["id"]] = memory.pieces(raw)
            else:
                numbers = private.private_numbers()
                for part in "pqd":
                    found[f"{key['id']} {part}"] = memory.forms_of_integer(getattr(numbers, part))
    return found


class Memory(Case):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("reading another process's memory takes root")
        super().setUp()

    def canaries(self, numbers):
        return {**{number: [number.encode()] for number in numbers},
                "Epost": [EPOST.encode(), EPOST[:14].encode()], "Navn": [NAVN.encode(), NAVN[:14].encode()], "Mobiltelefon": [MOBIL.encode()]}

    def messages(self):
        """What leaves its traces in different places: {name: (submission, states)}."""
        def one(**changes):
            return self.good(epost=EPOST, navn=NAVN, mobil=MOBIL, **changes)
        large = [f"<Tjeneste>{'x' * 1_500_000}</Tjeneste>"] * 3
        done, bad = ("delivered",), ("quarantined",)
        return {
            "small": (one(), done),
            "of 40 persons": (one(persons=40), done),
            "large, on two threads": (one(contents=large), done),
            "broken tag": (one(outer_edit=bad_input.flip_tag), bad),
            "broken content": (one(outer_edit=bad_input.flip_content), bad),
            "number where it must not be": (one(layer_edit=s.swap("<i:Periode>", f"<i:Periode><!--{self.numbers[0]}-->")), bad),
            "number in an attribute": (one(layer_edit=s.swap("<i:Person>", f'<i:Person n="{self.numbers[1]}">')), bad),
            "number as a reference": (one(layer_edit=s.swap(self.numbers[0], "".join(f"&#{ord(c)};" for c in self.numbers[0]))), done),
            "number in another field": (one(layer_edit=s.swap("<i:AntallPersoner>3", f"<i:AntallPersoner>{self.numbers[2]}")), bad),
            "not XML inside": (one(layer_edit=s.swap("<i:Person>", "<i:Person")), bad),
        }

    def test_after_messages_and_after_a_stop(self):
        inst = self.installation()
        inst.start()
        content_key = os.urandom(32)
        for name, (message, states) in self.messages().items():
            with self.subTest(name):
                data = message.build()
                row = inst.wait_state(inst.submit(data), *states)
                self.assertEqual(row["state"], states[0], row)
                inst.ask("check", body=data)
                self.assertEqual(memory.search(inst.core.popen.pid, self.canaries(self.numbers)), {})
        self.forget_content_key(inst, content_key)
        if inst.token:
            return  # what the ring has is not in its files, and the token's module keeps what it wants to
        secrets = secrets_of(inst)
        # It has them while it runs: a search that is blind would find nothing below.
        running = memory.search(inst.core.popen.pid, secrets)
        for name in ("passphrase", "PSEUDONYM-IPLOS-1", "TPF-2026 p", "SIGN-2026"):
            self.assertIn(name, running)
        with memory.AtItsEnd(inst.core.popen):
            self.assertEqual(memory.search(inst.core.popen.pid, secrets), {})
            # Its memory is still there.
            self.assertIn("folder", memory.search(inst.core.popen.pid, {"folder": [str(inst.folder).encode()]}))

    def forget_content_key(self, inst, content_key):
        """A message whose content key we know."""
        message = self.good()
        wrapped = s.wrap(message.tpf_key, content_key)
        sealed = s.encrypt(message.layer(), content_key)
        data = message.but(seal={"wrapped": wrapped, "sealed": sealed}).build()
        self.assertEqual(inst.wait_state(inst.submit(data), "delivered", "quarantined")["state"], "delivered")
        words = b"".join(content_key[i:i + 4][::-1] for i in range(0, 32, 4))
        self.assertEqual(memory.search(inst.core.popen.pid, {"content key": [*memory.pieces(content_key), *memory.pieces(words)]}), {})

    def test_a_destroyed_key_is_gone_from_the_running_core(self):
        inst = self.installation(operators_group="daemon")
        inst.start()
        secrets = {name: forms for name, forms in secrets_of(inst).items() if name.startswith(("TPF-2026", "PSEUDONYM-KPR-1"))}
        self.assertIn("TPF-2026 p", memory.search(inst.core.popen.pid, secrets))
        inst.wait_state(inst.submit(self.good().build()), "delivered")
        for key in ("TPF-2026", "PSEUDONYM-KPR-1"):
            inst.ctl("keys", "retire", key, "--reason", "a test")
            inst.ctl("keys", "destroy", key, "--reason", "a test")
            done = subprocess.run(["setpriv", "--reuid=1", "--regid=1", "--clear-groups", env.BIN / "tpfctl", "--config", inst.config,
                                   "keys", "destroy", key, "--confirm", "--reason", "a test"], capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(memory.search(inst.core.popen.pid, secrets), {})


class Locked(Case):
    LIMITED = ["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]

    def start_limited(self, sections):
        inst = self.installation(sections=sections)
        inst.write_config()
        subprocess.run(["chown", "-R", "1:1", inst.folder], check=True)
        inst.wrap["core"] = self.LIMITED
        return inst

    def test_refuses_where_it_cannot_lock(self):
        if os.geteuid() != 0:
            self.skipTest("a process with less rights than this one takes root")
        inst = self.start_limited("")
        process = env.Process(inst.core_arguments(), inst.folder / "tpfd.log", inst.core_env)
        self.assertEqual(process.wait(), 78)
        self.assertIn("memory cannot be locked", inst.log_tail("tpfd.log"))
        self.assertIn("LimitMEMLOCK=infinity", inst.log_tail("tpfd.log"))

    def test_starts_there_when_told_to_try(self):
        if os.geteuid() != 0:
            self.skipTest("a process with less rights than this one takes root")
        inst = self.start_limited('[memory]\nlock = "try"')
        inst.start_core()
        self.assertIn("memory cannot be locked", inst.log_tail("tpfd.log", 100))

    def test_locks_all_and_leaves_no_core_file(self):
        inst = self.installation()
        inst.start_core()
        pid = inst.core.popen.pid
        status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status") if ":" in line)
        self.assertGreater(int(status["VmLck"].split()[0]), int(status["VmRSS"].split()[0]) // 2)
        with open(f"/proc/{pid}/smaps") as maps:
            unlocked, writable = [], False
            for line in maps:
                if "-" in line.split(" ")[0]:
                    writable, name = " rw" in line, line.strip()
                elif line.startswith("VmFlags:") and writable and " lo" not in line and "[v" not in name:
                    unlocked.append(name)
        self.assertEqual(unlocked, [])
        with open(f"/proc/{pid}/limits") as limits:
            core = next(line.split() for line in limits if line.startswith("Max core file size"))
        self.assertEqual(core[4:6], ["0", "0"])
        # Not dumpable: what is of the process in /proc belongs to root, whoever it runs as.
        inst.stop()
        inst = self.start_limited('[memory]\nlock = "try"')
        inst.start_core()
        self.assertEqual(os.stat(f"/proc/{inst.core.popen.pid}/mem").st_uid, 0)
