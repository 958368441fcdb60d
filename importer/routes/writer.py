"""A writer thread: the consumer of a stream fills one buffer while another is on its way to the disk."""

from __future__ import annotations

import mmap
import queue
from collections.abc import Callable
from typing import NamedTuple

from importer.fetch.crew import Crew

Boundary = tuple[int, int] | None


class Filled(NamedTuple):
    offset: int
    buffer: memoryview
    length: int
    boundary: Boundary  # a resumable place at or before the end of this buffer


class Writer:
    """``count`` page-aligned buffers of ``size`` bytes go round between one filler and one writing thread.

    ``write(filled)`` runs in the thread, in order. The first error is raised by ``take``, ``submit`` or ``close``.
    """

    def __init__(self, write: Callable[[Filled], None], size: int, count: int = 4) -> None:
        self._write = write
        self._spare: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        for _ in range(count):
            self._spare.put(memoryview(mmap.mmap(-1, size)))
        self._filled: queue.SimpleQueue[Filled | None] = queue.SimpleQueue()
        self._abandoned = False
        self._crew = Crew()
        self._crew.start("writer", self._run)

    def _run(self) -> None:
        try:
            while (filled := self._filled.get()) is not None and not self._abandoned:
                self._write(filled)
                self._spare.put(filled.buffer)
        finally:
            self._spare.put(None)  # wakes a filler that waits for a buffer when writing failed

    def take(self) -> memoryview:
        """An empty buffer; blocks until one is free."""
        buffer = self._spare.get()
        if buffer is None:
            self._spare.put(None)
            self._crew.join()
            raise RuntimeError("the writer has ended")
        return buffer

    def submit(self, filled: Filled) -> None:
        self._filled.put(filled)

    def close(self) -> None:
        """Write everything submitted, end the thread, raise its error if it had one."""
        self._filled.put(None)
        self._crew.join()

    def abandon(self) -> None:
        """End the thread after what it is writing now, without raising: the filler already has an error of its own.

        Blocking, for as long as the storage takes: what it takes later would go into the next attempt.
        """
        self._abandoned = True
        self._filled.put(None)
        self._crew.end()
