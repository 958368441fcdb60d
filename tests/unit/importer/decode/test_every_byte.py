"""Every byte of small packed files with every value, and every cut: a Fault, or what an independent decoder gives."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable

import pytest
import zstandard
from support.images import reader

from cdi.base.faults import Fault
from importer.decode.registry import open_decoder
from importer.decode.xz_blocks import XzBlockReader

PLAIN = b"plain, " * 3
XZ = lzma.compress(PLAIN)
# Whole files with the parts that are optional: several members, an extra field, a name, empty and skippable ones.
HEADER = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\3\0abcname\0comment\0"
FILES = {
    "gz": HEADER + zlib.crc32(HEADER).to_bytes(4, "little")[:2] + gzip.compress(PLAIN, mtime=0)[10:]
    + gzip.compress(b"", mtime=0) + bytes(3),
    "xz": XZ + bytes(4) + lzma.compress(b"", check=lzma.CHECK_NONE),
    "zst": b"\x50\x2a\x4d\x18\2\0\0\0??" + zstandard.ZstdCompressor(write_checksum=True).compress(PLAIN)
    + zstandard.compress(b"") + b"\x5f\x2a\x4d\x18\0\0\0\0",
}  # fmt: skip


def pulled(data: bytes) -> Callable[[memoryview], int]:
    """A ``read`` that gives three bytes at a time."""
    position = 0

    def read(buffer: memoryview) -> int:
        nonlocal position
        part = data[position : position + min(3, len(buffer))]
        buffer[: len(part)] = part
        position += len(part)
        return len(part)

    return read


def unpacked(kind: str, data: bytes) -> bytes | None:
    decoder, plain, buffer = open_decoder(kind, pulled(data)), b"", memoryview(bytearray(100))
    try:
        while count := decoder.readinto(buffer):
            plain += buffer[:count]
    except Fault:
        return None
    assert decoder.consumed == len(data)
    return plain


def by_blocks(data: bytes) -> bytes | None:
    plain, buffer = b"", memoryview(bytearray(100))
    try:
        blocks = XzBlockReader(reader(data), len(data))
        for block in blocks.blocks:
            decoder = blocks.open_block(block)
            while count := decoder.readinto(buffer):
                plain += buffer[:count]
    except Fault:
        return None
    assert blocks.plain_size == len(plain)
    return plain


def damaged(data: bytes) -> list[bytes]:
    values = (0, 1, 0x7F, 0x80, 0xFF)
    changed = [data[:at] + bytes((value,)) + data[at + 1 :] for at in range(len(data)) for value in values]
    flipped = [
        data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :] for at in range(len(data)) for bit in range(8)
    ]
    return [each for each in changed + flipped if each != data]


@pytest.mark.parametrize("kind", FILES)
def test_every_cut_is_a_fault_or_a_whole_file(kind: str) -> None:
    data = FILES[kind]
    whole = [end for end in range(len(data)) if unpacked(kind, data[:end]) is not None]

    assert unpacked(kind, data) == PLAIN
    assert all(unpacked(kind, data[:end]) in (PLAIN, b"") for end in whole)
    # Between members; behind a skippable frame, of which zstd says that it is a whole file too.
    assert len(whole) <= 5


@pytest.mark.parametrize("kind", FILES)
def test_every_byte_counts_or_changes_nothing(kind: str) -> None:
    """All content is under a checksum here, so whatever is accepted is what was packed."""
    found = [unpacked(kind, data) for data in damaged(FILES[kind])]

    assert set(found) <= {None, PLAIN, b""}
    assert found.count(None) > len(found) // 2


def test_every_byte_of_an_index_counts() -> None:
    assert by_blocks(FILES["xz"]) == PLAIN
    assert {by_blocks(data) for data in damaged(FILES["xz"])} == {None}
    assert {by_blocks(FILES["xz"][:end]) for end in range(len(FILES["xz"]))} == {None, PLAIN}


def test_an_index_does_not_reach_into_its_checksum() -> None:
    """One record more than there are, which the bytes of the checksum would be taken for."""
    body = b"\0\1\x80\2"  # one record; its plain size would stand where the checksum is
    for filler in range(1 << 16):
        index = body[:2] + bytes((0x80 | filler & 0x7F, 1 + (filler >> 7) % 127))
        checksum = zlib.crc32(index).to_bytes(4, "little")
        if checksum[3] < 0x80 and all(byte >= 0x80 for byte in checksum[:3]) and checksum[3]:
            break
    else:
        pytest.fail("no such checksum")
    fields = (len(index + checksum) // 4 - 1).to_bytes(4, "little") + b"\0\1"
    footer = zlib.crc32(fields).to_bytes(4, "little") + fields + b"YZ"
    start = b"\xfd7zXZ\0\0\1" + zlib.crc32(b"\0\1").to_bytes(4, "little")
    unpadded = (index[2] & 0x7F) | index[3] << 7
    data = start + bytes(-(-unpadded // 4) * 4) + index + checksum + footer

    with pytest.raises(Fault) as caught:
        XzBlockReader(reader(data), len(data))
    assert caught.value.code == "CompressedDamaged"
