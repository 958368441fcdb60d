"""Frames into extents, piece by piece as they come, whoever sent them."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from typing import NamedTuple

import zstandard

from cdi.base.wire.extents.frames import (
    DIGEST_SIZE,
    HEADER_SIZE,
    LARGEST,
    LONGEST,
    START,
    Header,
    Kind,
    Malformed,
    Mark,
    crc32,
    decode_header,
)


class Extent(NamedTuple):
    """``data``: 1 to LONGEST bytes at ``offset`` of the disk, valid until the decoder is given more."""

    offset: int
    data: memoryview


class Decoder:
    """Of one stream, for one thread. Holds 2 MiB; every byte is looked at once.

    ``size``: of the disk, which the head has to say; None: any. ``mark``: what another decoder has had of the stream,
    which needs a ``size``; bytes that come now are those from ``mark.position`` on. After Malformed it is of no use.
    """

    def __init__(self, size: int | None, mark: Mark = START) -> None:
        if size is None and mark.position:
            raise ValueError("a stream that goes on needs the size of its disk")
        self.size = size
        self.mark = mark  # behind the last whole frame
        self.ended = False
        self._plain = memoryview(mmap.mmap(-1, LONGEST))  # on pages, as devices want it
        self._stored = memoryview(bytearray(LONGEST))
        self._unpack = zstandard.ZstdDecompressor(max_window_size=2 * LONGEST)
        self._header: Header | None = None  # of the frame whose payload comes
        self.room = self._stored[:HEADER_SIZE]  # where the next bytes go: never empty before the end

    def took(self, count: int) -> list[Extent]:
        """``count`` bytes were put at the front of ``room``; the extent that they complete, if one. Raises
        Malformed."""
        if not 0 <= count <= len(self.room):
            raise ValueError(f"{count} bytes are not what there was room for")
        self.room = self.room[count:]
        if self.room or self.ended:
            return []
        if self._header is None:
            return self._begin(decode_header(self._stored[:HEADER_SIZE]))
        header, self._header = self._header, None
        return self._complete(header)

    def close(self) -> None:
        """No more bytes will come. Raises Malformed for a stream that is not whole."""
        if not self.ended:
            raise Malformed(f"the stream is cut off after {self.mark.position} bytes of whole frames")

    def _begin(self, header: Header) -> list[Extent]:
        if (header.kind is Kind.HEAD) != (self.mark.position == 0):
            raise Malformed("a stream has one head, which comes first")
        if header.kind is Kind.HEAD:
            self._check_head(header)
            self.mark = self.mark.behind_head()
            self._expect(None)
            return []
        if header.kind is Kind.END:
            self._check_end(header)
        else:
            self._check_extent(header)
        self._expect(header)
        return []

    def _expect(self, header: Header | None) -> None:
        self._header = header
        if header is None:
            self.room = self._stored[:HEADER_SIZE]
        elif header.kind is Kind.DATA:
            self.room = self._plain[: header.length]
        else:
            self.room = self._stored[: header.stored]

    def _check_head(self, header: Header) -> None:
        if header.stored or header.offset or header.crc or header.length > LARGEST:
            raise Malformed("the head of the stream says what no head can")
        if self.size not in (None, header.length):
            raise Malformed(f"the disk has {header.length} bytes, not the {self.size} that were agreed on")
        self.size = header.length

    def _check_extent(self, header: Header) -> None:
        assert self.size is not None
        if not 0 < header.length <= LONGEST:
            raise Malformed(f"an extent of {header.length} bytes is not one of 1 to {LONGEST}")
        is_right = header.stored == header.length if header.kind is Kind.DATA else 0 < header.stored < header.length
        if not is_right:
            raise Malformed(f"{header.stored} bytes are no {header.kind.name} of {header.length}")
        if header.offset < self.mark.reached:
            raise Malformed(f"an extent at {header.offset} comes after one that ends at {self.mark.reached}")
        if header.offset + header.length > self.size:
            raise Malformed(f"an extent ends at {header.offset + header.length}, behind the disk's {self.size} bytes")

    def _check_end(self, header: Header) -> None:
        said = (header.offset, header.length, header.stored)
        if said != (self.size, self.mark.count, DIGEST_SIZE):
            raise Malformed(
                f"{self.mark.count} bytes of data came for {self.size} bytes of disk, "
                f"and the stream's end speaks of {header.length} for {header.offset}"
            )

    def _complete(self, header: Header) -> list[Extent]:
        self._expect(None)
        if header.kind is Kind.END:
            if self._stored[:DIGEST_SIZE] != self.mark.chain:
                raise Malformed("the digest at the stream's end is not that of the extents that came")
            self.mark = self.mark.behind_end()
            self.ended, self.room = True, self._stored[:0]
            return []
        if header.kind is Kind.ZSTD:
            self._plain[: header.length] = self._unpacked(header)
        data = self._plain[: header.length]
        if crc32(data) != header.crc:
            raise Malformed(f"the {header.length} bytes at {header.offset} are not those that were sent (CRC-32)")
        self.mark = self.mark.behind(header)
        return [Extent(header.offset, data)]

    def _unpacked(self, header: Header) -> bytes:
        """No more is unpacked than the frame's own header says, which is looked at first."""
        packed = self._stored[: header.stored]
        try:
            if zstandard.frame_content_size(packed) != header.length:
                raise Malformed(f"compressed data at {header.offset} is not of the {header.length} bytes it speaks of")
            return self._unpack.decompress(packed, max_output_size=header.length, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise Malformed(f"compressed data at {header.offset} is damaged: {error}") from error


def read_extents(decoder: Decoder, readinto: Callable[[memoryview], int]) -> Iterator[Extent]:
    """All that is left of a stream, which ends with what ``readinto`` gives: that fills the front of a buffer, and
    gives 0 at the end. Each extent is valid until the next one is asked for. Blocking. Raises Malformed, and what
    ``readinto`` raises."""
    while not decoder.ended:
        count = readinto(decoder.room)
        if count == 0:
            decoder.close()
        yield from decoder.took(count)
    if readinto(memoryview(bytearray(1))):
        raise Malformed("bytes come after the end of the stream")
