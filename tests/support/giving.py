"""Somebody who gives bytes once, as an upload server does: in pieces, with faults on demand, watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from importer.sources.given import GivenSource


@dataclass
class Giver:
    """Gives ``data``, at most ``step()`` bytes at once. ``error`` is raised at byte ``breaks_at``; with ``hangs`` it
    waits there, until it is interrupted."""

    data: bytes
    step: Callable[[], int] = lambda: 16 * 1024
    length: int | None = None
    breaks_at: int | None = None
    error: Exception = field(default_factory=lambda: ConnectionResetError(104, "Connection reset by peer"))
    hangs: bool = False
    given: int = 0
    errors: int = 0  # times that ``error`` was raised
    ends: int = 0  # times that 0 was given
    interrupts: int = 0
    waiting: threading.Event = field(default_factory=threading.Event)
    _interrupted: threading.Event = field(default_factory=threading.Event)

    def source(self, name: str = "the upload") -> GivenSource:
        return GivenSource(self.readinto, self.interrupt, name, self.length)

    def readinto(self, buffer: memoryview) -> int:
        stop = min(len(self.data), self.given + min(len(buffer), self.step()))
        if self.breaks_at is not None:
            stop = min(stop, self.breaks_at)
            if self.given >= self.breaks_at:
                self._break()
        part = self.data[self.given : stop]
        buffer[: len(part)] = part
        self.given += len(part)
        self.ends += not part
        return len(part)

    def _break(self) -> None:
        if self.hangs:
            self.waiting.set()
            self._interrupted.wait()
        self.errors += 1
        raise self.error

    def interrupt(self) -> None:
        self.interrupts += 1
        self._interrupted.set()
