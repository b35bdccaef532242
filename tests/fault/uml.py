"""A Linux of its own for a test, in one process and without rights: Debian's user-mode-linux, on the host's files (read
only). uml_init.py is its first process; it calls main(job) of a module here and powers off."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import env

HERE = Path(__file__).resolve().parent
PROGRAM, PYTHON = "linux.uml", "/usr/bin/python3"


class Machine:
    """Boots at once. `role`: a module of this folder; `disks`: files, /dev/ubda and so on inside; `folder`: the host's
    folder for job, console and results, /mnt/work inside."""

    def __init__(self, folder, name, role, job, programs, disks=(), memory="768M"):
        self.folder, self.name = Path(folder), name
        self.console = self.folder / f"{name}.console"
        (self.folder / f"{name}.job").write_text(json.dumps(job))
        arguments = [PROGRAM, f"mem={memory}", "rootfstype=hostfs", "rootflags=/", "ro", f"init={PYTHON}", "con=null", "con0=null,fd:1",
                     "quiet", *(f"ubd{number}={disk}" for number, disk in enumerate(disks)),
                     "--", "-B", str(HERE / "uml_init.py"), str(self.folder), name, role, str(Path(programs).resolve())]
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        if (Path(programs) / "tpf-uml-preload.so").exists():
            environment["LD_PRELOAD"] = str(Path(programs).resolve() / "tpf-uml-preload.so")
        with open(self.console, "wb") as out:
            self.popen = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True,
                                          preexec_fn=env._die_with_parent)

    def wait(self, seconds):
        """Whether it did all it had to, within that time."""
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return (self.folder / f"{self.name}.done").exists()

    def kill(self):
        # Its processes are processes of the host, in a session of their own.
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def said(self, lines=12):
        """The end of its console, without the kernel's call trace."""
        text = [line for line in self.console.read_text(errors="replace").splitlines() if not line.startswith(" ")]
        return "\n".join(text[-lines:])


def missing(folder, programs):
    """Why there can be no machine here; empty when there can."""
    if os.uname().machine != "x86_64":
        return "user-mode-linux is for x86-64"
    for program in (PROGRAM, "mkfs.ext4", "mkfs.xfs"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"needs {program}"
    probe = Machine(folder, "probe", "uml_init", {}, programs, memory="256M")
    return "" if probe.wait(120) else "user-mode-linux does not run on this machine"
