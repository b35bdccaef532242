"""What the fault tests share: an installation whose programs are started again when they end (as systemd would), a
sender who sends again what was not acknowledged, and the wait until all is at rest."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
sys.path.insert(0, str(HERE))

import env  # noqa: E402
import judge  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

# Seconds until all must be at rest: retries wait a few seconds, and the machine may be busy.
REST = float(os.environ.get("TPF_FAULT_REST", "180"))


def make_template(folder):
    """An installation's keys as tests/system makes them, but cheap to open: these programs are started thousands of
    times. Also pseudonym-keys.json, so that outputs can be foretold. All by docs/keyring-format.md."""
    folder = Path(folder)
    env.make_template(folder)
    passphrase = (folder / "credentials/keyring-passphrase").read_bytes().rstrip(b"\n")
    ring_file = folder / "keyring/keyring.json"
    ring = json.loads(ring_file.read_text())
    master = lambda n: hashlib.scrypt(passphrase, salt=base64.b64decode(ring["kdf"]["salt"]), n=n, r=8, p=1, dklen=32, maxmem=1 << 27)
    old, new = master(ring["kdf"]["n"]), master(16384)
    ring["kdf"]["n"] = 16384
    known = {}
    for key in ring["keys"]:
        if key["kind"] == "pseudonym":
            path = folder / "keyring" / f"{key['id']}.{key['check']}.key"
            text = b"\0".join([b"tpf-keyring-v1", b"pseudonym", key["id"].encode(), key["register"].encode(), str(key["keyVersion"]).encode()])
            sealing = lambda root: AESGCM(hmac.new(root, text, hashlib.sha256).digest())
            octets = base64.b64decode(path.read_bytes().split(b" ")[1])
            raw = sealing(old).decrypt(octets[:12], octets[12:], None)
            path.write_bytes(b"tpf-pseudonym-key-1 " + base64.b64encode(octets[:12] + sealing(new).encrypt(octets[:12], raw, None)) + b"\n")
            if key["keyVersion"] == 1:
                known[key["register"]] = base64.b64encode(raw).decode()
        elif key["kind"] in ("message", "signing"):
            path = folder / "keyring" / f"{key['id']}.{key['check']}.pem"
            env.run(["openssl", "pkcs8", "-topk8", "-v2", "aes256", "-iter", "1", "-in", path, "-passin", "env:PHRASE", "-passout",
                     "env:PHRASE", "-out", str(path) + ".new"], env={"PHRASE": passphrase.decode()})
            os.replace(str(path) + ".new", path)
            path.chmod(0o600)
    ring_file.write_text(json.dumps(ring))
    (folder / "pseudonym-keys.json").write_text(json.dumps(known))
    return folder


class Stage(env.Installation):
    """An installation under supervision. `started[program]` counts starts."""

    PROGRAMS = ("register", "core", "forward")

    def __init__(self, **settings):
        settings.setdefault("sections", "")
        self.through = None  # a port between forwarder and register; write_config() after a change
        super().__init__(log_level="info", **settings)
        self.statuses = {program: [] for program in self.PROGRAMS}  # exit statuses of those that ended by themselves
        self.faults = ()     # of the register
        self.started = dict.fromkeys(self.PROGRAMS, 0)
        self.running = {}
        self.drop_folder = self.folder / "drop"
        self.write_config()
        (self.folder / "load").mkdir()

    def place(self):
        others = [self.folder / "tmp"]
        return judge.Place(self.spool, self.folder / "journal/journal.db", self.store(), others, "delivered_days = 0" not in self.sections)

    def config_text(self):
        text = super().config_text()
        return text.replace(f"localhost:{self.ports['IPLOS']}", f"localhost:{self.through}") if self.through else text

    # --- programs ---
    def launch(self, program):
        self.started[program] += 1
        log = self.folder / f"{program}.log"
        if program == "register":
            self.running[program] = env.Process(self.register_arguments("IPLOS", self.faults), log)
        elif program == "core":
            self.running[program] = env.Process(self.core_arguments(), log, self.core_env)
        else:
            self.running[program] = env.Process(self.wrap.get("forward", []) + [env.BIN / "tpf-forward", "--config", self.config],
                                                log, {"TMPDIR": str(self.folder / "tmp")})

    def processes(self):
        return [p for p in self.running.values() if p]

    def supervise(self):
        """Starts what has ended. A program is wrapped (wrap) for its first life only."""
        for program in self.PROGRAMS:
            process = self.running.get(program)
            if process and not process.running:
                self.statuses[program].append(process.popen.returncode)
                self.wrap.pop(program, None)
                self.running[program] = process = None
            if process is None and (program != "forward" or (self.spool / "receipts/new").is_dir()):
                self.launch(program)

    def stop_all(self):
        """SIGTERM to each, forwarder first. The statuses."""
        statuses = {}
        for program in ("forward", "core", "register"):
            process = self.running.pop(program, None)
            if process:
                statuses[program] = process.stop(seconds=REST)
        return statuses

    def kill_all(self):
        for process in self.running.values():
            if process and process.running:
                process.popen.send_signal(signal.SIGKILL)
                process.popen.wait()
        self.running.clear()

    # --- the sender ---
    def hand_over(self, message):
        """One `tpfctl submit`. Whether it was acknowledged."""
        path = self.folder / "load" / f"{message.meldings_id}.xml"
        if not path.exists():
            path.write_bytes(message.data)
        message.attempts += 1
        done = self.ctl("--json", "submit", path, "--sender", env.SENDER, "--reason", "fault test", check=False)
        self.wrap.pop("ctl", None)
        if done.returncode == 0:
            message.acknowledged.append(json.loads(done.stdout)["result"]["id"])
        return done.returncode == 0

    def drop(self, message):
        """Into the drop folder, as a sender does that may lose power too; acknowledged when it is gone from there."""
        target = self.drop_folder / f"{message.meldings_id}.xml"
        part = target.with_suffix(".part")
        message.attempts += 1
        with open(part, "wb") as file:
            file.write(message.data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        folder = os.open(self.drop_folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    def dropped(self, message):
        """Taken: gone from under its name, and nothing lies in the folder that the core moves files to before it reads them."""
        drop = self.drop_folder
        if not message.acknowledged and not (drop / f"{message.meldings_id}.xml").exists():
            own = drop / ".tpf"
            if not own.exists() or not os.listdir(own):
                message.acknowledged.append(None)
        return bool(message.acknowledged)

    # --- rest ---
    def _answers(self):
        try:
            return super()._answers()
        except env.CoreError:
            return True  # no is an answer

    def at_rest(self, messages):
        """Nothing waits anywhere, and every answer is written. Asks the core; false while it is not there."""
        try:
            status = self.ask("status")
            if status["inbox"] or status["messages"]["claimed"] or status["messages"]["committed"]:
                return False
            listed = self.ask("queue list", limit=100000)["messages"]
        except (OSError, ValueError, env.CoreError):
            return False
        if self.entries("receipts/new") or self.entries("outbox"):
            return False
        # The same of the forwarder's own: its next start removes what this one could not.
        if self.entries("receipts/tmp") and "receipts/tmp cannot be removed, it is left" not in self.log_tail("forward.log", 200):
            return False
        kept = {row["id"] for row in listed if row["state"] == "delivered" and "payloads_removed" not in row}
        # What could not be removed is said and counted; the next start removes it, or the judge finds it.
        left = {Path(path).name.removesuffix(".ut") for path in status["left"]["entries"]}
        if {name.removesuffix(".ut") for name in self.entries("work")} - kept - left:
            return False
        delivered = {row["id"] for row in listed if row["state"] == "delivered"}
        for row in listed:
            path = self.spool / "kvittering" / row["source"] / f"{row['id']}.json"
            answer = _json(path)
            good = row["id"] in delivered or row.get("duplicate_of") in delivered
            if answer is None or (good and answer["status"] != "levert"):
                return False
        return True

    def remove_now(self):
        self.kill_all()
        self.release()


def _json(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def keep(stage, name, target):
    """The whole installation, for whoever has to find out why."""
    where = Path(target) / name
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(stage.folder, where, symlinks=True, ignore=lambda _, names: [n for n in names if n.endswith(".sock")])
    return where


def memory():
    """A folder for installations: in memory where there is room (containers often have 64 MB). What these tests kill and
    fail is the same there, and no disk that others keep busy holds them up."""
    roomy = os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 3 << 30
    parent = "/dev/shm" if roomy else None
    return Path(tempfile.mkdtemp(prefix="tpf-fault-", dir=parent))


@contextlib.contextmanager
def work_folder(programs):
    """What one run needs: programs chosen, a folder for all that is made, a template in it; all gone afterwards."""
    env.BIN = Path(programs).resolve()
    os.environ["TPF_BIN"] = str(env.BIN)
    folder = memory()
    os.environ["TPF_SYSTEM_TEMPLATE"] = str(folder / "template")
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    try:
        (folder / "template").mkdir()
        make_template(folder / "template")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def can_trace(name, *programs):
    """Says so when a part cannot be run here."""
    if os.geteuid() != 0:
        print(f"SKIPPED: fault/{name}: needs root, to trace programs that are not dumpable")
        return False
    for program in programs:
        if not shutil.which(program):
            print(f"SKIPPED: fault/{name}: needs {program}")
            return False
    return True


def without_ids(text):
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)


def until(probe, seconds=REST, pause=0.01):
    """probe()'s first true value; None after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(pause)
    return None
