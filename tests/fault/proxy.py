"""A proxy on loopback between forwarder and register that treats each connection as it is told: whole, or cut, held up,
slowed, damaged at a given byte. It sees TLS only, as the network does."""

import socket
import struct
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What happens to one connection. Positions count bytes from its beginning, `up` towards the register; those of `down`
    from the moment at which `after_up` bytes have gone up, so that 0 is the beginning of the answer to what was sent."""
    name: str = "whole"
    refuse: bool = False         # closed as soon as it is open
    silent: bool = False         # taken, and never served
    cut_up: int = -1             # both ends closed after so many bytes
    cut_down: int = -1
    reset: bool = False          # cut by RST, not by FIN
    hold_up: int = -1            # nothing more goes on after so many bytes; the connection stays
    hold_down: int = -1
    damage_up: int = -1          # this byte is changed
    damage_down: int = -1
    after_up: int = 0
    piece: int = 1 << 16         # most bytes at once
    pause: float = 0.0           # seconds after each piece
    delay: float = 0.0           # seconds before the first byte of each direction

    def limit(self, direction):
        return getattr(self, "cut_" + direction), getattr(self, "hold_" + direction), getattr(self, "damage_" + direction)


WHOLE = Plan()


class Proxy:
    """`plan(n)`: the Plan of the n-th connection, from 1. `served`: the plans so far, in order."""

    def __init__(self, target_port, plan):
        self.target_port, self.plan, self.served = target_port, plan, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.closing = threading.Event()
        self.sockets = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing.set()
        self.listener.close()
        with self.lock:
            for sock in self.sockets:
                _shut(sock)

    def _accept(self):
        while not self.closing.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            plan = self.plan(len(self.served) + 1)
            self.served.append(plan)
            threading.Thread(target=self._serve, args=(client, plan), daemon=True).start()

    def _serve(self, client, plan):
        with self.lock:
            self.sockets.add(client)
        register = None
        try:
            if plan.refuse:
                return
            if plan.silent:
                self.closing.wait(10)
                return
            register = socket.create_connection(("127.0.0.1", self.target_port), 5)
            register.settimeout(None)
            with self.lock:
                self.sockets.add(register)
            sent = [0]
            down = threading.Thread(target=self._carry, args=(register, client, plan, "down", sent), daemon=True)
            down.start()
            self._carry(client, register, plan, "up", sent)
            down.join()
        except OSError:
            pass  # the register is away: so is this connection
        finally:
            for sock in (client, register):
                if sock:
                    with self.lock:
                        self.sockets.discard(sock)
                    sock.close()

    def _carry(self, source, target, plan, direction, sent):
        cut, hold, damage = plan.limit(direction)
        done = 0
        if plan.delay:
            self.closing.wait(plan.delay)
        try:
            while data := source.recv(min(plan.piece, 1 << 16)):
                if direction == "up":
                    sent[0] += len(data)
                elif sent[0] < plan.after_up:
                    target.sendall(data)
                    continue
                if 0 <= damage - done < len(data):
                    data = data[:damage - done] + bytes([data[damage - done] ^ 1]) + data[damage - done + 1:]
                if 0 <= hold <= done + len(data):
                    target.sendall(data[:max(hold - done, 0)])
                    self.closing.wait(10)
                    break
                if 0 <= cut <= done + len(data):
                    target.sendall(data[:max(cut - done, 0)])
                    self._cut(source, target, plan.reset)
                    return
                target.sendall(data)
                done += len(data)
                if plan.pause:
                    time.sleep(plan.pause)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            self._cut(source, target, False)

    @staticmethod
    def _cut(source, target, reset):
        for sock in (source, target):
            if reset:
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                except OSError:
                    pass
            _shut(sock)


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
