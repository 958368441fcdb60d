"""The header of a frame, and the places between frames."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from isal import isal_zlib

from cdi.base.units import MiB

MEDIA_TYPE = "application/vnd.cdi.extents.v1"
LONGEST = MiB  # plain bytes of one extent
LARGEST = 2**63 - 1  # bytes of a disk: what offsets of files can be
DIGEST_SIZE = 32
# kind, CRC-32 of the plain payload, offset, length of the plain payload, bytes that follow
_FIELDS = struct.Struct("!4sIQQI")
HEADER_SIZE = _FIELDS.size + 4  # and the CRC-32 of these


class Malformed(ValueError):
    """The bytes are no such stream, or it breaks a rule; the text says what is wrong."""


class Kind(Enum):
    HEAD = b"CDI1"  # length: of the disk
    DATA = b"data"
    ZSTD = b"zstd"  # data, compressed
    END = b"end."  # offset: size of the disk; length: bytes of data; payload: the chain


class Header(NamedTuple):
    """``stored``: bytes that follow, which are ``length`` bytes of content with the checksum ``crc``."""

    kind: Kind
    offset: int
    length: int
    stored: int = 0
    crc: int = 0

    def encode(self) -> bytes:
        fields = _FIELDS.pack(self.kind.value, self.crc, self.offset, self.length, self.stored)
        return fields + crc32(fields).to_bytes(4, "big")


def decode_header(data: bytes | bytearray | memoryview) -> Header:
    """Of HEADER_SIZE bytes. Raises Malformed."""
    fields = data[: _FIELDS.size]
    name, crc, offset, length, stored = _FIELDS.unpack(fields)
    try:
        kind = Kind(name)
    except ValueError as error:
        raise Malformed(f"{name!r} is no kind of frame") from error
    if crc32(fields) != int.from_bytes(data[_FIELDS.size :], "big"):
        raise Malformed("the checksum of a frame's header does not match it")
    return Header(kind, offset, length, stored, crc)


def crc32(data: bytes | bytearray | memoryview) -> int:
    return int(isal_zlib.crc32(data))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place between two frames: ``position`` bytes of the stream are before it, with ``count`` bytes of data, the
    last of them before byte ``reached`` of the disk. ``chain``: 32 bytes that stand for every extent until here."""

    position: int = 0
    reached: int = 0
    count: int = 0
    chain: bytes = bytes(DIGEST_SIZE)

    def behind_head(self) -> Mark:
        return Mark(HEADER_SIZE)

    def behind(self, header: Header) -> Mark:
        """Of an extent."""
        said = struct.pack("!QQI", header.offset, header.length, header.crc)
        return Mark(
            self.position + HEADER_SIZE + header.stored,
            header.offset + header.length,
            self.count + header.length,
            hashlib.sha256(self.chain + said).digest(),
        )

    def behind_end(self) -> Mark:
        return Mark(self.position + HEADER_SIZE + DIGEST_SIZE, self.reached, self.count, self.chain)


START = Mark()
