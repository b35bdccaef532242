#!/usr/bin/env python3
"""Measures tpfd and tpf-krypt against their primitives and against other programs, in paired runs on this machine.

Ratios are medians over runs that alternate between the two sides, so that a slow minute hits both. Nothing here is a
test: a figure that falls short is printed like any other.
"""
import argparse, base64, hashlib, json, os, platform, re, shutil, signal, statistics, subprocess, sys, tempfile, time, uuid
from concurrent.futures import ThreadPoolExecutor

PARTS = ["pass", "memory", "small", "parallel", "pseudonyms", "krypt", "log", "audit", "lookups"]


class Playground:
    """Keys and configuration, made once by the real programs; spool and journal are thrown away before each run."""

    def __init__(self, bin, root, threads=0):
        self.bin, self.root = os.path.abspath(bin), root
        self.credentials = f"{root}/credentials"
        for folder in (self.credentials, f"{root}/keyring"):
            os.makedirs(folder, mode=0o700)
        with open(f"{self.credentials}/keyring-passphrase", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("bench")
        with open(f"{root}/tpf.toml", "w") as file:
            file.write(f"""[installation]
name = "bench"
kind = "test"
[paths]
spool = "{root}/spool"
journal = "{root}/journal/journal.db"
keyring = "{root}/keyring"
socket = "{root}/core.sock"
[control]
operators_group = ""
[log]
level = "warning"
[metrics]
file = "{root}/tpf.prom"
[workers]
threads = {threads}
[limits]
inbox_messages_per_sender = 1000000
[disk]
reserve_bytes = "16 MiB"
[register.IPLOS]
url = "https://localhost:1"
ca_file = "{root}/none"
client_certificate = "{root}/none"
client_key = "{root}/none"
""")
        self.env = dict(os.environ, CREDENTIALS_DIRECTORY=self.credentials)
        self.make_keys()

    def tpfd(self, *arguments):
        return [f"{self.bin}/tpfd", "--config", f"{self.root}/tpf.toml", *arguments]

    def ctl(self, *arguments):
        return subprocess.run([f"{self.bin}/tpfctl", "--config", f"{self.root}/tpf.toml", *arguments], check=True,
                              capture_output=True, text=True).stdout

    def core_answers(self):
        return subprocess.run([f"{self.bin}/tpfctl", "--socket", f"{self.root}/core.sock", "queue", "list"], capture_output=True).returncode == 0

    def make_keys(self):
        core = subprocess.Popen(self.tpfd(), env=self.env)
        try:
            wait_until(self.core_answers)
            subprocess.run([f"{self.bin}/tpf-register", "keys", "--register", "IPLOS", "--id", "IPLOS-1", "--out", f"{self.root}/register"],
                           check=True, stdout=subprocess.DEVNULL)
            self.ctl("keys", "generate", "--reason", "a test", "--kind", "message", "--id", "TPF-1")
            self.ctl("keys", "generate", "--reason", "a test", "--kind", "pseudonym", "--id", "P-1", "--register", "IPLOS")
            self.ctl("keys", "generate", "--reason", "a test", "--kind", "signing", "--id", "S-1")
            self.ctl("keys", "import", "--reason", "a test", "--kind", "register", "--id", "IPLOS-1", "--register", "IPLOS", f"{self.root}/register/IPLOS-1.public.pem")
            self.ctl("keys", "publish", "--out", f"{self.root}/keys.xml")
        finally:
            core.send_signal(signal.SIGTERM)
            core.wait()

    def export(self, name, persons, content):
        path = f"{self.root}/{name}.export"
        subprocess.run([f"{self.bin}/tpf-generate", "--persons", str(persons), "--bytes-per-person", str(content), "--out", path], check=True)
        return path

    def encrypt(self, export, out, *more):
        subprocess.run([f"{self.bin}/tpf-krypt", "--iplos", export, "--nokler", f"{self.root}/keys.xml", "--epost", "a@b.no", "--navn", "Bench",
                        "--mobil", "91234567", "--ut", out, *more], check=True, stdout=subprocess.DEVNULL)
        return out

    def message(self, name, persons, content=7000):
        export = self.export(name, persons, content)
        out = self.encrypt(export, f"{self.root}/{name}.xml")
        os.remove(export)
        return out

    def reset(self, keep=False):
        """`keep`: what was there is moved aside. ext4 looks at every inode that was deleted in the last minutes before it
        takes a new one, so that a run after a big deletion measures that."""
        for folder in ("spool", "journal"):
            path = f"{self.root}/{folder}"
            if keep and os.path.exists(path): os.rename(path, f"{self.root}/old-{time.monotonic_ns()}-{folder}")
            shutil.rmtree(path, ignore_errors=True)
        for folder in ("spool", "spool/inbox", "spool/inbox/new", "spool/inbox/tmp"): os.mkdir(f"{self.root}/{folder}", 0o770)

    def place(self, message, digest=None):
        """An inbox entry as a source would hand it over (docs/spool-format.md); the bytes are copied."""
        id = str(uuid.uuid4())
        folder = f"{self.root}/spool/inbox/tmp/{id}"
        os.mkdir(folder, 0o770)
        shutil.copyfile(message, f"{folder}/innsending.xml")
        digest = digest or sha256(message)
        record = (f'{{"form":"tpf-kilde-1","id":"{id}","kilde":"operator","avsender":"0301-00-974761076","operator":"bench","grunn":"bench",'
                  f'"mottatt":"2026-01-01T00:00:00Z","lengde":{os.path.getsize(message)},"sha256":"{digest}"')
        with open(f"{folder}/kilde.json", "w") as file:
            file.write(f'{record},"slutt":"{hashlib.sha256(record.encode()).hexdigest()}"}}\n')
        os.rename(folder, f"{self.root}/spool/inbox/new/{id}")

    def outbox(self):
        return len(os.listdir(f"{self.root}/spool/outbox"))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20): digest.update(block)
    return digest.hexdigest()


