"""Image formats: strict, read-only parsers from bytes to an extent map. No I/O of their own.

A parser gets ``read_at(offset, length) -> bytes`` (exactly that many bytes, or fewer only at the end of the file) and
the file's size, decides on bytes alone, never follows a reference to another file, and raises Fault with a code for
everything it does not fully understand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import NamedTuple, Protocol

ReadAt = Callable[[int, int], bytes]


class Kind(Enum):
    DATA = "data"  # bytes as they are
    DEFLATE = "deflate"  # raw deflate, one cluster (qcow2)
    ZLIB = "zlib"  # zlib stream with header, one grain (vmdk)
    ZSTD = "zstd"  # one zstd frame, one cluster (qcow2)


class Extent(NamedTuple):
    """``length`` bytes of disk at ``guest`` come from ``host_length`` bytes of the file at ``host``.

    Compressed kinds hold exactly one cluster or grain. For qcow2 ``host_length`` is an upper bound rounded to sectors:
    the decoder stops by itself; it may also be cut at the end of the file. Disk bytes in no extent are zeros.
    """

    guest: int
    length: int
    host: int
    host_length: int
    kind: Kind = Kind.DATA


class Image(Protocol):
    format: str  # raw, qcow2, vmdk, vdi, vhd, vhdx
    virtual_size: int  # bytes
    cluster_size: int  # bytes; alignment of guest offsets of extents

    def extents(self) -> Iterator[Extent]:
        """The map in guest order, never overlapping, adjacent DATA runs merged; reads tables lazily, in flat memory.

        Every extent lies inside the file and inside the virtual size, or a Fault is raised.
        """
        ...
