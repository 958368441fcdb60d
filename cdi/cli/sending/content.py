"""What is sent of a file: its bytes as they are, or, of a raw disk, the extents that hold data."""

from __future__ import annotations

import bisect
import mmap
from array import array
from collections.abc import Iterator
from typing import Protocol

from cdi.base.units import MiB
from cdi.base.wire.extents.encoder import Encoder, plain_length
from cdi.base.wire.extents.frames import LONGEST, MEDIA_TYPE, START, Mark
from importer.cancel import Cancel
from importer.sinks.zeroes import nonzero_runs
from importer.sources import Facts
from importer.sources.file import FileSource

_EVERY = 64  # extents between two kept marks


class Content(Protocol):
    """``length``: bytes that are sent. ``media_type``: what they are. ``etag``: of the file; empty where nothing tells
    whether it is the same in another process."""

    length: int
    media_type: str
    etag: str

    def pieces(self, offset: int) -> Iterator[memoryview]:
        """The bytes from ``offset`` on, the same ones each time; a piece is valid until the next one is asked for.
        Blocking. Raises Fault FileUnreadable, SourceChanged, SourceTruncated, Cancelled."""


class WholeFile:
    media_type = "application/octet-stream"

    def __init__(self, source: FileSource, facts: Facts) -> None:
        assert facts.size is not None
        self.length = facts.size
        self.etag = facts.etag or ""
        self._source = source

    def pieces(self, offset: int) -> Iterator[memoryview]:
        buffer = memoryview(mmap.mmap(-1, MiB))
        while offset < self.length:
            count = self._source.read_at(buffer, offset, self.length)
            if count == 0:
                break  # it has become shorter
            offset += count
            yield buffer[:count]
        self._source.check_unchanged()


class SparseDisk:
    """A raw disk. It is read twice: first for what of it is zero, whether or not the file system knows that, so that
    how much will be sent is known before."""

    media_type = MEDIA_TYPE

    def __init__(self, source: FileSource, facts: Facts, cancel: Cancel) -> None:
        assert facts.size is not None
        self.size = facts.size
        self.etag = facts.etag or ""
        self._source = source
        self._starts, self._lengths = array("Q"), array("Q")
        regions = facts.extents() if facts.extents is not None else iter([(0, self.size)])
        for offset, length in _data(source, regions):
            cancel.check(offset)
            self._starts.append(offset)
            self._lengths.append(length)
        self.length = plain_length(len(self._starts), sum(self._lengths))
        self._marks: list[Mark] = [START]  # before every _EVERY-th extent that was sent once

    def pieces(self, offset: int) -> Iterator[memoryview]:
        # How far the chain of digests goes is known for what was sent before; the rest is read and not sent.
        known = bisect.bisect_right(self._marks, offset, key=lambda mark: mark.position) - 1
        encoder = Encoder(self.size, self._marks[known])
        position = encoder.mark.position
        for piece in self._frames(encoder, known * _EVERY):
            if position + len(piece) > offset:
                yield piece[max(0, offset - position) :]
            position += len(piece)

    def _frames(self, encoder: Encoder, index: int) -> Iterator[memoryview]:
        buffer = memoryview(mmap.mmap(-1, LONGEST))
        if index == 0:
            yield memoryview(encoder.head())
        for number in range(index, len(self._starts)):
            if number and number == len(self._marks) * _EVERY:
                self._marks.append(encoder.mark)
            start, length = self._starts[number], self._lengths[number]
            self._fill(buffer[:length], start)
            for part in encoder.extent(start, buffer[:length]):
                yield memoryview(part)
        self._source.check_unchanged()
        yield memoryview(encoder.end())

    def _fill(self, buffer: memoryview, start: int) -> None:
        done = 0
        while done < len(buffer):
            count = self._source.read_at(buffer[done:], start + done, self.size)
            if count == 0:
                self._source.check_unchanged()
            done += count


def _data(source: FileSource, regions: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(offset, length) of what is not zero, none longer than an extent may be."""
    buffer = memoryview(mmap.mmap(-1, LONGEST))
    for start, end in regions:
        at = start
        while at < end:
            count = source.read_at(buffer[: end - at], at, end)
            if count == 0:
                source.check_unchanged()
            for begin, length in nonzero_runs(buffer[:count], base=at):
                yield at + begin, length
            at += count
