"""Compressed bytes for tests: made by the real tools, fed in pieces, decoded whole or until the first fault."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from importer.decode import Decoder, ReadInto
from importer.decode.registry import open_decoder
from importer.decode.xz_blocks import XzBlock, XzBlockReader


def tool(command: str, data: bytes) -> bytes:
    """What ``command``, a filter such as ``gzip -9c``, makes of ``data``."""
    return subprocess.run(
        command.split(), input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    ).stdout


def some_plain(size: int, seed: int = 1) -> bytes:
    """Text, zeros and noise in turn, like a disk."""
    chance = random.Random(seed)
    parts, length = [], 0
    while length < size:
        kind = chance.randrange(3)
        if kind == 0:
            part = bytes(chance.randrange(1, 70000))
        elif kind == 1:
            part = chance.randbytes(chance.randrange(1, 20000))
        else:
            part = b" ".join(b"%d" % chance.randrange(1000) for _ in range(chance.randrange(1, 9000)))
        parts.append(part)
        length += len(part)
    return b"".join(parts)[:size]


def feed(data: bytes, step: Callable[[], int] | None = None) -> ReadInto:
    """``data`` as a ``readinto`` that gives at most ``step()`` bytes at once."""
    position = 0

    def read(buffer: memoryview) -> int:
        nonlocal position
        part = data[position : position + min(len(buffer), step() if step else len(buffer))]
        buffer[: len(part)] = part
        position += len(part)
        return len(part)

    return read


def drain(decoder: Decoder, step: int = 1 << 18, out: bytearray | None = None) -> bytes:
    """All plain bytes; ``out`` keeps those before a fault."""
    out, buffer = bytearray() if out is None else out, memoryview(bytearray(step))
    while count := decoder.readinto(buffer):
        out += buffer[:count]
    return bytes(out)


def unpack(format: str, data: bytes, step: Callable[[], int] | None = None) -> bytes:
    return drain(open_decoder(format, feed(data, step)))


def write_xz(path: Path, order: Iterable[int], parts: list[bytes]) -> None:
    """One stream of ``parts`` in this order, a block each, as ``xz -T`` makes it; every part is packed only once."""
    packed = [tool("xz -0cT1 --check=crc64", part) for part in parts]
    blocks = [_only_block(data) for data in packed]
    records = []
    with path.open("wb") as file:
        file.write(packed[0][:12])
        for number in order:
            block = blocks[number]
            file.write(packed[number][block.offset : block.offset + block.length])
            records.append((block.unpadded, block.plain_length))
        index = b"\0" + _varint(len(records)) + b"".join(_varint(one) + _varint(two) for one, two in records)
        index += bytes(-len(index) % 4)
        index += struct.pack("<I", zlib.crc32(index))
        end = struct.pack("<I", len(index) // 4 - 1) + packed[0][6:8]
        file.write(index + struct.pack("<I", zlib.crc32(end)) + end + b"YZ")


def _only_block(data: bytes) -> XzBlock:
    (block,) = XzBlockReader(lambda offset, length: data[offset : offset + length], len(data)).blocks
    return block


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
