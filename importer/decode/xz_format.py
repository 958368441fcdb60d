"""The fixed parts of an .xz file (its specification 1.2.1): stream header and footer, index, block header. Pure."""

from __future__ import annotations

import zlib
from array import array
from typing import NamedTuple

from importer.decode.supply import Supply

MAGIC = b"\xfd7zXZ\x00"
_FOOTER_MAGIC = b"YZ"
EDGE = 12  # bytes of a stream header, and of a stream footer
_LZMA2 = 0x21


class Malformed(Exception):
    """The bytes are no xz; the text says what is wrong."""


class Footer(NamedTuple):
    flags: bytes  # two bytes; the second one says which check follows each block
    index_length: int


class Records(NamedTuple):
    unpadded: array[int]  # per block: header, data and check, without padding
    plain: array[int]  # per block


def _crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def make_header(flags: bytes) -> bytes:
    return MAGIC + flags + _crc32(flags)


def parse_header(data: bytes) -> bytes:
    """The flags of a stream header."""
    flags = data[6:8]
    if data != make_header(flags):
        raise Malformed("a stream header is damaged")
    return flags


def make_footer(flags: bytes, index_length: int) -> bytes:
    fields = (index_length // 4 - 1).to_bytes(4, "little") + flags
    return _crc32(fields) + fields + _FOOTER_MAGIC


def parse_footer(data: bytes) -> Footer:
    if data[10:] != _FOOTER_MAGIC:
        raise Malformed("no stream ends there: the file is cut short, or something else follows it")
    footer = Footer(data[8:10], (int.from_bytes(data[4:8], "little") + 1) * 4)
    if data != make_footer(*footer):
        raise Malformed("a stream footer is damaged")
    return footer


def make_index(unpadded: int, plain: int) -> bytes:
    """The index of a stream with one block."""
    body = b"\0\1" + _number(unpadded) + _number(plain)
    body += bytes(-len(body) % 4)
    return body + _crc32(body)


def record_count(head: bytes) -> int:
    """How many records the index that starts with ``head`` claims."""
    if not head or head[0]:
        raise Malformed("there is no index where one should be")
    return parse_number(head, 1)[0]


def parse_index(data: bytes) -> Records:
    """All records; memory is 16 bytes per record, so the caller checks ``record_count`` and the length first."""
    data, checksum = data[:-4], data[-4:]
    if _crc32(data) != checksum:
        raise Malformed("an index is damaged")
    count, position = record_count(data), parse_number(data, 1)[1]
    records = Records(array("Q"), array("Q"))
    for _ in range(count):
        unpadded, position = parse_number(data, position)
        plain, position = parse_number(data, position)
        if unpadded < 5:
            raise Malformed("the index has an impossible block")
        records.unpadded.append(unpadded)
        records.plain.append(plain)
    if data[position:] != bytes(-position % 4):
        raise Malformed("the index is longer than its records")
    return records


def parse_number(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer of at most 63 bits, and the position behind it."""
    value = 0
    for shift in range(0, 63, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                break
            return value, position
    raise Malformed("a number is not well formed")


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def dictionary_size(supply: Supply) -> int | None:
    """Bytes of the LZMA2 dictionary of the first block of the stream that comes next in ``supply``, which is not used.

    None when there is no block, or its header is not understood: the library will say why.
    """
    size = supply.peek(EDGE + 1)[EDGE:]
    if not size or not size[0]:
        return None
    header = supply.peek(EDGE + (size[0] + 1) * 4)[EDGE:]
    try:
        return dictionary_of(header)
    except (Malformed, IndexError):
        return None


def dictionary_of(header: bytes) -> int | None:
    """Of a block's header. Raises Malformed and IndexError."""
    flags, position = header[1], 2
    for present in (flags & 0x40, flags & 0x80):  # packed size, plain size
        if present:
            position = parse_number(header, position)[1]
    for _ in range((flags & 3) + 1):
        kind, position = parse_number(header, position)
        length, position = parse_number(header, position)
        if kind == _LZMA2:
            bits = header[position]
            return (1 << 32) - 1 if bits == 40 else (2 | bits & 1) << (bits // 2 + 11)
        position += length
    return None
