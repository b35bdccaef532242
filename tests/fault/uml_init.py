"""The first process inside user-mode-linux: mounts, modules, loopback; then main(job) of the module that it is told."""

import ctypes
import fcntl
import importlib
import json
import os
import socket
import struct
import sys
import traceback
from pathlib import Path

MODULES = ("dax", "libcrc32c", "xfs", "dm-mod", "dm-bufio", "dm-snapshot", "dm-log-writes", "brd")
PARAMETERS = {"brd": b"rd_nr=1 rd_size=262144"}
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, options=""):
    if _libc.mount(source.encode(), str(target).encode(), kind.encode(), 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount of {kind} on {target}")


def unmount(target):
    if _libc.umount2(str(target).encode(), 0) != 0:
        raise OSError(ctypes.get_errno(), f"unmount of {target}")


def insert_modules():
    """Those that this kernel has as modules; the others are built in, or are missed by their user."""
    folder = Path("/usr/lib/uml/modules") / os.uname().release / "kernel"
    files = {path.name.removesuffix(".ko"): path for path in folder.rglob("*.ko")}
    for name in MODULES:
        if name in files:
            with open(files[name], "rb") as module:
                _libc.syscall(313, module.fileno(), PARAMETERS.get(name, b""), 0)  # finit_module


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


def prepare(work, programs):
    mount("proc", "/proc", "proc")
    if not os.path.ismount("/dev"):
        mount("dev", "/dev", "devtmpfs")
    mount("mnt", "/mnt", "tmpfs", "mode=0755")
    shares = {"work": work, "bin": programs, "tests": Path(__file__).resolve().parents[1]}
    for name, path in shares.items():
        os.mkdir(f"/mnt/{name}")
        mount("none", f"/mnt/{name}", "hostfs", str(path))
    for name in ("disk", "run"):
        os.mkdir(f"/mnt/{name}")
    insert_modules()
    loopback_up()
    os.environ.update(TPF_BIN="/mnt/bin", TMPDIR="/mnt/run", HOME="/mnt/run", TPF_SYSTEM_TEMPLATE="/mnt/work/template",
                      PATH="/usr/sbin:/usr/bin:/sbin:/bin", LANG="C.UTF-8")
    sys.path[0:1] = ["/mnt/tests/fault", "/mnt/tests/system"]


def main(job):
    """As a role: the machine runs."""


if __name__ == "__main__":
    work, name, role, programs = sys.argv[1:5]  # more may follow: user-mode-linux adds root=
    try:
        prepare(work, programs)
        importlib.import_module(role).main(json.loads(Path(f"/mnt/work/{name}.job").read_text()))
        Path(f"/mnt/work/{name}.done").touch()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _libc.sync()
        _libc.reboot(0x4321FEDC)  # power off
