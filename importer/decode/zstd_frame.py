"""zstd frame and block headers (RFC 8878, 3.1.1), as far as needed to know where a frame ends.

zstandard 0.25 returns a short result without any error when its input ends inside a frame, in every interface it has;
so the end of each frame is found here, and the library is never asked.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

MAGIC = b"\x28\xb5\x2f\xfd"
HEADER_MOST = 18
SKIPPABLE_HEADER = 8
CHECKSUM = 4
BLOCK_HEADER = 3
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)


class Malformed(Exception):
    """The bytes are no zstd; the text says what is wrong."""


class Start(Enum):
    FRAME = "frame"
    SKIPPABLE = "skippable"
    OTHER = "other"
    CUT = "cut"  # shorter than a magic number, and could have become one


class FrameHeader(NamedTuple):
    length: int  # bytes, with the magic number
    window: int  # bytes of memory that decoding needs
    content: int | None  # plain bytes, when stated
    checksum: bool


class Block(NamedTuple):
    length: int  # bytes that follow the block header
    last: bool


def recognise_start(head: bytes) -> Start:
    """What begins with these four (at the end of the file: fewer) bytes."""
    if len(head) < 4:
        could_be = MAGIC.startswith(head) or (head[:1] and head[0] >> 4 == 5 and b"\x2a\x4d\x18".startswith(head[1:]))
        return Start.CUT if could_be else Start.OTHER
    if head[:4] == MAGIC:
        return Start.FRAME
    return Start.SKIPPABLE if int.from_bytes(head[:4], "little") in _SKIPPABLE else Start.OTHER


def parse_frame_header(head: bytes) -> FrameHeader | None:
    """The header at the front of ``head`` (HEADER_MOST bytes of the file suffice); None when it is cut off."""
    if len(head) < 5:
        return None
    descriptor = head[4]
    if descriptor & 0x08:
        raise Malformed("a reserved bit of the frame header is set")
    single = bool(descriptor & 0x20)
    content_size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    length = 5 + (not single) + dictionary + content_size
    if len(head) < length:
        return None
    content = int.from_bytes(head[length - content_size : length], "little") if content_size else None
    if content is not None and content_size == 2:
        content += 256
    window = content if single and content is not None else _window(head[5])
    return FrameHeader(length, window, content, bool(descriptor & 0x04))


def _window(byte: int) -> int:
    base = 1 << (10 + (byte >> 3))
    return base + (base >> 3) * (byte & 7)


def behind_skippable(head: bytes) -> int:
    """Where in ``head`` the first frame that is not skippable begins; its length or more when that is not there."""
    position = 0
    while recognise_start(head[position : position + 4]) is Start.SKIPPABLE:
        length = parse_skippable_length(head[position : position + SKIPPABLE_HEADER])
        if length is None:
            return len(head)
        position += SKIPPABLE_HEADER + length
    return position


def declared_size(head: bytes) -> int | None:
    """The plain size that the first frame states; None when it states none, or is not whole or sound."""
    start = behind_skippable(head)
    if recognise_start(head[start : start + 4]) is not Start.FRAME:
        return None
    try:
        header = parse_frame_header(head[start : start + HEADER_MOST])
    except Malformed:
        return None
    return header.content if header else None


def parse_block_header(head: bytes | memoryview) -> Block:
    """Three bytes: last flag, type (raw, RLE, compressed), size."""
    value = head[0] | head[1] << 8 | head[2] << 16
    kind = value >> 1 & 3
    if kind == 3:
        raise Malformed("a block has the reserved type")
    return Block(1 if kind == 1 else value >> 3, bool(value & 1))


def frame_length(data: memoryview) -> int | None:
    """Bytes of the frame at the front of ``data``; None when it does not end there, or is not sound."""
    try:
        header = parse_frame_header(bytes(data[:HEADER_MOST]))
        position, last = header.length if header else len(data), False
        while not last and position + BLOCK_HEADER <= len(data):
            length, last = parse_block_header(data[position : position + BLOCK_HEADER])
            position += BLOCK_HEADER + length
    except Malformed:
        return None
    position += CHECKSUM if header and header.checksum else 0
    return position if last and position <= len(data) else None


def parse_skippable_length(head: bytes) -> int | None:
    """Bytes that follow the header of a skippable frame; None when the header is cut off."""
    return int.from_bytes(head[4:8], "little") if len(head) >= SKIPPABLE_HEADER else None
