"""Reading and writing past the page cache, or through it without filling it.

A ``Channel`` is direct (O_DIRECT) or buffered for its whole life: mixing both on the same pages may lose bytes
(open(2), NOTES on O_DIRECT).
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.base.units import KiB, MiB, round_down, round_up
from importer.sinks import kernel
from importer.sinks.refusal import fault_of
from importer.sinks.zeroes import ZEROES, address_of

_BOUNCE = MiB
_BEHIND = 32  # writes whose pages may still be in the cache: 330 MiB peak without a limit, and 128 MiB survives
_SMALL = 64 * KiB
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ESPIPE, errno.EOPNOTSUPP)


class Channel:
    """``put`` and ``get`` on ``fd``, from several threads on disjoint ranges. ``align`` 1: buffered; else O_DIRECT."""

    def __init__(self, fd: int, name: str, align: int) -> None:
        self.fd = fd
        self.align = align
        self.in_doubt = False  # see ``importer.sinks.Sink``
        self._name = name
        self._local = threading.local()
        self._wake = _Wake(fd) if align == 1 else None

    def close(self) -> None:
        """The descriptor, its owner's, is closed: whoever writes now is refused, and meets no other file that has its
        number."""
        self.fd = -1
        self._wake = None

    def put(self, offset: int, data: memoryview) -> None:
        """Write all of ``data``; when direct, an unaligned end is padded with zeros to a whole block."""
        whole = round_down(len(data), self.align)
        try:
            if whole and address_of(data) % self.align == 0:
                self._write(offset, data[:whole])
            elif whole:
                self._bounce(offset, data[:whole])
            if whole < len(data):
                self._bounce(offset + whole, data[whole:])
        except OSError as error:
            raise fault_of(error, self._name, offset) from error
        if self._wake is not None:
            with self._about_earlier_writes(offset):
                self._wake.wrote(offset, len(data))

    def put_zeroes(self, offset: int, length: int) -> None:
        for start in range(0, length, len(ZEROES)):
            self.put(offset + start, ZEROES[: min(len(ZEROES), length - start)])

    def get(self, offset: int, length: int) -> bytes:
        """The bytes of [offset, offset+length); what lies past the end of the file reads as zeros."""
        result = bytearray()
        start, end = round_down(offset, self.align), round_up(offset + length, self.align)
        buffer = self._buffer()
        try:
            while start < end:
                count = os.preadv(self.fd, [buffer[: min(end - start, _BOUNCE)]], start)
                if count == 0:
                    break
                result += buffer[:count]
                start += count
                if count % self.align:
                    break  # the end of the file
        except OSError as error:
            raise fault_of(error, self._name, offset) from error
        skipped = offset - round_down(offset, self.align)
        return bytes(result[skipped : skipped + length]).ljust(length, b"\0")

    def sync(self) -> None:
        """All that was written is durable; Fault where another thread was told that something was not."""
        self.flush()
        if self.in_doubt:  # the kernel says it once: to a write-back, and then this sync succeeds
            raise fault_of(OSError(errno.EIO, os.strerror(errno.EIO)), self._name, 0)

    def flush(self) -> None:
        """As far as it goes: for what is wiped, whatever became of what was there."""
        with self._about_earlier_writes():
            os.fdatasync(self.fd)

    @contextmanager
    def _about_earlier_writes(self, offset: int = 0) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.in_doubt = True
            raise fault_of(error, self._name, offset) from error

    def _write(self, offset: int, data: memoryview) -> None:
        while data:
            count = os.pwrite(self.fd, data, offset)
            if count % self.align and count < len(data):
                # A short direct write ends at a sector: its rest has no aligned address. Same bytes again.
                count = round_down(count, self.align)
            if count == 0:  # less than a block was taken: a short write means that there is no room for more
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[count:]
            offset += count

    def _bounce(self, offset: int, data: memoryview) -> None:
        buffer = self._buffer()
        for start in range(0, len(data), _BOUNCE):
            part = data[start : start + _BOUNCE]
            buffer[: len(part)] = part
            padded = round_up(len(part), self.align)
            buffer[len(part) : padded] = bytes(padded - len(part))
            self._write(offset + start, buffer[:padded])

    def _buffer(self) -> memoryview:
        """This thread's page-aligned buffer."""
        buffer: memoryview | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = memoryview(mmap.mmap(-1, _BOUNCE))
        return buffer


class _Wake:
    """Keeps the page cache behind a buffered writer small: start write-back at once, drop the pages a little later."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._behind: deque[tuple[int, int]] = deque()
        self._run = (0, 0)  # the last write; neighbouring small ones joined

    def wrote(self, offset: int, length: int) -> None:
        with self._lock:
            start, end = self._run
            if offset == end and end - start < _SMALL:
                self._run = (start, offset + length)
                return
            closed, self._run = self._run, (offset, offset + length)
            if closed[0] < closed[1]:
                self._behind.append(closed)
            old = [self._behind.popleft() for _ in range(max(0, len(self._behind) - _BEHIND))]
        self._range(*closed, kernel.START_WRITEBACK)
        for start, end in old:
            self._range(start, end, kernel.WAIT_FOR_WRITEBACK)
            os.posix_fadvise(self._fd, start, end - start, os.POSIX_FADV_DONTNEED)

    def _range(self, start: int, end: int, flags: int) -> None:
        if start == end:  # both calls take length 0 as "to the end of the file"
            return
        try:
            kernel.sync_file_range(self._fd, start, end - start, flags)
        except OSError as error:
            # Waiting takes the write-back error away from the final fsync: it must be raised here.
            if error.errno not in _NOT_SUPPORTED:
                raise
