"""A whole installation in a folder of its own: certificates, configuration, keys, registers, core and forwarder as real
processes on loopback. Every wait has a deadline, every process is stopped by its own pid, and all that the programs
say is kept in the folder."""

import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

BIN = Path(os.environ.get("TPF_BIN", "build/release/bin")).resolve()
# Asking as other users takes root.
AS_OTHERS = os.geteuid() == 0 and shutil.which("setpriv") is not None
SENDER = "0301-00-974761076"
DEADLINE = 120.0  # seconds; bounds every wait, nothing waits that long when all is well
RUN_LIMIT = 600.0  # and every program that ends by itself: on a busy machine two thousand RSA operations take their time
_libc = ctypes.CDLL(None)


class CoreError(Exception):
    """The core's answer was no."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('text')}")
        self.code, self.text, self.hint = error.get("code"), error.get("text", ""), error.get("hint", "")


def until(what, probe, seconds=DEADLINE):
    """The first true value of probe(); AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Process:
    """A program that runs until it is stopped. Its standard error goes to `log`, appended."""

    def __init__(self, arguments, log, env=None):
        self.log = Path(log)
        with open(self.log, "ab") as err:
            self.popen = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                          env={**os.environ, **(env or {})}, preexec_fn=_die_with_parent)

    @property
    def running(self):
        return self.popen.poll() is None

    def stop(self, sig=signal.SIGTERM, seconds=DEADLINE):
        """The exit status; killed when it does not end in time, which is an error."""
        if self.running:
            self.popen.send_signal(sig)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"did not end within {seconds} s: {self.popen.args[0]}")

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def wait(self, seconds=DEADLINE):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end by itself within {seconds} s: {self.popen.args[0]}")


