"""Streams of extents, for what takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import zstandard

from cdi.base.wire.extents.decoder import Decoder, read_extents
from cdi.base.wire.extents.encoder import Encoder

Pieces = list[tuple[int, bytes]]


def packed(data: memoryview) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


def stream_of(size: int, pieces: Pieces, compress: Callable[[memoryview], bytes] | None = None) -> bytes:
    encoder = Encoder(size, compress=compress)
    out = [encoder.head()]
    for offset, data in pieces:
        out += encoder.extent(offset, memoryview(data))
    return b"".join([*out, encoder.end()])


def reading(data: bytes, steps: Iterable[int]) -> Callable[[memoryview], int]:
    """Gives ``data`` in pieces of at most so many bytes each; what is left at once."""
    left, lengths = memoryview(data), iter(steps)

    def readinto(buffer: memoryview) -> int:
        nonlocal left
        count = min(len(buffer), len(left), next(lengths, len(buffer)))
        buffer[:count] = left[:count]
        left = left[count:]
        return count

    return readinto


def decoded(decoder: Decoder, data: bytes, steps: Iterable[int] = ()) -> Iterator[tuple[int, bytes]]:
    for extent in read_extents(decoder, reading(data, steps)):
        yield extent.offset, bytes(extent.data)
