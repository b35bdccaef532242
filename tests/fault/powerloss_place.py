"""The installation of the power-loss test, inside user-mode-linux: all that must survive lies on one file system, keys and
configuration beside it."""

import json
import shutil
import time
from pathlib import Path

import env
import harness
import judge
import load
import syscalls
import uml_init

DISK = Path("/mnt/disk")
WORK = Path("/mnt/work")


class OnDisk(harness.Stage):
    """Spool, journal, drop folder and the register's store on /mnt/disk."""

    def __init__(self, retention):
        self.drop_folder = DISK / "drop"
        sources = {"oslo": syscalls.DROP["oslo"].replace("{folder}/drop", str(self.drop_folder))}
        keeping = "" if retention else "\n[retention]\ndelivered_days = 0"
        super().__init__(sources=sources, sections="[workers]\npoll_seconds = 1" + keeping, reserve="1 MiB")
        self.spool, self.drop_folder = DISK / "spool", DISK / "drop"
        self.retention = retention
        (self.folder / "journal").symlink_to(DISK / "journal")  # where journal_rows() looks
        self.write_config()

    def config_text(self):
        text = super().config_text()
        return text.replace(f"{self.folder}/journal/", f"{DISK}/journal/").replace(f'spool = "{self.folder}/spool"', f'spool = "{DISK}/spool"')

    def store(self, name="IPLOS"):
        return DISK / f"store-{name}"

    def place(self):
        return judge.Place(self.spool, DISK / "journal/journal.db", self.store(), (self.folder / "tmp", self.drop_folder), self.retention)

    def begin(self):
        """All three programs, each when what it needs is there."""
        port = self.folder / "port-IPLOS"
        port.unlink(missing_ok=True)
        self.launch("register")
        env.until("the register to listen", lambda: self._alive(self.running["register"]) and port.exists() and port.read_text().strip())
        self.launch("core")
        env.until("the core to answer", lambda: self._alive(self.running["core"]) and self._answers())
        self.forward_since = time.time()
        self.launch("forward")

    def forward_has_looked(self):
        """It told how the registers stand since its start: what a cut left of such a file is gone then."""
        told = self.spool / "receipts/status.json"
        return told.exists() and told.stat().st_mtime > self.forward_since - 0.02  # a file's time is that of the last tick

    def drop_is_empty(self):
        """A file that came back with the cut is taken once more."""
        own = self.drop_folder / ".tpf"
        return not list(self.drop_folder.glob("*.xml")) and not (own.exists() and list(own.iterdir()))

    def forget_logs(self):
        for log in self.folder.glob("*.log"):
            log.unlink()


def read_messages(name):
    return [load.Message.from_json(line) for line in (WORK / f"{name}.messages").read_text().splitlines()]


def read_marks(name):
    """{mark: (what, number of the message, spool id)}: see powerloss_record.py."""
    return {mark: tuple(said) for mark, said in json.loads((WORK / f"{name}.marks").read_text()).items()}


def mount(device, kind):
    uml_init.mount(device, DISK, kind, "nouuid" if kind == "xfs" else "")


def unmount():
    # What was stopped may be on its way out yet.
    def tried():
        try:
            uml_init.unmount(DISK)
            return True
        except OSError:
            return False
    env.until("the file system to be free", tried, 20)


def keep_disk(stage, target):
    """A copy on the host of what was left, with the programs' logs, for whoever has to find out why."""
    shutil.rmtree(target, ignore_errors=True)  # of before, when a recording is done again
    shutil.copytree(DISK, target, symlinks=True, ignore=lambda _, names: [n for n in names if n in ("lost+found", "lock")])
    for log in stage.folder.glob("*.log"):
        shutil.copy(log, target)
