"""Extents into frames."""

from __future__ import annotations

from collections.abc import Callable

from cdi.base.wire.extents.frames import DIGEST_SIZE, HEADER_SIZE, LARGEST, LONGEST, START, Header, Kind, Mark, crc32


class Encoder:
    """Of one stream, for one thread. ``mark``: what has been sent of it; with START the head comes first.

    ``compress``: content into one zstd frame that tells its content's size, or None; may change between two extents.
    What hardly becomes smaller is sent plain.
    """

    def __init__(self, size: int, mark: Mark = START, compress: Callable[[memoryview], bytes] | None = None) -> None:
        if not 0 <= size <= LARGEST:
            raise ValueError(f"{size} is no size of a disk")
        self._size = size
        self.mark = mark
        self.compress = compress

    def head(self) -> bytes:
        self.mark = self.mark.behind_head()
        return Header(Kind.HEAD, 0, self._size).encode()

    def extent(self, offset: int, data: memoryview) -> tuple[bytes, bytes | memoryview]:
        """Header and payload, to be sent one after the other; the payload may be ``data`` itself. At most LONGEST
        bytes, behind those of the last extent and within the disk: else ValueError."""
        length = len(data)
        if not 0 < length <= LONGEST or offset < self.mark.reached or offset + length > self._size:
            raise ValueError(f"{length} bytes at {offset} are no next extent of {self._size} after {self.mark.reached}")
        payload, kind = self._payload(data)
        header = Header(kind, offset, length, len(payload), crc32(data))
        self.mark = self.mark.behind(header)
        return header.encode(), payload

    def _payload(self, data: memoryview) -> tuple[bytes | memoryview, Kind]:
        if self.compress is None:
            return data, Kind.DATA
        packed = self.compress(data)
        if len(packed) >= len(data) - len(data) // 16:
            return data, Kind.DATA
        return packed, Kind.ZSTD

    def end(self) -> bytes:
        chain = self.mark.chain
        header = Header(Kind.END, self._size, self.mark.count, len(chain), crc32(chain))
        self.mark = self.mark.behind_end()
        return header.encode() + chain


def plain_length(extents: int, count: int) -> int:
    """Bytes of a whole stream that compresses nothing: ``extents`` of at most LONGEST, of ``count`` bytes together."""
    return HEADER_SIZE * (extents + 2) + DIGEST_SIZE + count
