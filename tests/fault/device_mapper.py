"""The device mapper's few calls that recording and replaying need, without dmsetup: a mark must be in the log at the
moment of what it marks, and a process takes too long to start. Linux: include/uapi/linux/dm-ioctl.h."""

import fcntl
import os
import struct

_HEAD_BYTES = 312
_CREATE, _REMOVE, _RESUME, _LOAD, _MESSAGE = 3, 4, 6, 9, 14


class Device:
    """A mapped device over its whole length by one target. `path` is its node."""

    def __init__(self, name, sectors, target, parameters):
        self.name, self.sectors = name, sectors
        self.control = os.open("/dev/mapper/control", os.O_RDWR | os.O_CLOEXEC)
        self._call(_CREATE)
        line = parameters.encode() + b"\0"
        size = 40 + (len(line) + 7) // 8 * 8
        self._call(_LOAD, struct.pack("<QQiI16s", 0, sectors, 0, size, target.encode()) + line, targets=1)
        number = self._call(_RESUME)
        self.path = f"/dev/dm-{os.minor(number)}"

    def message(self, text):
        self._call(_MESSAGE, struct.pack("<Q", 0) + text.encode() + b"\0")

    def remove(self):
        self._call(_REMOVE)
        os.close(self.control)

    def _call(self, command, data=b"", targets=0):
        """The device's number, as the kernel tells it."""
        size = max(_HEAD_BYTES + (len(data) + 7) // 8 * 8, 1024)
        head = struct.pack("<3I", 4, 0, 0) + struct.pack("<IIIiIII", size, _HEAD_BYTES, targets, 0, 0, 0, 0)
        head += struct.pack("<Q128s129s7x", 0, self.name.encode(), b"")
        buffer = bytearray(head.ljust(_HEAD_BYTES, b"\0") + data)
        buffer.extend(bytes(size - len(buffer)))
        fcntl.ioctl(self.control, 0xC138FD00 | command, buffer, True)
        return struct.unpack_from("<Q", buffer, 40)[0]
