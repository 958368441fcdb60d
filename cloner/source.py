"""The disk that is cloned, read-only: what of it is data, and which version of it this is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.units import MiB, round_down, round_up
from importer.fetch.rangeset import RangeSet
from importer.sinks.zeroes import GRANULARITY
from importer.sources import SourceSpec
from importer.sources.file import FileSource

PIECE = MiB  # bytes that are read, and sent, at once


def open_disk(path: Path, *, claim: bool) -> FileSource:
    """A file or device. ``claim``: the file lies in a volume of which nothing is believed. Raises Fault."""
    return FileSource(SourceSpec(str(path)), claim=claim)


class SourceDisk:
    """``size``: bytes. ``version``: another one for other bytes. Of a device nothing tells whether it was written to
    since: what another process has sent of it does not count."""

    def __init__(self, file: FileSource, whose: str) -> None:
        facts = file.probe()
        if facts.size is None:
            raise Fault("FileUnreadable", source=file.name, cause="it has no size")
        self.name, self.size, self._file, self._facts = file.name, facts.size, file, facts
        said = f"{whose} {self.size} {facts.etag or os.urandom(16).hex()}"
        self.version = hashlib.sha256(said.encode()).hexdigest()

    def pieces(self, kept: RangeSet) -> Iterator[tuple[int, int]]:
        """(start, end) of what may be data and is not ``kept``, in order, at most PIECE at a time, within the disk on
        the grid of 64 KiB. Raises FileUnreadable, SourceChanged."""
        reached = 0
        for start, end in self._facts.extents() if self._facts.extents else iter([(0, self.size)]):
            low, high = max(reached, round_down(start, GRANULARITY)), min(self.size, round_up(end, GRANULARITY))
            for first, last in kept.missing(low, high):
                for at in range(first, last, PIECE):
                    yield at, min(at + PIECE, last)
            reached = max(reached, high)

    def read(self, start: int, buffer: memoryview) -> None:
        """Fill ``buffer``. From any thread. Raises Fault."""
        filled = 0
        while filled < len(buffer):
            filled += self._file.read_at(buffer[filled:], start + filled, start + len(buffer))

    def check_unchanged(self) -> None:
        """Raises SourceChanged."""
        self._file.check_unchanged()
