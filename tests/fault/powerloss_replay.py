"""Inside user-mode-linux: the recorded device as it was at each of the job's points; there the file system recovers, the
programs start and work off what they find, the sender sends again what was not acknowledged, and the judge judges.

Many cuts recover to the same files, byte for byte (a flush that only ended a transaction of the file system's): the programs
are run on them once, and what came of it is held against what the marks before each further cut demand."""

import dataclasses
import hashlib
import json
import os
import sqlite3
import time
import traceback

import env
import harness
import judge
import powerloss_place as place
import write_log
from device_mapper import Device

BASE, ROOM = "/dev/ubda", "/dev/ram0"


class AtPoint:
    """What the marks before a point demand."""

    def __init__(self, messages, marks, meaning):
        self.known = [meaning[m] for m in marks if m in meaning]
        begun = lambda number: sum(k[:2] == ("begun", number) for k in self.known)
        ids = lambda number: [k[2] for k in self.known if k[:2] == ("acknowledged", number)]
        # By number: a message that was not begun must not be there.
        self.messages = {number: dataclasses.replace(message, acknowledged=ids(number), attempts=begun(number), copies=begun(number))
                         for number, message in enumerate(messages) if begun(number)}

    def key(self):
        """What the recovery depends on besides the files. Those acknowledged by spool id are looked up in its outcome."""
        return tuple((number, m.attempts, m.source != "operator" and len(m.acknowledged)) for number, m in sorted(self.messages.items()))

    def spool_ids(self, what):
        return [(number, spool_id) for said, number, spool_id in self.known if said == what]


class Replay:
    def __init__(self, job):
        self.job = job
        self.stage = place.OnDisk(job["retention"])
        self.messages = place.read_messages(job["name"])
        self.meaning = place.read_marks(job["name"])
        self.base = os.open(BASE, os.O_RDWR)
        self.sectors = os.stat(place.WORK / f"{job['name']}.disk").st_size // 512
        self.outcomes = {}  # state: spool ids that were there when all was at rest

    def run(self):
        with open(place.WORK / f"{self.job['name']}.log", "rb") as log, open(place.WORK / f"{self.job['out']}.results", "a") as out:
            listed, applied, marks, bad = write_log.entries(log), 0, [], 0
            for point in self.job["points"]:
                for entry in listed[applied:point["after"] + 1]:
                    if entry.mark:
                        marks.append(entry.mark)
                    self.write(self.base, log, entry)
                applied = point["after"] + 1
                os.fsync(self.base)
                began = time.monotonic()
                states = len(self.outcomes)
                faults = self.judged(point, log, listed, AtPoint(self.messages, marks, self.meaning))
                result = {"point": point, "faults": faults, "seconds": time.monotonic() - began, "new": len(self.outcomes) > states}
                out.write(json.dumps(result) + "\n")
                out.flush()
                bad += bool(faults)
                if bad >= self.job["most_bad"]:
                    break

    @staticmethod
    def write(device, log, entry, half=False):
        if entry.length:
            log.seek(entry.at)
            length = entry.length // 1024 * 512 if half else entry.length
            os.pwrite(device, log.read(length), entry.where)

    def judged(self, point, log, listed, demands):
        cut = Device("cut", self.sectors, "snapshot", f"{BASE} {ROOM} N 8")
        try:
            self.tear(cut, point, log, listed)
            place.mount(cut.path, self.job["kind"])
            try:
                faults = self.attempt(demands)
                if faults:
                    place.keep_disk(self.stage, place.WORK / f"{self.job['name']}.{point['kind']}-{point['after']}")
                return faults
            finally:
                self.stage.kill_all()
                place.unmount()
        finally:
            cut.remove()

    def attempt(self, demands):
        try:
            return self.look(demands) + self.programs(demands)
        except AssertionError as error:
            return [str(error)]
        except Exception:
            return [traceback.format_exc()]

    def tear(self, cut, point, log, listed):
        """Of what waited for the next flush some writes reached the disk, one of them by half."""
        if not point.get("torn"):
            return
        device = os.open(cut.path, os.O_RDWR)
        for number, half in point["torn"]:
            self.write(device, log, listed[number], half)
        os.fsync(device)
        os.close(device)

    def look(self, demands):
        """What must be so before any program has helped."""
        faults = []
        for number, _ in demands.spool_ids("stored"):
            message = demands.messages[number]
            held = self.stage.store() / "meldinger" / message.name / "melding.xml"
            if not held.is_file() or held.read_bytes() != message.output:
                faults.append(f"LOST: the register answered for {message.name} and does not have it")
        told = [spool_id for _, spool_id in demands.spool_ids("told")]
        if told:
            try:
                states = dict(self.stage_rows())
            except sqlite3.Error as error:
                return faults + [f"journal cannot be read: {error}"]
            faults += [f"UNTRUE: the sender of {spool_id} was told it is delivered, it is {states.get(spool_id)}" for spool_id in told
                       if states.get(spool_id) not in ("delivered", "duplicate")]
        return faults

    def stage_rows(self):
        return self.stage.journal_rows("SELECT id, state FROM messages")

    def programs(self, demands):
        state = (files(place.DISK), demands.key())
        known = self.outcomes.get(state)
        if known is not None:
            return [f"LOST: {spool_id} was acknowledged" for _, spool_id in demands.spool_ids("acknowledged") if spool_id and spool_id not in known]
        faults = self.recover(demands)
        if not faults:
            self.outcomes[state] = {row[0] for row in self.stage_rows()}
        return faults

    def recover(self, demands):
        stage, messages = self.stage, demands.messages
        stage.forget_logs()
        stage.begin()
        for message in messages.values():
            self.send_again(message)
        here = list(messages.values())

        def rest():
            stage.supervise()
            taken = all(m.source == "operator" or stage.dropped(m) for m in here)
            return taken and stage.drop_is_empty() and stage.forward_has_looked() and stage.at_rest(here)
        faults = []
        if not harness.until(rest, harness.REST, 0.02):
            faults.append("not at rest: " + stage.log_tail("core.log", 3))
        faults += [f"{program} ended by itself with {s}" for program, listed in stage.statuses.items() for s in listed]
        for listed in stage.statuses.values():
            listed.clear()
        faults += [f"{program} ended with {s}" for program, s in stage.stop_all().items() if s not in (0, -15)]
        faults += judge.judge(stage.place(), here)
        return faults

    def send_again(self, message):
        while message.source == "operator" and len(message.acknowledged) < message.copies:
            message.attempts += 1
            message.acknowledged.append(self.stage.submit(message.data))
        lies = self.stage.drop_folder / f"{message.meldings_id}.xml"
        if message.source != "operator" and not message.acknowledged and not lies.exists():
            self.stage.drop(message)


def files(root):
    """A digest of all files below: names, modes, contents."""
    digest = hashlib.blake2b()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names) + folders:
            path = os.path.join(folder, name)
            digest.update(f"{path}\0{os.lstat(path).st_mode}\0".encode())
        for name in sorted(names):
            with open(os.path.join(folder, name), "rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.digest()


def main(job):
    harness.REST = job["rest"]
    Replay(job).run()
