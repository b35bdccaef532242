"""clang-tidy over the files given, on all cores. A file that was found good is not looked at again while neither it, nor
anything it includes, nor the checks change: what the preprocessor makes of it (comments kept, for NOLINT) is hashed, and good
hashes are remembered in the user's cache, as ccache remembers what was compiled. Exit status 1 when there are findings."""
import concurrent.futures, hashlib, json, os, pathlib, shlex, subprocess, sys

build, files = sys.argv[1], sys.argv[2:]
cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tpf-tidy"
cache.mkdir(parents=True, exist_ok=True)
version = subprocess.run(["clang-tidy", "--version"], check=True, stdout=subprocess.PIPE).stdout
checks = pathlib.Path(".clang-tidy").read_bytes()
commands = {os.path.realpath(one["file"]): one for one in json.loads(pathlib.Path(build, "compile_commands.json").read_text())}


def fingerprint(file):
    """None where the file does not even preprocess: clang-tidy says why."""
    one = commands.get(os.path.realpath(file))
    if one is None:
        return None
    words = shlex.split(one["command"])
    words = words[next(i for i, word in enumerate(words) if os.path.basename(word).startswith("clang++")):]
    words[words.index("-o"):words.index("-o") + 2] = []
    done = subprocess.run([*words, "-E", "-C", "-P"], cwd=one["directory"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        return None
    root = os.getcwd().encode()
    return hashlib.sha256(b"\0".join([version, checks, " ".join(words).encode().replace(root, b""), done.stdout.replace(root, b"")])).hexdigest()


def look_at(file):
    known = fingerprint(file)
    if known and (cache / known).exists():
        return 0
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, file], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace"), flush=True)
    elif known:
        (cache / known).touch()
    return done.returncode


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    bad = sum(1 for status in pool.map(look_at, files) if status != 0)
print(f"{len(files)} files, {bad} with findings")
sys.exit(1 if bad else 0)
