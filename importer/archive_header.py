"""The 512-byte headers of tar (POSIX ustar and pax, GNU, v7) and what pax records say. Pure; strict.

The standard library's reader is not used: tarfile 3.11 takes a damaged header behind the first entry for the end of the
archive, accepts archives that are cut between entries, and reads a pax header of any claimed size into memory.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from cdi.base.faults import Fault

BLOCK = 512
NUMBER_MOST = (1 << 63) - 1
_OCTAL = re.compile(rb"[ \0]*([0-7]*)[ \0]*")


def invalid(detail: str) -> Fault:
    return Fault("ArchiveInvalid", detail=detail)


def shown(name: bytes) -> str:
    """A name for people; bytes that are no UTF-8 are escaped."""
    return name.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Header:
    """One header block as it stands: names without the corrections of entries before it."""

    name: bytes
    mode: int
    size: int  # bytes of data that follow, except for links and directories
    mtime: int  # seconds since 1970
    type: bytes
    target: bytes  # of links
    block: bytes


def parse_header(block: bytes) -> Header | None:
    """None for a block of zeros, which marks the end. Raises ArchiveInvalid."""
    if not any(block):
        return None
    _verify_checksum(block)
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = prefix + b"/" + name
    size = parse_field(block[124:136])
    if size < 0:
        raise invalid("a header has a negative size")
    mode, mtime = parse_field(block[100:108]), parse_field(block[136:148])
    return Header(name, mode, size, mtime, block[156:157], _text(block[157:257]), block)


def _verify_checksum(block: bytes) -> None:
    stated = parse_field(block[148:156])
    covered = block[:148] + b" " * 8 + block[156:]
    if stated != sum(covered) and stated != sum(covered) - 256 * sum(byte > 127 for byte in covered):  # old signed sum
        raise invalid("a header's checksum is wrong")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def parse_field(field: bytes) -> int:
    """Octal digits, or GNU's binary form for what does not fit into them."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) - (1 << (8 * len(field) - 1))
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
    else:
        match = _OCTAL.fullmatch(field)
        if match is None:
            raise invalid("a header has a number that is none")
        value = int(match[1] or b"0", 8)
    if abs(value) > NUMBER_MOST:
        raise invalid("a header has an impossible number")
    return value


def parse_decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19 or (value := int(text)) > NUMBER_MOST:
        raise invalid("a size or offset is not a number")
    return value


def parse_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The records ``length key=value`` of a pax header."""
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        length = parse_decimal(data[position:space]) if space > 0 else 0
        record = data[space + 1 : position + length]
        key, equals, value = record[:-1].partition(b"=")
        if length <= 0 or position + length > len(data) or not record.endswith(b"\n") or not equals:
            raise invalid("an extended header is not well formed")
        yield key, value
        position += length


class Holes:
    """Where the stored bytes of a sparse file belong: runs in order, which do not overlap."""

    MOST = 1 << 20

    def __init__(self, size: int) -> None:
        self.size = size  # of the file with its holes
        self._runs = array("Q")
        self.stored = 0
        self._end = 0

    def append(self, offset: int, length: int) -> None:
        if offset < self._end or length < 0 or offset + length > self.size:
            raise invalid("the map of a sparse file is not in order")
        if len(self._runs) >= 2 * self.MOST:
            raise invalid("the map of a sparse file is too long")
        self._end = offset + length
        self.stored += length
        if length:
            self._runs.extend((offset, length))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._runs[::2], self._runs[1::2], strict=True)


def append_gnu_runs(holes: Holes, fields: bytes) -> None:
    """Runs of the old GNU format: 12 bytes offset, 12 bytes length; an empty field ends them."""
    for start in range(0, len(fields), 24):
        if not any(fields[start : start + 24]):
            return
        holes.append(parse_field(fields[start : start + 12]), parse_field(fields[start + 12 : start + 24]))
