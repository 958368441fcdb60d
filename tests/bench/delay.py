"""A TCP proxy that makes the way long: 15 ms in each direction, at most 3 MiB under way per connection.

``python delay.py UPSTREAM_PORT`` prints its own port and serves until it is ended. One stream through it reaches
3 MiB / 30 ms = 105 MB/s. It has no loss and no slow start. A process of its own, so that its work is not counted.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import deque

DELAY_S = 0.015
WINDOW = 3 * 1024 * 1024
_CHUNK = 256 * 1024


class OneWay:
    """Bytes from one socket to another, ``DELAY_S`` late. A byte leaves the window when its acknowledgement would be
    back at the sender. The condition guards everything."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source, self._target = source, target
        self._changed = threading.Condition()
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._acknowledged: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._broken = False
        for job in (self._receive, self._send):
            threading.Thread(target=job, daemon=True).start()

    def _receive(self) -> None:
        while self._room():
            try:
                data = self._source.recv(_CHUNK)
            except OSError:
                data = b""
            with self._changed:
                self._in_window += len(data)
                self._under_way.append((time.monotonic() + DELAY_S, data))
                self._changed.notify_all()
            if not data:
                return

    def _room(self) -> bool:
        """Wait for room in the window; False when the other side is gone."""
        with self._changed:
            while self._in_window + _CHUNK > WINDOW and not self._broken:
                now = time.monotonic()
                if self._acknowledged and self._acknowledged[0][0] <= now:
                    self._in_window -= self._acknowledged.popleft()[1]
                else:
                    self._changed.wait(self._acknowledged[0][0] - now if self._acknowledged else None)
            return not self._broken

    def _send(self) -> None:
        data = b"."
        while data:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._under_way))
                due, data = self._under_way.popleft()
            time.sleep(max(0.0, due - time.monotonic()))
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        try:
            if data:
                self._target.sendall(data)
            else:
                self._target.shutdown(socket.SHUT_WR)
        except OSError:
            self._broken = True
        with self._changed:
            self._acknowledged.append((time.monotonic() + DELAY_S, len(data)))
            self._changed.notify_all()


def _carry(client: socket.socket, upstream_port: int) -> None:
    time.sleep(2 * DELAY_S)  # the handshake
    server = socket.create_connection(("127.0.0.1", upstream_port))
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    OneWay(client, server)
    OneWay(server, client)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_carry, args=(client, int(sys.argv[1])), daemon=True).start()


if __name__ == "__main__":
    main()
