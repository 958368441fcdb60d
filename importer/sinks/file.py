"""A raw disk in a file: ``<path>.part`` until it is whole, then ``<path>``."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.units import round_up
from importer.sinks import kernel
from importer.sinks.direct import Channel
from importer.sinks.identity import file_identity
from importer.sinks.options import DEFAULT, SinkOptions
from importer.sinks.part import MODE, Part
from importer.sinks.refusal import fault_of, refusals
from importer.sinks.zeroes import ZEROES, pieces

_PAGE = 4096
_NO_FALLOCATE = (errno.EOPNOTSUPP, errno.ENOSYS)


def free_bytes(directory: Path) -> int:
    """Bytes that an unprivileged process may still write in ``directory``."""
    with refusals(str(directory)):
        facts = os.statvfs(directory)
    return facts.f_bavail * facts.f_frsize


class FileSink:
    """Sparse, direct, locked against a second importer. See ``importer.sinks.Sink`` for the contract.

    ``start_anew`` and ``go_on`` prove with real writes that the target takes them, before anything is downloaded.
    """

    stamp = ""  # the journal is beside the target

    def __init__(self, path: Path, size: int, options: SinkOptions = DEFAULT) -> None:
        self.name = str(path)
        self.size = size
        self._preallocate = options.preallocate
        self._growing = threading.Lock()
        self._part = Part(path, options)
        self._fd = self._part.fd
        self.fresh = self._part.fresh
        self._is_nothing = self.fresh  # nor will it be anything, while no attempt has begun
        self._channel = Channel(self._fd, self.name, 1)
        try:
            with refusals(self.name):
                _take_mode(self._fd)
                self.block = kernel.logical_block(self._fd)
                self.align = 1 if options.unaligned or not options.direct else _direct_alignment(self._fd)
            self._channel = Channel(self._fd, self.name, self.align)
            if not options.resume:
                self.start_anew()
        except BaseException:
            self.close()
            raise

    @property
    def in_doubt(self) -> bool:
        return self._channel.in_doubt

    def start_anew(self) -> None:
        """Forget whatever the part file held."""
        self.fresh = self._is_nothing = True
        with refusals(self.name):
            os.ftruncate(self._fd, 0)
        self._prove_end()
        self._channel.put_zeroes(0, _PAGE)
        self._channel.sync()
        with refusals(self.name):
            os.ftruncate(self._fd, 0)
            os.ftruncate(self._fd, self.size)
        self._reserve()
        self._is_nothing = False

    def go_on(self, reach: int = 0) -> None:
        """A part that has all its space needs no more, even on a volume that it fills."""
        self.size = max(self.size, reach)
        if not self._has_all_its_space():
            self._prove_end()

    @property
    def descriptor(self) -> int:
        """For whoever copies inside the kernel, instead of ``write``, into a sink that was started anew."""
        return self._fd

    def identity(self) -> str:
        """What tells this part file from every other, for the journal."""
        with refusals(self.name):
            return file_identity(self._fd)

    def vouch(self, record: str) -> None:
        """There is no stamp, and nobody has records of it."""

    def vouches_for(self, record: str) -> bool:
        return False

    def volatile_ranges(self) -> list[tuple[int, int]]:
        """(start, end) of what does not outlive this process before publication: nothing."""
        return []

    def write(self, offset: int, data: memoryview) -> None:
        self._reach(offset, len(data))
        if self._preallocate:
            self._channel.put(offset, data)
            return
        for start, length, zero in pieces(data, offset):
            if not zero:
                self._channel.put(offset + start, data[start : start + length])
            elif not self.fresh:
                self._erase(offset + start, length)

    def zero(self, offset: int, length: int) -> None:
        if length and not (self.fresh and not self._preallocate):
            self._reach(offset, length)
            self._erase(offset, length)

    def read(self, offset: int, length: int) -> bytes:
        return self._channel.get(offset, length)

    def grow(self, size: int) -> None:
        """Make the disk at least ``size`` bytes long; the rest reads as zeros."""
        with self._growing:
            if size > self.size:
                self._cut_to_size()  # the padding behind an unaligned end
                self.size = size
                self._cut_to_size()
        self._reserve()

    def sync(self) -> None:
        self._channel.sync()

    def publish(self) -> None:
        self._cut_to_size()
        self._reserve()
        with refusals(self.name, self.size):
            os.fsync(self._fd)
        self._part.publish()

    def discard(self) -> None:
        """After publication nothing is partial, and nothing is removed."""
        self._part.remove()

    def close(self) -> None:
        if self._fd >= 0:
            if self._is_nothing:
                with suppress(Fault):
                    self._part.remove()
            self._channel.close()
            self._part.close()
            self._fd = -1

    def _reach(self, offset: int, length: int) -> None:
        """Check alignment, and take note of a disk that is longer than was known."""
        end = offset + length
        with self._growing:
            if offset % self.align or (length % self.align and end < self.size):
                raise ValueError(f"{length} bytes at {offset} are not aligned to {self.align}")
            self.size = max(self.size, end)

    def _erase(self, offset: int, length: int) -> None:
        """Zeros over what may be old content. Preallocated space stays allocated."""
        mode = kernel.ZERO_RANGE if self._preallocate else kernel.PUNCH_HOLE
        try:
            kernel.fallocate(self._fd, mode | kernel.KEEP_SIZE, offset, length)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise fault_of(error, self.name, offset) from error
            self._channel.put_zeroes(offset, length)

    def _reserve(self) -> None:
        # xfs answers ENOSPC on a full volume even when every block of the range is there (Linux 6.18): do not ask then.
        if not self._preallocate or self._has_all_its_space():
            return
        try:
            kernel.fallocate(self._fd, 0, 0, self.size)
        except OSError as error:
            # Without fallocate every byte is written anyway: write() skips nothing, and zero() writes zeros.
            if error.errno not in _NO_FALLOCATE:
                raise fault_of(error, self.name, self.size) from error

    def _cut_to_size(self) -> None:
        with refusals(self.name, self.size):
            os.ftruncate(self._fd, self.size)

    def _has_all_its_space(self) -> bool:
        with refusals(self.name):
            return os.fstat(self._fd).st_blocks * 512 >= self.size

    def _prove_end(self) -> None:
        """One block just past the end, written and taken away again: nothing that was kept is touched."""
        end = round_up(self.size, _PAGE)
        self._channel.put_zeroes(end, _PAGE)
        self._channel.sync()
        self._cut_to_size()


def _take_mode(fd: int) -> None:
    """0660 whatever the umask; a file of another owner may have it already."""
    if stat.S_IMODE(os.fstat(fd).st_mode) != MODE:
        os.fchmod(fd, MODE)


def _direct_alignment(fd: int) -> int:
    """Turn O_DIRECT on and prove it with a write past the end; 1 where the file system refuses (tmpfs, some NFS)."""
    align = max(_PAGE, kernel.birth(fd).direct_align)
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    size = os.fstat(fd).st_size
    try:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_DIRECT)
        os.pwrite(fd, ZEROES[:align], round_up(size, align))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return align  # O_DIRECT itself was taken; whether there is room is found out later
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        return 1
    finally:
        os.ftruncate(fd, size)
    return align
