"""zstd: frames one after the other, with skippable frames between them (pzstd puts one before each)."""

from __future__ import annotations

import zstandard

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.decode import ReadInto
from importer.decode.supply import Supply
from importer.decode.zstd_frame import (
    BLOCK_HEADER,
    CHECKSUM,
    HEADER_MOST,
    SKIPPABLE_HEADER,
    Malformed,
    Start,
    parse_block_header,
    parse_frame_header,
    parse_skippable_length,
    recognise_start,
)

WINDOW_LIMIT = 64 * MiB  # zstd -19 needs 8 MiB; --ultra -22 and --long=27 need 128 MiB and are refused
_READ = 128 * KiB


class _Frame:
    """The compressed bytes of one frame, and not one more, as the file object that zstandard wants."""

    def __init__(self, supply: Supply, header_length: int, checksum: bool) -> None:
        self._supply = supply
        self._left = header_length  # bytes of the part that the frame is in
        self._checksum = checksum
        self._last = False  # the part is in or behind the last block
        self.complete = False

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none when the frame, or the file, is over. Raises Malformed."""
        if self.complete:
            return b""
        taken = self._walk(self._supply.chunk()[:size])
        if not taken and not self.complete:  # a block header is cut by the end of the chunk
            taken = self._walk(memoryview(self._supply.peek(BLOCK_HEADER)))
        piece = bytes(self._supply.chunk()[:taken]) if taken else b""
        self._supply.use(taken)
        return piece

    def _walk(self, view: memoryview) -> int:
        """Follow the headers through ``view``; how much of it belongs to the frame and can be passed on."""
        position, end = 0, len(view)
        while True:
            step = min(self._left, end - position)
            position += step
            self._left -= step
            if self._left or not self._enter_next_part(view[position : position + BLOCK_HEADER]):
                return position

    def _enter_next_part(self, head: memoryview) -> bool:
        """False when the frame is complete, or the next block header is not whole."""
        if self._last:
            self.complete = not self._checksum
            self._left = CHECKSUM if self._checksum else 0
            self._checksum = False
            return not self.complete
        if len(head) < BLOCK_HEADER:
            return False
        block = parse_block_header(head)
        self._left = BLOCK_HEADER + block.length
        self._last = block.last
        return True


class ZstdDecoder:
    """All frames as one stream, decoded straight into the caller's buffer. Memory: the window, at most 64 MiB.

    Raises MemoryLimit (decided from the frame header), CompressedTruncated, CompressedDamaged, CompressedTrailing.
    """

    def __init__(self, read: ReadInto, window_limit: int = WINDOW_LIMIT) -> None:
        self._supply = Supply(read)
        self._library = zstandard.ZstdDecompressor(max_window_size=window_limit)
        self._window_limit = window_limit
        self._open: tuple[_Frame, zstandard.ZstdDecompressionReader] | None = None
        self._boundary: tuple[int, int] | None = None
        self.produced = 0

    @property
    def consumed(self) -> int:
        return self._supply.used

    def boundary(self) -> tuple[int, int] | None:
        return self._boundary

    def readinto(self, buffer: memoryview) -> int:
        while (current := self._open or self._next_frame()) is not None:
            if count := self._decode(*current, buffer):
                self.produced += count
                return count
        return 0

    def _decode(self, frame: _Frame, reader: zstandard.ZstdDecompressionReader, buffer: memoryview) -> int:
        """Bytes of the current frame; 0 at its end, which is proven."""
        try:
            count = reader.readinto(buffer)
        except (zstandard.ZstdError, Malformed) as error:
            raise self._damaged(error) from error
        if count == 0:
            if not frame.complete:
                raise self._truncated()
            self._open = None
        return count

    def _next_frame(self) -> tuple[_Frame, zstandard.ZstdDecompressionReader] | None:
        """Skip to the next frame and make it the current one. None at the proven end of the file."""
        while True:
            head = self._supply.peek(HEADER_MOST)
            if self.consumed and not head:
                return None
            start = recognise_start(head[:4])
            if start is Start.CUT:
                raise self._truncated()
            if start is Start.OTHER:
                self._refuse()
            if self.produced:
                self._boundary = (self.consumed, self.produced)
            if start is Start.FRAME:
                self._open = self._open_frame(head)
                return self._open
            self._skip(head)

    def _open_frame(self, head: bytes) -> tuple[_Frame, zstandard.ZstdDecompressionReader]:
        try:
            header = parse_frame_header(head)
        except Malformed as error:
            raise self._damaged(error) from error
        if header is None:
            raise self._truncated()
        if header.window > self._window_limit:
            raise Fault("MemoryLimit", format="zstd", needed=header.window, limit=self._window_limit)
        frame = _Frame(self._supply, header.length, header.checksum)
        return frame, self._library.stream_reader(frame, read_size=_READ, closefd=False)  # type: ignore[arg-type]

    def _skip(self, head: bytes) -> None:
        length = parse_skippable_length(head)
        if length is None:
            raise self._truncated()
        left = SKIPPABLE_HEADER + length
        while left:
            step = min(left, len(self._supply.chunk()))
            if not step:
                raise self._truncated()
            self._supply.use(step)
            left -= step

    def _refuse(self) -> None:
        if self.consumed:
            raise Fault("CompressedTrailing", format="zstd", got=self.consumed)
        raise Fault("CompressedDamaged", format="zstd", got=0, cause="it does not start like zstd")

    def _truncated(self) -> Fault:
        return Fault("CompressedTruncated", format="zstd", got=self.consumed + len(self._supply.chunk()))

    def _damaged(self, error: Exception) -> Fault:
        return Fault("CompressedDamaged", format="zstd", got=self.consumed, cause=error)
