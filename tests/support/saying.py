"""A client of the upload server without a network: what it says is there at once, in pieces, and then it has closed."""

from __future__ import annotations

from uploadproxy.server.channel import Channel


class Saying(Channel):
    def __init__(self, data: bytes, step: int = 1 << 20, name: str = "") -> None:
        """``step``: bytes at most of one receive. ``name``: in its certificate."""
        self.until_s = 0.0
        self.can_go = True
        self.heard = b""
        self._data = memoryview(data)
        self._step = step
        self._name = name

    def shake_hands(self) -> None:
        """Nobody is there to do it with."""

    @property
    def client_name(self) -> str:
        return self._name

    def recv_into(self, buffer: memoryview | bytearray, nbytes: int = 0, flags: int = 0) -> int:
        part = self._data[: min(len(buffer), self._step)]
        memoryview(buffer)[: len(part)] = part
        self._data = self._data[len(part) :]
        return len(part)

    def fill(self, buffer: memoryview) -> int:
        return self.recv_into(buffer)

    def send(self, data: bytes) -> None:
        self.heard += data
