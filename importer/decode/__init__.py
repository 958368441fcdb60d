"""Decompressors: bounded, complete or an error.

A decoder pulls compressed bytes through ``read`` and gives plain bytes through ``readinto``. It allocates nothing in
proportion to the data, and a stream that ends inside a member, frame or block is CompressedTruncated, always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

ReadInto = Callable[[memoryview], int]  # fills the front of the buffer, 0 at the end


class Decoder(Protocol):
    @property
    def consumed(self) -> int: ...  # compressed bytes taken from ``read`` and used so far
    @property
    def produced(self) -> int: ...  # plain bytes given so far

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer`` with plain bytes; 0 only at the proven end of the whole compressed file."""
        ...

    def boundary(self) -> tuple[int, int] | None:
        """(compressed offset, plain offset) of the last place up to which all plain bytes have been given and from
        where a fresh decoder can start: the start of a gzip member, zstd frame, or xz stream. None before the second.
        Offsets are relative to where this decoder started."""
        ...
