"""A source as one stream of bytes, in order: from many ranges fetched ahead, from the one answer of a server without
ranges, or from what is given once."""

from __future__ import annotations

import mmap
import threading
import time
import zlib
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.cancel import Cancel
from importer.fetch.crew import Crew
from importer.fetch.governor import Governor, Limits
from importer.fetch.reader import RangeReader
from importer.fetch.retry import Patience, RetryPolicy
from importer.sources import Body, Source

CHUNK = MiB  # what each connection may have to fetch again after a kill
_LEAST_AHEAD = 3  # chunks: one being read, one ready, one on its way


class Stream(Protocol):
    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer``; 0 only at the end of the source. Blocking; one consumer."""
        ...

    def close(self) -> None:
        """Begin nothing more. Idempotent. Threads of ``OrderedStream.crew`` may still be fetching what they began."""
        ...


class OrderedStream:
    """Bytes [start, size) of a source with ranges, fetched ahead by 2 to 8 connections.

    Memory: (connections + 2) chunks of 1 MiB. Fewer are fetched ahead while the reader never has to wait (a decoder
    is slower than the network): what is ahead is lost in a kill. ``received`` gives the total so far, for the governor.
    """

    def __init__(self, reader: RangeReader, start: int, size: int, limits: Limits, received: Callable[[], int]) -> None:
        self._reader = reader
        self._start = start
        self._size = size
        self._limits = limits
        self._received = received
        self._governor = Governor(limits, time.monotonic())
        self.crew = Crew()
        self._changed = threading.Condition()
        # Guarded by _changed:
        self._ready: dict[int, memoryview] = {}
        self._spare: list[memoryview] = []
        self._ahead = _LEAST_AHEAD
        self._next_fetch = 0
        self._next_read = 0
        self._closed = False
        self._error: BaseException | None = None
        # Consumer only:
        self._current: memoryview | None = None
        self._used = 0

    def readinto(self, buffer: memoryview) -> int:
        chunk = self._current if self._current is not None else self._next_chunk()
        if chunk is None:
            return 0
        count = min(len(buffer), len(chunk) - self._used)
        buffer[:count] = chunk[self._used : self._used + count]
        self._used += count
        if self._used == len(chunk):
            self._give_back(chunk)
        return count

    def _next_chunk(self) -> memoryview | None:
        if self._start + self._next_read * CHUNK >= self._size:
            return None
        while True:
            self._grow()
            with self._changed:
                self._look_ahead()
                self._changed.wait_for(lambda: self._next_read in self._ready or self._error is not None, 0.25)
                if self._error is not None:
                    raise self._error
                if self._next_read in self._ready:
                    self._current, self._used = self._ready.pop(self._next_read), 0
                    return self._current

    def _look_ahead(self) -> None:
        """A step further when the reader is about to wait, a step back when more than one chunk is ready for it."""
        if self._next_read not in self._ready:
            self._ahead = min(self._ahead + 1, self._governor.connections + 2)
            self._changed.notify_all()
        elif len(self._ready) > 2:
            self._ahead = max(_LEAST_AHEAD, self._ahead - 1)

    def _give_back(self, chunk: memoryview) -> None:
        with self._changed:
            self._spare.append(memoryview(chunk.obj))  # the whole buffer again, not the used part
            self._next_read += 1
            self._changed.notify_all()
        self._current = None
        self._grow()

    def _grow(self) -> None:
        """Start connections up to what the governor says; those above it pause by themselves."""
        if self._closed or self._error or self._start + self._next_fetch * CHUNK >= self._size:
            return  # a thread started now would end at once
        self._governor.sample(self._received(), time.monotonic())
        for number in range(self.crew.size, self._governor.connections):
            self.crew.start(f"fetch-{number}", partial(self._fetch, number))

    def _fetch(self, number: int) -> None:
        try:
            while (claim := self._claim(number)) is not None:
                index, whole = claim
                offset = self._start + index * CHUNK
                view = whole[: min(CHUNK, self._size - offset)]
                for _ in self._reader.units(offset, len(view), view):
                    pass
                with self._changed:
                    self._ready[index] = view
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  the boundary of the thread: raised by the consumer
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()

    def _claim(self, number: int) -> tuple[int, memoryview] | None:
        with self._changed:
            while not self._closed and self._error is None:
                if self._start + self._next_fetch * CHUNK >= self._size:
                    return None
                if number < self._governor.connections and self._next_fetch < self._next_read + self._ahead:
                    index, self._next_fetch = self._next_fetch, self._next_fetch + 1
                    return index, self._spare.pop() if self._spare else memoryview(mmap.mmap(-1, CHUNK))
                self._changed.wait(0.25)
            return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class SingleStream:
    """The one answer of a server without ranges.

    After a break the answer is asked for again and the bytes already given are read and dropped: a CRC-32 over them
    shows whether the source is still the same (there may be no validators at all).
    """

    def __init__(self, source: Source, policy: RetryPolicy, cancel: Cancel, fetched: Callable[[int], None]) -> None:
        self._source = source
        self._patience = Patience(policy, cancel.sleep)
        self._cancel = cancel
        self._fetched = fetched
        self._body: Body | None = None
        self._given = 0
        self._crc = 0
        self._ended = False

    def readinto(self, buffer: memoryview) -> int:
        while not self._ended:
            self._cancel.check(self._given)
            try:
                if self._body is None:
                    self._body = self._reopen()
                count = self._body.readinto(buffer)
            except Fault as fault:
                self.close()
                self._cancel.check(self._given)
                if self._given == 0:
                    raise  # before the first byte another pod or person decides
                self._patience.wait_or_raise(fault)
                continue
            if count == 0:
                self._ended = True
                break
            self._crc = zlib.crc32(buffer[:count], self._crc)
            self._given += count
            self._fetched(count)
            self._patience.progressed()
            return count
        return 0

    def _reopen(self) -> Body:
        body = self._source.open(0, None)
        crc, left = 0, self._given
        scratch = memoryview(bytearray(min(left, CHUNK)))
        while left:
            self._cancel.check(self._given)
            count = body.readinto(scratch[: min(left, len(scratch))])
            if count == 0:
                break
            crc = zlib.crc32(scratch[:count], crc)
            left -= count
        if left or crc != self._crc:
            body.close()
            name, given = self._source.name, self._given
            raise Fault("SourceChanged", source=name, before=f"the first {given} bytes", after="other bytes")
        return body

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


class OnceStream:
    """What a source gives once: where it breaks off, the import ends."""

    def __init__(self, source: Source, cancel: Cancel, fetched: Callable[[int], None]) -> None:
        self._body = source.open(0, None)
        self._cancel = cancel
        self._fetched = fetched
        self._given = 0

    def readinto(self, buffer: memoryview) -> int:
        self._cancel.check(self._given)
        try:
            count = self._body.readinto(buffer)
        except Fault:
            self._cancel.check(self._given)  # an interrupted read looks like a lost connection
            raise
        self._given += count
        self._fetched(count)
        return count

    def close(self) -> None:
        self._body.close()


def fill(readinto: Callable[[memoryview], int], buffer: memoryview) -> int:
    """Call ``readinto`` until ``buffer`` is full or the stream ends; how much was filled."""
    filled = 0
    while filled < len(buffer) and (count := readinto(buffer[filled:])):
        filled += count
    return filled
