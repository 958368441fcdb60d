"""Whether two names stand for the same bytes: names of one file, a device and its partition, a loop device and its
file. What a virtual device keeps elsewhere (nbd, a network) cannot be seen."""

from __future__ import annotations

import fcntl
import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_BLOCK = Path("/sys/dev/block")
_LOOP_GET_STATUS64 = 0x4C05  # linux/loop.h
_LOOP_INFO_SIZE = 232
_SECTOR = 512  # of sysfs, whatever the device's is
_DEPTH = 16  # devices on devices


class Stretch(NamedTuple):
    """Bytes [start, end) of what ``base`` names. ``within``: somewhere in there, as a logical volume is."""

    base: tuple[int, ...]
    start: float
    end: float
    within: bool = False

    def meets(self, other: Stretch) -> bool:
        """Two that are somewhere within the same device are taken to be apart, as two logical volumes are."""
        overlap = self.base == other.base and self.start < other.end and other.start < self.end
        return overlap and not (self.within and other.within)


def share_bytes(one: Path, other: Path) -> bool:
    """Links are followed; what is not there shares nothing."""
    mine = list(_stretches(one))
    return any(each.meets(other) for other in _stretches(other) for each in mine)


def _stretches(path: Path) -> Iterator[Stretch]:
    """Where the bytes of ``path`` are, from the path itself down to the files and disks below it."""
    try:
        facts = os.stat(path)
    except OSError:
        return
    if stat.S_ISBLK(facts.st_mode):
        yield from _of_device(facts.st_rdev, 0, math.inf, 0)
    else:
        yield Stretch((facts.st_dev, facts.st_ino), 0, math.inf)


def _of_device(number: int, start: float, end: float, depth: int, within: bool = False) -> Iterator[Stretch]:
    """[start, end) of the block device ``number`` and what is below it."""
    yield Stretch((number,), start, end, within)
    if depth < _DEPTH:
        with suppress(OSError, ValueError):  # it is being taken away
            yield from _below(number, (start, end), depth + 1, within)


def _below(number: int, part: tuple[float, float], depth: int, within: bool) -> Iterator[Stretch]:
    start, end = part
    place = _BLOCK / f"{os.major(number)}:{os.minor(number)}"
    if (place / "partition").exists():
        first, size = _number(place / "start") * _SECTOR, _number(place / "size") * _SECTOR
        yield from _of_device(_device(place.resolve().parent), first + start, first + min(end, size), depth, within)
    elif (place / "loop").exists():
        yield from _of_loop(number, part, depth, within)
    elif (place / "slaves").is_dir():
        for slave in (place / "slaves").iterdir():
            yield from _of_device(_device(slave), 0, math.inf, depth, within=True)


def _of_loop(number: int, part: tuple[float, float], depth: int, within: bool) -> Iterator[Stretch]:
    info = _loop_info(number)
    if info is None:
        return
    file_device, inode, device, offset, limit = struct.unpack_from("=5Q", info)
    start, end = offset + part[0], offset + min(part[1], limit or math.inf)
    if device:
        yield from _of_device(device, start, end, depth, within)
    else:
        yield Stretch((file_device, inode), start, end, within)


def _loop_info(number: int) -> bytes | None:
    """``struct loop_info64`` of a loop device; None when it is free or may not be asked."""
    name = (_BLOCK / f"{os.major(number)}:{os.minor(number)}").resolve().name
    try:
        fd = os.open(f"/dev/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return fcntl.ioctl(fd, _LOOP_GET_STATUS64, bytes(_LOOP_INFO_SIZE)) if os.fstat(fd).st_rdev == number else None
    except OSError:
        return None
    finally:
        os.close(fd)


def _device(place: Path) -> int:
    """The number of the device that sysfs shows at ``place``."""
    major, _, minor = (place / "dev").read_text().strip().partition(":")
    return os.makedev(int(major), int(minor))


def _number(attribute: Path) -> int:
    return int(attribute.read_text())
