"""A raw disk on a block device that may hold another tenant's data.

What makes a device look like a disk, the guest's first MiB, is held in memory and written last: a fault before leaves
zeros there. Everything in no write, and everything behind the image, ends as zeros.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB, format_quantity, round_down, round_up
from importer.sinks import kernel
from importer.sinks.direct import Channel
from importer.sinks.identity import device_identity
from importer.sinks.options import DEFAULT, SinkOptions
from importer.sinks.refusal import fault_of, refusals
from importer.sinks.zeroes import pieces

HEAD = MiB
# An unfinished device says which attempt it is of, where no disk has a signature; the finished head overwrites it.
_STAMP_AT, _STAMP_SIZE = HEAD - 4 * KiB, 4 * KiB
_STAMP = re.compile(rb"cdi-unfinished-([0-9a-f]{32})\n((?:[0-9a-f]{64}\n)*)")
# Digests of the newest records, behind the stamp: one that comes back is some behind, since it travels.
_VOUCHED = 32
_NOT_SUPPORTED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS)


class BlockSink:
    """See ``importer.sinks.Sink`` for the contract. The device is claimed (O_EXCL) until ``close``.

    ``blank``: the device is known to read as zeros where nothing was written. With ``options.preallocate`` zeros are
    written, so that a thin device reserves every block.
    """

    def __init__(self, path: Path, size: int, options: SinkOptions = DEFAULT) -> None:
        self.name = str(path)
        self.size = size
        self.fresh = not options.resume
        self.stamp = ""
        self._is_stamped = False
        self._vouched: list[str] = []
        self.blank = False
        self._preallocate = options.preallocate
        self._lock = threading.Lock()  # guards _head, size
        self._punches = True
        with refusals(self.name):
            self._fd, direct = _claim(path, options.direct and not options.unaligned)
        try:
            with refusals(self.name):
                self.capacity = kernel.device_size(self._fd)
                self.block = kernel.sector_size(self._fd)
            self.align = self.block if direct else 1
            self._channel = Channel(self._fd, self.name, self.align)
            self._head = memoryview(mmap.mmap(-1, HEAD))[: min(HEAD, self.capacity)]
            self._check_fits(size)
            if options.resume:
                self._take_stamp()
            else:
                self.start_anew()
        except BaseException:
            os.close(self._fd)
            raise

    def start_anew(self) -> None:
        """Take the life of whatever the device held: both ends durably, then all of it where that is cheap. What comes
        now has a stamp of its own."""
        self.fresh = True
        self._wipe_ends()
        self._head[:] = bytes(len(self._head))
        self.blank = not self._preallocate and self._punch(0, self.capacity)
        self._put_stamp(_new_stamp(), [])

    def go_on(self, reach: int = 0) -> None:
        self._check_fits(reach)
        self.size = max(self.size, reach)
        self._wipe_head()  # an earlier process may have died between writing it and saying so

    @property
    def in_doubt(self) -> bool:
        return self._channel.in_doubt

    def identity(self) -> str:
        """What tells this device from every other, and this attempt from what anybody else writes there: the finished
        disk, and whatever else a device is used for, overwrite the stamp."""
        with refusals(self.name):
            return f"{device_identity(self._fd, self.capacity)}:{self.stamp}"

    def vouch(self, record: str) -> None:
        self._put_stamp(self.stamp, [*self._vouched, _digest(record)][-_VOUCHED:])
        self._channel.sync()

    def vouches_for(self, record: str) -> bool:
        return _digest(record) in self._vouched

    def volatile_ranges(self) -> list[tuple[int, int]]:
        """(start, end) of what does not outlive this process before publication: the head held in memory."""
        return [(0, len(self._head))]

    def write(self, offset: int, data: memoryview) -> None:
        self._reach(offset, len(data))
        held = self._hold(offset, data)
        offset, data = offset + held, data[held:]
        if self._preallocate:
            self._channel.put(offset, data)
            return
        for start, length, zero in pieces(data, offset):
            if zero:
                self._erase(offset + start, length)
            else:
                self._channel.put(offset + start, data[start : start + length])

    def zero(self, offset: int, length: int) -> None:
        self._reach(offset, length)
        end = offset + length
        with self._lock:
            held = max(0, min(end, len(self._head)) - offset)
            self._head[offset : offset + held] = bytes(held)
        self._erase(offset + held, end - offset - held)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            head = bytes(self._head[offset : offset + length])
        return head + (self._channel.get(offset + len(head), length - len(head)) if len(head) < length else b"")

    def grow(self, size: int) -> None:
        """Make the disk at least ``size`` bytes long; the rest reads as zeros. Fault TargetTooSmall."""
        self._check_fits(size)
        old = round_up(self.size, self.align)
        self.size = max(self.size, size)
        if size > old:
            self.zero(old, size - old)

    def sync(self) -> None:
        self._channel.sync()

    def publish(self) -> None:
        behind = max(round_up(self.size, self.align), len(self._head))
        self._erase(behind, self.capacity - behind)
        self._channel.sync()
        if self._is_stamped or any(self._head):
            self._channel.put(0, self._head)
            self._channel.sync()

    def discard(self) -> None:
        self._is_stamped = False
        self._wipe_ends()
        middle = self.capacity - 2 * HEAD
        if middle > 0:
            try:
                for offset, length in _steps(HEAD, middle):
                    kernel.discard(self._fd, offset, length)
            except OSError:
                pass  # best effort: without its ends it is no disk, and the next import zeroes it all

    def close(self) -> None:
        if self._fd >= 0:
            self._channel.close()
            os.close(self._fd)
            self._fd = -1

    def _check_fits(self, size: int) -> None:
        if size > self.capacity:
            raise Fault(
                "TargetTooSmall",
                needed=size,
                available=self.capacity,
                overhead="",
                suggested=format_quantity(round_up(size, MiB)),
            )

    def _reach(self, offset: int, length: int) -> None:
        end = offset + length
        if end > self.size:
            self._check_fits(end)
            with self._lock:
                self.size = max(self.size, end)
        if offset % self.align or (length % self.align and end < self.size):
            raise ValueError(f"{length} bytes at {offset} are not aligned to {self.align}")

    def _hold(self, offset: int, data: memoryview) -> int:
        """Keep the part of ``data`` that belongs to the head; its length."""
        held = max(0, min(len(data), len(self._head) - offset))
        with self._lock:
            self._head[offset : offset + held] = data[:held]
        return held

    def _erase(self, offset: int, length: int) -> None:
        """Zeros by the cheapest way that guarantees them."""
        if self.blank or length <= 0:
            return
        # The last block of an image that ends inside it: the rest of it is zero anyway.
        end = round_up(offset + length, self.align)
        first, last = round_up(offset, self.block), round_down(end, self.block)
        if first >= last:
            self._channel.put_zeroes(offset, end - offset)
            return
        self._channel.put_zeroes(offset, first - offset)
        self._zero_sectors(first, last - first)
        self._channel.put_zeroes(last, end - last)

    def _zero_sectors(self, offset: int, length: int) -> None:
        if not self._preallocate and self._punch(offset, length):
            return
        for start, part in _steps(offset, length):
            try:
                kernel.zero_out(self._fd, start, part)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise fault_of(error, self.name, start) from error
                self._channel.put_zeroes(start, part)

    def _punch(self, offset: int, length: int) -> bool:
        """True when the range reads as zeros now: the kernel guarantees that or says EOPNOTSUPP (fallocate(2))."""
        for start, part in _steps(offset, length):
            if not self._punches:
                return False
            try:
                kernel.fallocate(self._fd, kernel.PUNCH_HOLE | kernel.KEEP_SIZE, start, part)
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise fault_of(error, self.name, start) from error
                self._punches = False
        return self._punches

    def _wipe_head(self) -> None:
        """Also the proof that the device takes writes, before anything is downloaded."""
        self._channel.put_zeroes(0, _STAMP_AT if self._is_stamped else len(self._head))
        self._channel.flush()

    def _take_stamp(self) -> None:
        """That of the attempt that this one may go on with."""
        found = _STAMP.match(self._channel.get(_STAMP_AT, _STAMP_SIZE)) if self.capacity >= HEAD else None
        self.stamp, self._is_stamped = (found[1].decode(), True) if found else (_new_stamp(), False)
        self._vouched = found[2].decode().splitlines()[-_VOUCHED:] if found else []

    def _put_stamp(self, stamp: str, vouched: list[str]) -> None:
        """Not durable before the first sync, as nothing is."""
        self.stamp, self._is_stamped, self._vouched = stamp, self.capacity >= HEAD, vouched
        if self._is_stamped:
            text = "\n".join((f"cdi-unfinished-{stamp}", *vouched, "")).encode()
            self._channel.put(_STAMP_AT, memoryview(text.ljust(_STAMP_SIZE, b"\0")))

    def _wipe_ends(self) -> None:
        """The stamp goes first, durably: it vouches for all that follows."""
        self._is_stamped = False
        self._wipe_head()
        tail = max(0, self.capacity - HEAD)
        self._channel.put_zeroes(tail, self.capacity - tail)
        self._channel.flush()


def _digest(record: str) -> str:
    return sha256(record.encode()).hexdigest()


def _new_stamp() -> str:
    return os.urandom(16).hex()


def _claim(path: Path, direct: bool) -> tuple[int, bool]:
    """(descriptor that holds the device exclusively, whether it is direct). Raises OSError."""
    flags = os.O_RDWR | os.O_EXCL | os.O_CLOEXEC
    if not stat.S_ISBLK(os.stat(path).st_mode):
        raise OSError(errno.ENOTBLK, os.strerror(errno.ENOTBLK))
    if _is_read_only(path):
        # Opened for writing it would say EPERM or EACCES, and send people to look at owners and modes.
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if direct:
        try:
            return os.open(path, flags | os.O_DIRECT), True
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
    return os.open(path, flags), False


def _is_read_only(device: Path) -> bool:
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return kernel.is_read_only(fd)
    finally:
        os.close(fd)


def _steps(offset: int, length: int) -> Iterator[tuple[int, int]]:
    for start in range(offset, offset + length, kernel.STEP):
        yield start, min(kernel.STEP, offset + length - start)
