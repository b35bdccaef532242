"""The log of dm-log-writes: every write of a recorded device, in the order in which it became durable. Writes are held
back until the flush that made them so, and come just before it; a mark lies where it was made.
Linux: Documentation/admin-guide/device-mapper/log-writes.rst, drivers/md/dm-log-writes.c."""

import struct
from dataclasses import dataclass

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


@dataclass
class Entry:
    where: int   # byte of the device
    flags: int
    at: int      # byte of the log where its data lie
    length: int  # bytes of data
    mark: str = ""

    @property
    def durable(self):
        """What was written so far survives a power cut from here on."""
        return bool(self.flags & (FLUSH | FUA)) and not self.flags & MARK

    @property
    def pending(self):
        return not self.flags & (FLUSH | FUA | MARK)


def entries(log):
    """All entries of an open log, in order."""
    magic, _, count, sector = struct.unpack("<QQQI", log.read(28))
    if magic != MAGIC:
        raise ValueError("not a log of dm-log-writes")
    at, listed = sector, []
    for _ in range(count):
        log.seek(at)
        head = log.read(sector)
        at += sector
        where, sectors, flags, length = struct.unpack("<QQQQ", head[:32])
        if flags & MARK:
            listed.append(Entry(0, flags, at, 0, head[32:32 + length].split(b"\0")[0].decode()))
            continue
        data = 0 if flags & DISCARD else sectors * sector
        listed.append(Entry(where * sector, flags, at, data))
        at += data
    return listed
