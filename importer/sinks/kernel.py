"""System calls for storage that the standard library lacks. Each raises OSError; those taking long release the GIL."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

from cdi.base.units import MiB

_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = _libc.fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_sync_file_range = _libc.sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_renameat2 = _libc.renameat2
_renameat2.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_statx = _libc.statx
_statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)

# linux/falloc.h
KEEP_SIZE = 0x01
PUNCH_HOLE = 0x02
ZERO_RANGE = 0x10
# linux/fs.h
_BLKROGET = 0x125E
_BLKGETSIZE64 = 0x80081272
_BLKSSZGET = 0x1268
_BLKDISCARD = 0x1277
_BLKZEROOUT = 0x127F
_RENAME_NOREPLACE = 1
# linux/fcntl.h
_AT_FDCWD = -100
# linux/stat.h
_AT_EMPTY_PATH = 0x1000
_STATX_BTIME = 0x800
_STATX_DIOALIGN = 0x2000
# linux/fs.h: SYNC_FILE_RANGE_*
START_WRITEBACK = 2
WAIT_FOR_WRITEBACK = 1 | 2 | 4

_SECTOR = 512
STEP = 128 * MiB  # one call on a device: short enough to be interrupted, long enough to cost nothing


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """The system call itself: glibc's posix_fallocate would emulate it by writing where it is not supported."""
    while True:
        try:
            return _check(_fallocate(fd, mode, offset, length))
        except InterruptedError:
            continue


def sync_file_range(fd: int, offset: int, length: int, flags: int) -> None:
    _check(_sync_file_range(fd, offset, length, flags))


def rename_to_new(path: Path, new: Path) -> None:
    """Raises FileExistsError when there is a ``new``, EINVAL where the file system cannot tell in time."""
    _check(_renameat2(_AT_FDCWD, os.fsencode(path), _AT_FDCWD, os.fsencode(new), _RENAME_NOREPLACE))


class Birth(NamedTuple):
    """``born_ns``: when the inode was made, 0 where the file system does not say; ``direct_align``: same."""

    born_ns: int
    direct_align: int


def birth(fd: int) -> Birth:
    """statx(2) of an open file. The file system's answer, or zeros."""
    data = bytearray(256)
    buffer = (ctypes.c_char * len(data)).from_buffer(data)
    _check(_statx(fd, b"", _AT_EMPTY_PATH, _STATX_BTIME | _STATX_DIOALIGN, ctypes.addressof(buffer)))
    mask = struct.unpack_from("=I", data, 0)[0]
    seconds, nanoseconds = struct.unpack_from("=qI", data, 80)
    align = struct.unpack_from("=I", data, 156)[0]
    return Birth(
        seconds * 10**9 + nanoseconds if mask & _STATX_BTIME else 0,
        align if mask & _STATX_DIOALIGN else 0,
    )


def device_size(fd: int) -> int:
    return int(struct.unpack("=Q", fcntl.ioctl(fd, _BLKGETSIZE64, bytes(8)))[0])


def is_read_only(fd: int) -> bool:
    """Whether the device itself takes no writes, whoever asks."""
    return bool(struct.unpack("=i", fcntl.ioctl(fd, _BLKROGET, bytes(4)))[0])


def sector_size(fd: int) -> int:
    """Bytes of a logical block: the smallest write a device takes, 512 or 4096."""
    return int(struct.unpack("=i", fcntl.ioctl(fd, _BLKSSZGET, bytes(4)))[0])


def logical_block(fd: int) -> int:
    """Bytes of a logical block of what an open file is kept on: what reads it past the page cache counts in them. 512
    where nothing is known (a network, memory)."""
    if direct := birth(fd).direct_align:
        return max(_SECTOR, direct)
    number = os.fstat(fd).st_dev  # a kernel before 6.1
    place = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    for queue in (place / "queue", place.resolve().parent / "queue"):  # that of a partition is its disk's
        try:
            return max(_SECTOR, int((queue / "logical_block_size").read_text()))
        except (OSError, ValueError):
            continue
    return _SECTOR


def zero_out(fd: int, offset: int, length: int) -> None:
    """BLKZEROOUT: works on every device, writing zeros where it has nothing better; keeps blocks allocated."""
    fcntl.ioctl(fd, _BLKZEROOUT, struct.pack("=QQ", offset, length))


def discard(fd: int, offset: int, length: int) -> None:
    """BLKDISCARD: what the range reads as afterwards is undefined."""
    fcntl.ioctl(fd, _BLKDISCARD, struct.pack("=QQ", offset, length))


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