def timed(command, **more):
    """Wall seconds, processor seconds, largest resident set in KiB."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **more)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 75): sys.exit(f"error: {command[0]} ended with {process.returncode}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def settle():
    os.sync()
    time.sleep(0.3)


def median(values): return statistics.median(values)


class Report:
    """The figures of each part that ran."""
    def __init__(self): self.parts = {}

    def begin(self, part): self.parts[part] = self.lines = []

    def add(self, what, value, wanted=""):
        print(f"{what}: {value}" + (f"   (wanted: {wanted})" if wanted else ""), flush=True)
        self.lines.append((what, value, wanted))


def bench_pass(play, report, runs, persons):
    message = play.message("big", persons)
    size, digest = os.path.getsize(message), sha256(message)
    gigabytes = size / 1e9
    scratch = f"{play.root}/scratch"
    ours, ours_cpu, dd, openssl, primitives, botan_gcm = [], [], [], [], [], []
    for run in range(runs + 1):
        play.reset(); play.place(message, digest); settle()
        wall, cpu, _ = timed(play.tpfd("--drain"), env=play.env)
        assert play.outbox() == 1, "the message is not in the outbox"
        play.reset(); settle()
        idle_wall, idle_cpu, _ = timed(play.tpfd("--drain"), env=play.env)
        settle()
        copied, _, _ = timed(["dd", f"if={message}", f"of={scratch}", "bs=1M", "conv=fsync", "status=none"])
        os.remove(scratch); settle()
        hashed, _, _ = timed(["openssl", "dgst", "-sha256", message])
        settle()
        alone = json.loads(subprocess.run([f"{play.bin}/tpf-bench", "primitives", message, scratch, "--persons", str(persons)],
                                          check=True, capture_output=True).stdout)
        if run == 0: continue  # fills the page cache
        ours.append(wall); ours_cpu.append(cpu - idle_cpu); dd.append(copied); openssl.append(hashed)
        botan_gcm.append(alone.pop("botan_aes_gcm"))
        primitives.append({name: value for name, value in alone.items() if name != "bytes"})
    each = {name: median([p[name] for p in primitives]) for name in primitives[0]}
    slower = [max(a, b) for a, b in zip(dd, openssl)]
    report.add("one message", f"{size / 1e9:.2f} GB, {persons} persons of 7,000 bytes")
    report.add("`tpfd --drain`, inbox to outbox, start of the process included", f"{median(ours):.2f} s ({gigabytes / median(ours):.2f} GB/s), processor {median(ours_cpu):.2f} s")
    report.add("`dd bs=1M conv=fsync` to a fresh file", f"{median(dd):.2f} s")
    report.add("`openssl dgst -sha256`", f"{median(openssl):.2f} s")
    report.add("tpfd / the slower of the two, median of pairs", f"{median([a / b for a, b in zip(ours, slower)]):.2f}", "at most 1.5")
    report.add("primitives, processor seconds", ", ".join(f"{name} {value:.2f}" for name, value in each.items()) + f"; together {sum(each.values()):.2f}")
    ratios = [cpu / sum(alone.values()) for cpu, alone in zip(ours_cpu, primitives)]
    report.add("processor time / primitives added up, median of pairs", f"{median(ratios):.2f}", "at most 1.2")
    botan = [cpu / (sum(alone.values()) - alone["aes_gcm"] + gcm) for cpu, alone, gcm in zip(ours_cpu, primitives, botan_gcm)]
    report.add("the same against Botan's AES-GCM in the place of OpenSSL's", f"{median(botan):.2f} (AES-GCM {median(botan_gcm):.2f} s)", "at most 1.2")
    if shutil.which("xmlsec1"):
        wall, _, resident = xmlsec_run(play, max(1, persons // 10))
        small = play.root + "/xmlsec-message.xml"
        rate = os.path.getsize(small) / wall
        report.add("`xmlsec1 --decrypt` of a message a tenth as big", f"{rate / 1e6:.0f} MB/s, {resident / 1024:.0f} MiB resident")
        report.add("tpfd / xmlsec1, bytes a second", f"{size / median(ours) / rate:.1f} times as fast", "at least 10")
    return message, digest


def xmlsec_run(play, persons):
    """A submission under a key of our own that xmlsec1 may read."""
    key, out = f"{play.root}/xmlsec.pem", f"{play.root}/xmlsec-message.xml"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", key], check=True)
    numbers = subprocess.run(["openssl", "rsa", "-in", key, "-noout", "-modulus"], check=True, capture_output=True, text=True).stdout
    modulus = base64.b64encode(bytes.fromhex(numbers.strip().split("=")[1])).decode()
    with open(f"{play.root}/keys.xml", "rb") as file: keys = file.read().decode("utf-16")
    keys = re.sub(r"(eier=\"TPF\".*?<Modulus>)[^<]*", lambda m: m.group(1) + modulus, keys, count=1, flags=re.S)
    with open(f"{play.root}/xmlsec-keys.xml", "wb") as file: file.write(keys.encode("utf-16"))
    export = play.export("xmlsec", persons, 7000)
    subprocess.run([f"{play.bin}/tpf-krypt", "--iplos", export, "--nokler", f"{play.root}/xmlsec-keys.xml", "--epost", "a@b.no", "--navn", "Bench",
                    "--mobil", "91234567", "--ut", out, "--nokkeltransport", "rsa-oaep-mgf1p"], check=True, stdout=subprocess.DEVNULL)
    os.remove(export)
    return timed(["xmlsec1", "--decrypt", "--privkey-pem:TPF-1", key, "--output", "/dev/null", out], stderr=subprocess.DEVNULL)


def resident(pid, what):
    """VmRSS (now) or VmHWM (most so far) in KiB."""
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith(what))


def bench_memory(play, report, quick):
    """The start needs memory of its own (scrypt), so the process is left to become idle first and its mark is reset."""
    for name, persons in [("10 MB", 700), ("200 MB", 14000), ("1 GB", 70000)] + ([] if quick else [("4 GB", 280000)]):
        message = play.message("memory", persons)
        digest = sha256(message)
        play.reset()
        core = subprocess.Popen(play.tpfd(), env=play.env)
        try:
            wait_until(lambda: play.core_answers())
            time.sleep(1)
            idle = resident(core.pid, "VmRSS")
            with open(f"/proc/{core.pid}/clear_refs", "w") as file: file.write("5")
            play.place(message, digest)
            wait_until(lambda: play.outbox() == 1, 600)
            most = resident(core.pid, "VmHWM")
        finally:
            core.send_signal(signal.SIGTERM)
            core.wait()
        report.add(f"a message of {name}: most resident above the idle process's {idle / 1024:.1f} MiB", f"{(most - idle) / 1024:.1f} MiB", "at most 16 MiB")
        os.remove(message)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline: sys.exit("error: waited in vain")
        time.sleep(0.02)


def rsa(play, threads): return json.loads(subprocess.run([f"{play.bin}/tpf-bench", "rsa", "--threads", str(threads)], check=True, capture_output=True).stdout)


def bench_small(play, report, runs, count):
    exports = [play.export("small", 10, 700)]
    os.makedirs(f"{play.root}/smalls", exist_ok=True)
    def one(i): return play.encrypt(exports[0], f"{play.root}/smalls/{i}.xml")
    with ThreadPoolExecutor(os.cpu_count()) as pool: messages = list(pool.map(one, range(count)))
    digests = [sha256(m) for m in messages]
    rates, limits = [], []
    for run in range(runs):
        play.reset(keep=True)
        for message, digest in zip(messages, digests): play.place(message, digest)
        settle()
        wall, _, _ = timed(play.tpfd("--drain"), env=play.env)
        done = play.outbox()
        assert done == count, f"{done} of {count} in the outbox"
        play.reset(keep=True)
        idle, _, _ = timed(play.tpfd("--drain"), env=play.env)
        rates.append(count / (wall - idle))
        limits.append(rsa(play, os.cpu_count())["private_per_second"])
    report.add("small messages (10 persons), inbox to outbox, durable", f"{median(rates):.0f} a second")
    report.add("RSA-3072 decryptions with a kept decryptor, all cores", f"{median(limits):.0f} a second")
    report.add("small messages / that limit, median of pairs", f"{median([a / b for a, b in zip(rates, limits)]):.2f}", "at least 0.8")
    if shutil.which("strace"):
        play.reset(keep=True)
        for message, digest in zip(messages[:200], digests): play.place(message, digest)
        trace = f"{play.root}/trace"
        subprocess.run(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", "-o", trace, *play.tpfd("--drain")], env=play.env, check=False)
        calls = sum(int(line.split()[3]) for line in open(trace) if line.strip().endswith(("fsync", "fdatasync")))
        report.add("fsync and fdatasync calls a small message", f"{calls / 200:.1f}")
    shutil.rmtree(f"{play.root}/smalls")
    for name in os.listdir(play.root):
        if name.startswith("old-"): shutil.rmtree(f"{play.root}/{name}")


def bench_parallel(play, report, runs):
    messages = [play.message(f"parallel{i}", 14000) for i in range(4)]
    use = []
    for _ in range(runs):
        play.reset()
        for message in messages: play.place(message)
        settle()
        wall, cpu, _ = timed(play.tpfd("--drain"), env=play.env)
        assert play.outbox() == 4
        use.append(cpu / wall)
    report.add("four messages of 200 MB at once, cores busy (processor / wall)", f"{median(use):.2f} of {os.cpu_count()}")
    for message in messages: os.remove(message)


def bench_pseudonyms(play, report, runs):
    values = [json.loads(subprocess.run([f"{play.bin}/tpf-bench", "pseudonyms"], check=True, capture_output=True).stdout)["pseudonyms_per_second"] for _ in range(runs)]
    report.add("pseudonyms, one core", f"{median(values) / 1e6:.2f} million a second", "at least 3 million")


def bench_krypt(play, report, runs, persons):
    export = play.export("krypt", persons, 7000)
    ratios, walls, limits = [], [], []
    for _ in range(runs):
        settle()
        begun = time.monotonic()
        play.encrypt(export, f"{play.root}/krypt.xml")
        wall = time.monotonic() - begun
        limit = rsa(play, os.cpu_count())["public_per_second"]
        walls.append(wall); limits.append(limit); ratios.append(persons / wall / limit)
        os.remove(f"{play.root}/krypt.xml")
    report.add(f"`tpf-krypt`, {persons} persons of 7,000 bytes", f"{median(walls):.2f} s, {persons / median(walls):.0f} persons a second")
    report.add("RSA-3072 public operations alone, all cores", f"{median(limits):.0f} a second")
    report.add("tpf-krypt / that limit, median of pairs", f"{median(ratios):.2f}", "at least 0.5")
    os.remove(export)


def measured(play, program, *arguments):
    folder = tempfile.mkdtemp(prefix="measured-", dir=play.root)
    settle()
    try:
        return json.loads(subprocess.run([f"{play.bin}/{program}", folder, *map(str, arguments)], check=True, capture_output=True).stdout)
    finally:
        shutil.rmtree(folder)


def bench_audit(play, report, entries):
    got = measured(play, "tpf-audit-bench", entries)
    journal, log = got["journal"], got["log"]
    report.add(f"audit entries, {journal['callers']} callers, group commit, fsync", f"{journal['entries_per_second']:.0f} a second", "at least 3,000")
    report.add(f"verification of {log['entries']} audit entries", f"{log['verify_seconds']:.1f} s ({log['verify_processor_seconds']:.1f} s of processor)",
               f"at most {60 * log['entries'] / 10e6:.1f} s (10 million: 60)")


def bench_log(play, report, runs, persons, content):
    """What the pseudonym log costs: one message, each time with it and without. (Entries are four a message.)"""
    message = play.message("log", persons, content)
    digest, size = sha256(message), os.path.getsize(message)
    path = f"{play.root}/tpf.toml"
    with open(path) as file: config = file.read()

    def run(more):
        with open(path, "w") as file: file.write(config + more)  # the register's section is the last one
        play.reset()
        play.place(message, digest)
        settle()
        return timed(play.tpfd("--drain"), env=play.env)[1]
    run("")
    pairs = [(run(""), run("pseudonym_log = false\n")) for _ in range(runs)]
    with open(path, "w") as file: file.write(config)
    os.remove(message)
    report.add(f"processor time with the pseudonym log / without, {persons} persons in {size / 1e9:.2f} GB, median of pairs",
               f"{median([with_it / without for with_it, without in pairs]):.3f}", "at most 1.05")


def bench_lookups(play, report, occurrences):
    # Each person in a message a month, for ten years.
    got = measured(play, "tpf-lookups-bench", occurrences, max(1000, occurrences // 120), 400)
    made = f"{got['occurrences']} occurrences in {got['messages']} messages"
    report.add(f"occurrence index made anew, {made}", f"{got['index_seconds']:.1f} s ({got['index_processor_seconds']:.1f} s of processor), {got['index_bytes'] / 1e6:.0f} MB in {got['runs']} files")
    for name in ("cold", "warm"):
        index, lists = got[f"{name}_seconds"], got[f"{name}_lists_seconds"]
        report.add(f"a look-up in it, {'nothing in the page cache' if name == 'cold' else 'again'}: the index; the lists of {got['found_in_each']:.0f} messages",
                   "; ".join(f"{s['median'] * 1e3:.1f} ms, slowest {s['slowest'] * 1e3:.1f} ms" for s in (index, lists)), "seconds, over 500 million")


def write_document(report, runs, quick):
    """Each part's table anew; those of parts that did not run stay."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    features = ", ".join(f for f in ("aes", "vaes", "avx2", "sha_ni") if f" {f} " in flags + " ")
    with open("docs/performance.md") as file: document = file.read()
    for part, lines in report.parts.items():
        begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
        table = [f"`script/bench --write{' --quick' if quick else ''} {part}`, {time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores of {cpu} ({features}), "
                 f"Linux {platform.release()}, medians of up to {runs} paired runs.", "", "| what | measured | wanted |", "|---|---|---|"]
        table += [f"| {what} | {value} | {wanted} |" for what, value, wanted in lines]
        head, tail = document.split(begin)[0], document.split(end)[1]
        document = f"{head}{begin}\n" + "\n".join(table) + f"\n{end}{tail}"
    with open("docs/performance.md", "w") as file: file.write(document)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--write", action="store_true", help="write the tables of these parts in docs/performance.md")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, three runs")
    parser.add_argument("--folder", help="work here (default: a new folder beside the build)")
    parser.add_argument("--occurrences", type=int, help="of the part lookups (45 bytes of disk each)")
    parser.add_argument("part", nargs="*", metavar="part", help=", ".join(PARTS))
    options = parser.parse_args()
    parts = options.part or PARTS
    if unknown := set(parts) - set(PARTS): parser.error(f"no such part: {', '.join(unknown)}")
    runs = 3 if options.quick else 7
    root = tempfile.mkdtemp(prefix="bench-", dir=options.folder or os.path.join("build"))
    root = os.path.abspath(root)
    report = Report()
    try:
        play = Playground(options.bin, root)
        measure = {
            "pass": lambda: os.remove(bench_pass(play, report, runs, 7000 if options.quick else 70000)[0]),
            "memory": lambda: bench_memory(play, report, options.quick),
            "small": lambda: bench_small(play, report, min(runs, 3), 500 if options.quick else 3000),
            "parallel": lambda: bench_parallel(play, report, min(runs, 3)),
            "pseudonyms": lambda: bench_pseudonyms(play, report, min(runs, 3)),
            "krypt": lambda: bench_krypt(play, report, min(runs, 3), 10000 if options.quick else 100000),
            "log": lambda: [bench_log(play, report, runs, persons // (10 if options.quick else 1), content)
                            for persons, content in ((70000, 7000), (400000, 300))],
            "audit": lambda: bench_audit(play, report, 1_000_000 if options.quick else 10_000_000),
            "lookups": lambda: bench_lookups(play, report, options.occurrences or (5_000_000 if options.quick else 100_000_000)),
        }
        for part in PARTS:
            if part not in parts: continue
            report.begin(part)
            measure[part]()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    if options.write: write_document(report, runs, options.quick)


main()
