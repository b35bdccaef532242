"""Inside user-mode-linux: the load through the real programs on a fresh file system whose every write is recorded.

What was begun, acknowledged and seen is marked in the record at that moment. A mark's name is a number; NAME.marks says what
it means: (what, number of the message, spool id), `what` one of
  begun         from here on the message may be there
  acknowledged  to its sender: from here on it must be there
  stored        the register answered: from here on it must have it
  told          its sender's receipt says it has come to its end: from here on the journal must say so too."""

import ctypes
import json
import os
import queue
import struct
import subprocess
import threading
import time

import env
import harness
import judge
import powerloss_place as place
from device_mapper import Device

SENDERS = 2
_libc = ctypes.CDLL(None, use_errno=True)


class Marks:
    def __init__(self, device):
        self.device, self.meaning, self.lock = device, {}, threading.Lock()

    def set(self, what, message=-1, spool_id=None):
        with self.lock:
            name = str(len(self.meaning))
            self.device.message(f"mark {name}")
            self.meaning[name] = [what, message, spool_id]


class Watch(threading.Thread):
    """Marks what the programs show in their folders: a register's answer that comes, a sender's receipt that says the end."""

    CREATE, MOVED_TO = 0x100, 0x80

    def __init__(self, stage, marks):
        super().__init__(daemon=True)
        self.stage, self.marks, self.folders = stage, marks, {}
        self.fd = _libc.inotify_init1(0)
        for folder, what in (("receipts/tmp", self.CREATE), ("kvittering", self.CREATE)):
            self.add(stage.spool / folder, what)

    def add(self, folder, what):
        self.folders[_libc.inotify_add_watch(self.fd, str(folder).encode(), what)] = folder

    def run(self):
        for source in ("operator", "oslo"):
            folder = self.stage.spool / "kvittering" / source
            while not folder.is_dir():
                time.sleep(0.005)
            self.add(folder, self.MOVED_TO)
        while True:
            data = os.read(self.fd, 65536)
            while data:
                watch, _, _, length = struct.unpack_from("iIII", data)
                name = data[16:16 + length].split(b"\0")[0].decode()
                data = data[16 + length:]
                self.seen(self.folders.get(watch), name)

    def seen(self, folder, name):
        if folder == self.stage.spool / "receipts/tmp":
            self.marks.set("stored", spool_id=name)
        elif name.endswith(".json"):
            try:
                answer = json.loads((folder / name).read_text())
            except (OSError, ValueError):
                return
            if answer["status"] == "levert":
                self.marks.set("told", spool_id=name.removesuffix(".json"))


class Load:
    def __init__(self, stage, marks, messages):
        self.stage, self.marks, self.messages = stage, marks, messages
        self.waiting = queue.Queue()
        for number, message in enumerate(messages):
            (stage.folder / "load" / str(number)).write_bytes(message.data)
            for _ in range(message.copies):
                self.waiting.put(number)
        self.faults = []

    def run(self):
        threads = [threading.Thread(target=self.send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def send(self):
        while True:
            try:
                number = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self.hand_over(number, self.messages[number])
            except Exception as error:
                self.faults.append(f"message {number}: {type(error).__name__}: {error}")

    def hand_over(self, number, message):
        self.marks.set("begun", number)
        if message.source != "operator":
            self.stage.drop(message)
            env.until("the dropped file to be taken", lambda: self.stage.dropped(message))
            self.marks.set("acknowledged", number)
            return
        message.attempts += 1
        spool_id = self.submit(number) if number % 2 else self.stage.submit(message.data)
        self.marks.set("acknowledged", number, spool_id)
        message.acknowledged.append(spool_id)

    def submit(self, number):
        """tpfctl submit; acknowledged with its first line, not with its end."""
        command = [env.BIN / "tpfctl", "--config", self.stage.config, "--json", "submit", self.stage.folder / "load" / str(number),
                   "--sender", env.SENDER, "--reason", "fault test"]
        with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            return json.loads(process.stdout.readline())["result"]["id"]


def with_numbers(marks, stage, messages):
    """Spool ids that the programs showed are turned into messages, by the journal as it was in the end."""
    numbers = {message.sha256: number for number, message in enumerate(messages)}
    of = {row[0]: numbers[row[1]] for row in stage.journal_rows("SELECT id, input_sha256 FROM messages")}
    return {name: [what, of[spool_id] if number < 0 and spool_id else number, spool_id] for name, (what, number, spool_id) in marks.meaning.items()}


def main(job):
    name, kind = job["name"], job["kind"]
    sectors = os.stat(place.WORK / f"{name}.disk").st_size // 512
    device = Device("recorded", sectors, "log-writes", "/dev/ubda /dev/ubdb")
    quick = {"ext4": ["-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"], "xfs": ["-K"]}
    env.run([f"mkfs.{kind}", "-q", *quick[kind], device.path])
    place.mount(device.path, kind)
    stage = place.OnDisk(job["retention"])
    stage.drop_folder.mkdir()
    stage.spool.mkdir()
    messages = place.read_messages(name)
    os.sync()
    device.message("mark start")
    marks = Marks(device)
    stage.faults = job["faults"]
    stage.begin()
    Watch(stage, marks).start()
    work = Load(stage, marks, messages)
    work.run()
    if not harness.until(lambda: stage.at_rest(messages), 120):
        raise AssertionError("not at rest: " + stage.log_tail("core.log"))
    stage.stop_all()
    os.sync()
    device.message("mark end")
    faults = work.faults + judge.judge(stage.place(), messages)
    (place.WORK / f"{name}.marks").write_text(json.dumps(with_numbers(marks, stage, messages)))
    place.unmount()
    device.remove()
    print("\n".join(["RECORDED", *faults]), flush=True)
    if faults:
        raise AssertionError("the recorded run itself is broken")