def run(arguments, check=True, env=None, stdin=None, **options):
    """A program that ends. Output as bytes."""
    done = subprocess.run([str(a) for a in arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, timeout=RUN_LIMIT, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments[0]} ended with {done.returncode}: {(done.stderr + done.stdout).decode(errors='replace')}")
    return done


def hold_port():
    """A bound socket: its port is ours to listen on, again and again, until it is closed. One that is only found free may
    be given to somebody's connection, by which it stays taken for a minute (SO_REUSEADDR binds beside a socket that has it
    and does not listen; set after bind(), or bind(0) of others could be given the port too)."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held


# --- what is made once and copied into each installation ---

def _certificate(tls, name, subject, extensions):
    run(["openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tls / f"{name}.key"])
    run(["openssl", "req", "-new", "-key", tls / f"{name}.key", "-subj", f"/CN={subject}", "-out", tls / f"{name}.csr"])
    (tls / f"{name}.ext").write_text(extensions)
    run(["openssl", "x509", "-req", "-in", tls / f"{name}.csr", "-CA", tls / "ca.pem", "-CAkey", tls / "ca.key",
         "-CAcreateserial", "-days", "400", "-extfile", tls / f"{name}.ext", "-out", tls / f"{name}.pem"])
    (tls / f"{name}.key").chmod(0o600)


def _certificates(tls):
    tls.mkdir()
    run(["openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", tls / "ca.key"])
    run(["openssl", "req", "-x509", "-new", "-key", tls / "ca.key", "-subj", "/CN=system test authority", "-days", "400",
         "-out", tls / "ca.pem", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"])
    _certificate(tls, "register", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    _certificate(tls, "forward", "tpf-forward", "extendedKeyUsage=clientAuth\n")


REGISTERS = ("IPLOS", "KPR")
# Under TPF_SYSTEM_TOKEN=1 (run.py --token) every installation's keys lie in a token of its own, or are wrapped by it.
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "482910"


def with_token():
    return os.environ.get("TPF_SYSTEM_TOKEN") == "1"


def make_token(folder):
    """A SoftHSM token in `folder`, with its configuration."""
    (folder / "tokens").mkdir(parents=True)
    run(["softhsm2-util", "--init-token", "--free", "--label", "tpf", "--pin", PIN, "--so-pin", "975310"],
        env={"SOFTHSM2_CONF": str(token_config(folder))})


def token_config(folder):
    config = folder / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    return config


def make_template(folder):
    """Certificates, register keys and a key ring, made by the real programs: RSA keys take their time, so once a run."""
    folder = Path(folder)
    _certificates(folder / "tls")
    (folder / "credentials").mkdir(mode=0o700)
    passphrase = folder / "credentials" / "keyring-passphrase"
    passphrase.write_bytes(os.urandom(18).hex().encode() + b"\n")
    passphrase.chmod(0o600)
    (folder / "registers").mkdir()
    for name in REGISTERS:
        run([BIN / "tpf-register", "keys", "--register", name, "--id", f"{name}-2026", "--out", folder / "registers" / name])
    inst = Installation(template=folder, registers=REGISTERS, fresh_keys=True)
    try:
        inst.start_core()
        inst.make_keys()
        inst.ctl("keys", "publish", "--out", folder / "nokler.xml")
        inst.ctl("keys", "signing", "--out", folder / "tpf-signing.pem")
        inst.core.stop()
        shutil.copytree(inst.folder / "keyring", folder / "keyring")
        if inst.token:
            shutil.copytree(inst.folder / "token", folder / "token")
    finally:
        inst.remove()


class Installation:
    """One TPF with its registers. Parameters: see __init__; start() starts all, the start_… functions one each."""

    def __init__(self, template=None, registers=("IPLOS",), kind="test", name="systemtest", register_settings=None,
                 sources=None, limits=None, reserve="16 MiB", sections="", log_level="debug", operators_group="",
                 fresh_keys=False, core_user=None, forward_settings="", token=None):
        """`register_settings`: {register: lines of TOML}; `sources`: {name: lines}; `limits`: {key: value};
        `sections`: further TOML; `forward_settings`: further lines of [forward]; `fresh_keys`: begin with an empty key ring; `core_user`: whom the core runs as; `token`: keys in a token (default: as the run says)."""
        self.template = Path(template or os.environ["TPF_SYSTEM_TEMPLATE"])
        self.folder = Path(tempfile.mkdtemp(prefix="tpf-system-"))
        # Other users may look for the socket, and shall be refused by the core itself.
        self.folder.chmod(0o755)
        self.kind, self.name, self.register_names = kind, name, tuple(registers)
        self.register_settings, self.sources = register_settings or {}, sources or {}
        self.limits, self.reserve, self.sections = limits or {}, reserve, sections
        self.log_level, self.operators_group = log_level, operators_group
        self.spool = self.folder / "spool"
        self.token = with_token() if token is None else token
        self.core_user, self.forward_settings = core_user, forward_settings
        self.held = {name: hold_port() for name in REGISTERS}
        self.ports = {name: held.getsockname()[1] for name, held in self.held.items()}  # refuse while no register is started
        self.metrics_file = ""
        self.wrap = {}  # {"core", "forward", "register" or "ctl": a command that runs that program}
        self.core = self.forward = None
        self.registers = {}
        self.transcript = self.folder / "transcript"  # all that tpfctl and the socket ever answered
        for part in ("tls", "credentials", "registers", "keyring"):
            if part != "keyring" or not fresh_keys:
                shutil.copytree(self.template / part, self.folder / part)
        (self.folder / "keyring").mkdir(mode=0o700, exist_ok=True)
        self.spool.mkdir(exist_ok=True)
        (self.folder / "tmp").mkdir()
        self.key_file = self.template / "nokler.xml"
        self.module = SOFTHSM
        if self.token:
            if fresh_keys:
                make_token(self.folder / "token")
            else:
                shutil.copytree(self.template / "token", self.folder / "token")
            token_config(self.folder / "token")
            pin = self.folder / "credentials" / "pkcs11-pin"
            pin.write_text(PIN + "\n")
            pin.chmod(0o600)

    # --- configuration ---
    def config_text(self):
        lines = ["[installation]", f'name = "{self.name}"', f'kind = "{self.kind}"', "[paths]",
                 f'spool = "{self.spool}"', f'journal = "{self.folder}/journal/journal.db"',
                 f'keyring = "{self.folder}/keyring"', f'socket = "{self.folder}/core.sock"',
                 "[control]", f'operators_group = "{self.operators_group}"', "[log]", f'level = "{self.log_level}"',
                 # Root may lock its memory, others seldom; what it does then: test_memory.py.
                 *(["[pkcs11]", f'uri = "pkcs11:token=tpf?module-path={self.module}"'] if self.token else []),
                 *(["[memory]", 'lock = "try"'] if self.core_user else []),
                 "[metrics]", f'file = "{self.metrics_file}"',
                 "[disk]", f'reserve_bytes = "{self.reserve}"',
                 "[forward]", "backoff_first_seconds = 1", "backoff_max_seconds = 2", "poll_seconds = 1", self.forward_settings]
        if self.limits:
            lines += ["[limits]"] + [f"{key} = {json.dumps(value)}" for key, value in self.limits.items()]
        for name in self.register_names:
            lines += [f"[register.{name}]", f'url = "https://localhost:{self.ports[name]}"',
                      f'ca_file = "{self.folder}/tls/ca.pem"', f'client_certificate = "{self.folder}/tls/forward.pem"',
                      f'client_key = "{self.folder}/tls/forward.key"', self.register_settings.get(name, "")]
        for name, settings in self.sources.items():
            lines += [f"[source.{name}]", settings.format(folder=self.folder)]
        return "\n".join(lines + [self.sections]) + "\n"

    @property
    def config(self):
        return self.folder / "tpf.toml"

    def write_config(self):
        self.config.write_text(self.config_text())

    # --- processes ---
    def start(self):
        for name in self.register_names:
            self.start_register(name)
        self.start_core()
        self.start_forward()
        return self

    def register_arguments(self, name, faults=(), extra=()):
        keys = self.folder / "registers" / name
        arguments = [BIN / "tpf-register", "serve", "--listen", f"127.0.0.1:{self.ports[name]}", "--register", name,
                     "--store", self.store(name), "--certificate", self.folder / "tls/register.pem",
                     "--key", self.folder / "tls/register.key", "--client-ca", self.folder / "tls/ca.pem",
                     "--tpf-key", self.template / "tpf-signing.pem",
                     "--receipt-key", keys / f"{name}-2026-receipt.private.pem",
                     "--port-file", self.folder / f"port-{name}", "--log-level", "debug"]
        if self.kind == "test":
            arguments.append("--test-installation")
        for fault in faults:
            arguments += ["--fault", fault]
        return self.wrap.get("register", []) + arguments + list(extra)

    def start_register(self, name="IPLOS", faults=(), extra=()):
        port_file = self.folder / f"port-{name}"
        port_file.unlink(missing_ok=True)
        process = Process(self.register_arguments(name, faults, extra), self.folder / f"register-{name}.log")
        self.registers[name] = process
        until(f"register {name} to listen", lambda: self._alive(process) and port_file.exists() and port_file.read_text().strip())
        return process

    def core_arguments(self, *extra):
        command = [BIN / "tpfd", "--config", self.config, *extra]
        if not self.core_user:
            return self.wrap.get("core", []) + command
        user = pwd.getpwnam(self.core_user)
        run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", self.folder])
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *command]

    @property
    def core_env(self):
        token = {"SOFTHSM2_CONF": str(self.folder / "token/softhsm2.conf")} if self.token else {}
        return {"CREDENTIALS_DIRECTORY": str(self.folder / "credentials"), "TMPDIR": str(self.folder / "tmp"), **token}

    def start_core(self, *extra):
        self.write_config()
        self.core = Process(self.core_arguments(*extra), self.folder / "tpfd.log", self.core_env)
        until("the core to answer", lambda: self._alive(self.core) and self._answers())
        return self.core

    def drain_core(self, check=True):
        """tpfd --drain, to its end."""
        self.write_config()
        status = Process(self.core_arguments("--drain"), self.folder / "tpfd.log", self.core_env).wait()
        if check and status != 0:
            raise AssertionError(f"tpfd --drain ended with {status}: {self.log_tail('tpfd.log')}")
        return status

    def start_forward(self, *extra):
        # Its lock file lies in the spool, which the core makes.
        self.forward = Process(self.wrap.get("forward", []) + [BIN / "tpf-forward", "--config", self.config, *extra], self.folder / "forward.log",
                               {"TMPDIR": str(self.folder / "tmp")})
        return self.forward

    def _alive(self, process):
        if not process.running:
            raise AssertionError(f"ended at once with {process.popen.returncode}: {self.log_tail(process.log.name)}")
        return True

    def _answers(self):
        try:
            self.ask("status")
            return True
        except (OSError, ValueError):
            return False

    def processes(self):
        return [p for p in (self.forward, self.core, *self.registers.values()) if p]

    def stop(self):
        for process in self.processes():
            if process.running:
                process.stop()

    def remove(self):
        for process in self.processes():
            if process.running:
                process.kill()
        self.release()

    def release(self):
        """What an installation has besides its processes."""
        for held in self.held.values():
            held.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, name, lines=12):
        path = self.folder / name
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # --- programs that end ---
    def _note(self, *parts):
        with open(self.transcript, "ab") as out:
            for part in parts:
                out.write(part + b"\n")

    def ctl(self, *arguments, check=True, json_output=False):
        """tpfctl. With json_output the parsed `result` (or the whole object of an error)."""
        if arguments[:2] == ("audit", "show") and "--reason" not in arguments:
            arguments += ("--reason", "a test")
        command = self.wrap.get("ctl", []) + [BIN / "tpfctl", "--config", self.config, *(["--json"] if json_output else []), *arguments]
        # The exit status of `status` is about TPF, not about the command.
        about_health = "status" in arguments[:2]
        done = run(command, check=check and not about_health)
        self._note(done.stdout, done.stderr)
        if check and about_health and (done.returncode not in (0, 1, 2) or b"does not answer" in done.stdout + done.stderr):
            raise AssertionError(f"tpfctl status: {done}")
        if not json_output:
            return done
        answer = json.loads(done.stdout)
        return answer.get("result", answer)

    def ctl_as(self, user, *arguments):
        """tpfctl as somebody else of the operators' group "operator", as root only: the whole answer."""
        command = ["setpriv", f"--reuid={pwd.getpwnam(user).pw_uid}", "--regid=operator", "--clear-groups", BIN / "tpfctl",
                   "--json", "--socket", self.folder / "core.sock", *arguments]
        done = subprocess.run([str(a) for a in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE)
        self._note(done.stdout, done.stderr)
        return json.loads(done.stdout)

    def discard(self, message, reason):
        """By two operators; needs operators_group="operator"."""
        for user, confirm in (("daemon", ()), ("bin", ("--confirm",))):
            answer = self.ctl_as(user, "queue", "discard", message, "--reason", reason, *confirm)
            if "error" in answer:
                raise CoreError(answer["error"])

    def ask(self, command, body=None, **args):
        """The core's answer over its socket; CoreError."""
        if command == "audit show":
            args.setdefault("reason", "a test")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(DEADLINE)
            sock.connect(str(self.folder / "core.sock"))
            request = json.dumps({"command": command, "args": args, "body": len(body or b"")}) + "\n"
            try:
                sock.sendall(request.encode() + (body or b""))
            except BrokenPipeError:
                pass  # it said no before it read everything
            answer = b""
            while not answer.endswith(b"\n"):
                piece = sock.recv(1 << 16)
                if not piece:
                    break
                answer += piece
        self._note(answer.rstrip())
        answer = json.loads(answer)
        if not answer["ok"]:
            raise CoreError(answer["error"])
        return answer["result"]

    def krypt(self, export, out, meldings_id=None, epost="kari@kommune.example", navn="Kari Nordmann", mobil="98765432",
              check=True, extra=()):
        arguments = [BIN / "tpf-krypt", "--iplos", export, "--nokler", self.key_file, "--epost", epost, "--navn", navn,
                     "--mobil", mobil, "--ut", out, *extra]
        if meldings_id:
            arguments += ["--meldingsid", meldings_id]
        done = run(arguments, check=check, env={"TMPDIR": str(self.folder / "tmp")})
        self._note(done.stdout, done.stderr)
        return done

    # --- messages ---
    def submit(self, data, sender=SENDER):
        """Its spool id."""
        return self.ask("submit", body=data, sender=sender, reason="system test")["id"]

    def row(self, message):
        return self.ask("queue show", id=message)

    # Where a message of that state lies. The journal decides and the folder follows, a moment later.
    FOLDER_OF = {"committed": "outbox", "quarantined": "quarantine", "held": "quarantine"}

    def wait_state(self, message, *states, seconds=DEADLINE):
        """The row, once its state is one of these and its folder has followed."""
        seen = {}

        def probe():
            try:
                seen.update(row=self.row(message))
            except CoreError as error:
                if error.code != "FINNES_IKKE":
                    raise
                return None
            row = seen["row"]
            folder = self.FOLDER_OF.get(row["state"])
            followed = folder is None or row.get("removed") or (self.spool / folder / message).exists()
            return row if row["state"] in states and followed else None
        try:
            return until(f"message {message} to be {' or '.join(states)}", probe, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen.get('row')}") from None

    def kvittering(self, message, source="operator", status=None):
        """The sender's receipt, once it is there (and says `status`)."""
        path = self.spool / "kvittering" / source / f"{message}.json"

        def probe():
            if not path.exists():
                return None
            answer = json.loads(path.read_text())
            return answer if status in (None, answer["status"]) else None
        return until(f"kvittering {status or ''} of {message}", probe)

    def store(self, name="IPLOS"):
        return self.folder / f"store-{name}"

    def register_list(self, name="IPLOS"):
        """What the register holds: its list's objects."""
        done = run([BIN / "tpf-register", "list", "--store", self.store(name), "--json"])
        return [json.loads(line) for line in done.stdout.splitlines()]

    def received(self, message_name, name="IPLOS"):
        """The pseudonymised message as the register has it (bytes)."""
        return (self.store(name) / "meldinger" / message_name / "melding.xml").read_bytes()

    def decrypt(self, message_name, name="IPLOS"):
        """The persons as the register opens them."""
        keys = self.folder / "registers" / name
        done = run([BIN / "tpf-register", "decrypt", "--json", "--private-key", keys / f"{name}-2026.private.pem",
                    self.store(name) / "meldinger" / message_name / "melding.xml"])
        return [json.loads(line) for line in done.stdout.splitlines()]

    def entries(self, part):
        """Names in a folder of the spool."""
        return sorted(os.listdir(self.spool / part))

    def outputs(self):
        """Outputs of passes, published or not."""
        return self.entries("outbox") + [n for n in self.entries("work") if n.endswith(".ut")]

    def journal_rows(self, query="SELECT * FROM messages ORDER BY id"):
        """Rows of a copy of the journal: the core's own database has exactly one connection."""
        with tempfile.TemporaryDirectory() as copy:
            for suffix in ("", "-wal"):
                source = self.folder / f"journal/journal.db{suffix}"
                if source.exists():
                    shutil.copy(source, Path(copy) / f"journal.db{suffix}")
            db = sqlite3.connect(Path(copy) / "journal.db")
            try:
                return db.execute(query).fetchall()
            finally:
                db.close()

    def make_keys(self):
        """Every key that the tests need, through the core's socket."""
        token, wrapped = (("--place", "token"), ("--place", "wrapped")) if self.token else ((), ())
        self.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-2026", *token)
        self.ctl("keys", "generate", "--reason", "a test", "--kind", "signing", "--id", "SIGN-2026")
        for name, version, place in (("IPLOS", 1, token), ("IPLOS", 2, wrapped), ("KPR", 1, token)):
            self.ctl("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", f"PSEUDONYM-{name}-{version}", "--register", name,
                     "--version", str(version), *place)
        for name in REGISTERS:
            keys = self.folder / "registers" / name
            self.ctl("keys", "import", "--reason", "a test", "--kind", "register", "--id", f"{name}-2026", "--register", name,
                     keys / f"{name}-2026.public.pem")
            self.ctl("keys", "import", "--reason", "a test", "--kind", "receipt", "--id", f"{name}-RECEIPT-2026", "--register", name,
                     keys / f"{name}-2026-receipt.public.pem")


def generate(out, persons, *extra):
    """An export file, and its persons' numbers."""
    numbers = Path(str(out) + ".numbers")
    run([BIN / "tpf-generate", "--persons", str(persons), "--out", out, "--list", numbers, *extra])
    return numbers.read_text().split("\n")[:-1]


def numbers(count, *extra):
    return run([BIN / "tpf-generate", "--numbers", str(count), *extra]).stdout.decode().split()
