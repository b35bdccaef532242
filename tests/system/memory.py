"""Reading the memory of a running process, and stopping one at its end, when all it did is done and its memory is still
there. For root."""

import ctypes
import os
import re
import signal
import struct

PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_CONT, _DETACH, _SEIZE = 7, 17, 0x4206
_TRACE_EXIT, _EVENT_EXIT, _WALL = 0x40, 6, 0x40000000


def _runs(pagemap, begin, end):
    """(from, to) of the pages that are there: a stack's room that was never touched holds nothing."""
    flags = os.pread(pagemap.fileno(), (end - begin) // PAGE * 8, begin // PAGE * 8)
    start = None
    for i, (entry,) in enumerate(struct.iter_unpack("<Q", flags)):
        there = entry >> 62 != 0  # present, or swapped out
        if there and start is None:
            start = begin + i * PAGE
        elif not there and start is not None:
            yield start, begin + i * PAGE
            start = None
    if start is not None:
        yield start, end


def regions(pid):
    """(name, bytes) of all that the process can write to, and so can have left something in."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem, \
            open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+\s*(.*)", line)
            if match:
                for begin, end in _runs(pagemap, int(match[1], 16), int(match[2], 16)):
                    yield match[3] or "anonymous", os.pread(mem.fileno(), end - begin, begin)


def search(pid, canaries):
    """{name of a canary: where} of those that are somewhere in the process's memory. `canaries`: {name: [bytes, …]}."""
    found = {}
    for place, content in regions(pid):
        for name, forms in canaries.items():
            at = next((content.find(form) for form in forms if form in content), -1)
            if at >= 0:
                found.setdefault(name, f"{place}+{at:#x}: {content[max(at - 24, 0):at + 40]!r}")
    return found


def pieces(secret, size=16):
    """A secret's parts: an allocator that overwrites the first bytes of what was freed hides nothing."""
    return [secret[i:i + size] for i in range(0, len(secret) - size + 1, size)]


def forms_of_integer(value):
    """As bytes in both orders: as in DER, and as in a big number of machine words."""
    size = (value.bit_length() + 7) // 8
    return [*pieces(value.to_bytes(size, "big")), *pieces(value.to_bytes(size, "little"))]


class AtItsEnd:
    """with AtItsEnd(popen): the process has been told to stop and has done all it does; it waits to be let go."""

    def __init__(self, popen, signal_number=signal.SIGTERM):
        self.popen, self.signal = popen, signal_number

    def _ptrace(self, request, data):
        if _libc.ptrace(request, self.popen.pid, None, data) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace {request}")

    def __enter__(self):
        self._ptrace(_SEIZE, _TRACE_EXIT)
        self.popen.send_signal(self.signal)
        while True:
            _, status = os.waitpid(self.popen.pid, _WALL)
            if not os.WIFSTOPPED(status):
                raise AssertionError("the process ended before it could be looked at")
            if status >> 16 == _EVENT_EXIT:
                return self
            self._ptrace(_CONT, os.WSTOPSIG(status))

    def __exit__(self, *_):
        self._ptrace(_DETACH, 0)
        self.popen.wait()
