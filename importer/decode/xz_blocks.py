"""The blocks of an xz file that can be read by range: found by the index at its end, each decoded on its own."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, overload

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.decode import ReadInto
from importer.decode import xz_format as xz
from importer.decode.xz import XzDecoder

ReadAt = Callable[[int, int], bytes]

# An index beyond these is not read: the file is then decoded as one stream, which needs no index.
_RECORDS = 1 << 20
_INDEX_BYTES = 8 * MiB
_STREAMS = 1024  # each costs a request
_PADDING = 64 * KiB
_WINDOW = 64 * KiB
_PLAIN_MOST = 1 << 63  # of the format


class XzBlock(NamedTuple):
    """``length`` bytes of the file at ``offset`` (with padding) unpack to ``plain_length`` bytes."""

    offset: int
    length: int
    plain_offset: int
    plain_length: int
    unpadded: int
    flags: bytes  # of its stream: the kind of check


class XzBlocks(Sequence[XzBlock]):
    """Blocks in file order; 25 bytes of memory each."""

    def __init__(self) -> None:
        self._offset = array("Q")
        self._unpadded = array("Q")
        self._plain = array("Q", [0])  # where each block's plain bytes start, and at last where they end
        self._check = bytearray()

    def append_stream(self, offset: int, flags: bytes, records: xz.Records) -> None:
        """The blocks of one stream, the first of them at ``offset``."""
        plain = self._plain[-1]
        for unpadded, length in zip(*records, strict=True):
            self._offset.append(offset)
            self._unpadded.append(unpadded)
            offset += _padded(unpadded)
            plain += length
            if plain >= _PLAIN_MOST:
                raise xz.Malformed("the index has impossible sizes")
            self._plain.append(plain)
        self._check += flags[1:] * len(records.plain)

    @property
    def plain_size(self) -> int:
        return self._plain[-1]

    def __len__(self) -> int:
        return len(self._offset)

    @overload
    def __getitem__(self, index: int) -> XzBlock: ...
    @overload
    def __getitem__(self, index: slice) -> list[XzBlock]: ...
    def __getitem__(self, index: int | slice) -> XzBlock | list[XzBlock]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        start, unpadded = self._plain[i], self._unpadded[i]
        flags = bytes((0, self._check[i]))
        return XzBlock(self._offset[i], _padded(unpadded), start, self._plain[i + 1] - start, unpadded, flags)


class _TooMuch(Exception):
    """The index is larger than is worth reading."""


class _Stream(NamedTuple):
    start: int
    flags: bytes
    records: xz.Records


class _Window:
    """Reads backwards: each request brings the 64 KiB before the wanted end too."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._start = 0
        self._data = b""

    def get(self, offset: int, length: int) -> bytes:
        end = offset + length
        if offset < self._start or end > self._start + len(self._data):
            self._start = min(offset, max(0, end - _WINDOW))
            self._data = self._read_at(self._start, end - self._start)
            if len(self._data) != end - self._start:
                raise Fault("CompressedTruncated", format="xz", got=self._start + len(self._data))
        return self._data[offset - self._start : end - self._start]


def read_index(read_at: ReadAt, size: int) -> XzBlocks | None:
    """All blocks of all streams of a file of ``size`` bytes; None when the index is too large to be worth it.

    Strict: every header, footer and index is verified and together they must cover the file exactly. Blocking; about
    one ``read_at`` of 64 KiB per stream. Raises CompressedDamaged.
    """
    try:
        blocks = XzBlocks()
        for stream in reversed(list(_streams(_Window(read_at), size))):
            blocks.append_stream(stream.start + xz.EDGE, stream.flags, stream.records)
        return blocks
    except _TooMuch:
        return None
    except xz.Malformed as error:
        raise Fault("CompressedDamaged", format="xz", got=size, cause=error) from error


def _streams(window: _Window, size: int) -> Iterator[_Stream]:
    """From the last stream to the first."""
    if size % 4 or size < 2 * xz.EDGE:
        raise xz.Malformed("the file's size cannot be that of an xz file: it is cut short, or something follows it")
    end, streams, records = size, 0, 0
    while end:
        end = _without_padding(window, end)
        stream = _last_stream(window, end)
        streams, records = streams + 1, records + len(stream.records.plain)
        if streams > _STREAMS or records > _RECORDS:
            raise _TooMuch
        yield stream
        end = stream.start


def _without_padding(window: _Window, end: int) -> int:
    stop = max(0, end - _PADDING)
    while window.get(end - 4, 4) == b"\0\0\0\0":
        end -= 4
        if end == 0:
            raise xz.Malformed("the file starts with padding")
        if end <= stop:
            raise _TooMuch
    return end


def _last_stream(window: _Window, end: int) -> _Stream:
    """The stream that ends at ``end``."""
    if end < 2 * xz.EDGE:
        raise xz.Malformed("a stream is too short")
    footer = xz.parse_footer(window.get(end - xz.EDGE, xz.EDGE))
    index_start = end - xz.EDGE - footer.index_length
    if index_start < xz.EDGE:
        raise xz.Malformed("an index is longer than the file")
    if footer.index_length > _INDEX_BYTES:
        raise _TooMuch
    index = window.get(index_start, footer.index_length)
    if xz.record_count(index) > _RECORDS:
        raise _TooMuch
    records = xz.parse_index(index)
    start = index_start - sum(_padded(unpadded) for unpadded in records.unpadded) - xz.EDGE
    if start < 0:
        raise xz.Malformed("the blocks of the index are longer than the file")
    if xz.parse_header(window.get(start, xz.EDGE)) != footer.flags:
        raise xz.Malformed("a stream's header and footer differ")
    return _Stream(start, footer.flags, records)


def _padded(unpadded: int) -> int:
    return -(-unpadded // 4) * 4


class XzBlockReader:
    """``blocks`` is empty and ``plain_size`` None when the file has too large an index: decode it as a stream then."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at = read_at
        index = read_index(read_at, size)
        self.blocks: Sequence[XzBlock] = () if index is None else index
        self.plain_size = None if index is None else index.plain_size

    def open_block(self, block: XzBlock, read: ReadInto | None = None) -> BlockDecoder:
        """A decoder of this block alone; ``read`` gives its ``length`` bytes, by default with ``read_at``."""
        return BlockDecoder(block, self._pull(block) if read is None else read)

    def _pull(self, block: XzBlock) -> ReadInto:
        offset, end = block.offset, block.offset + block.length

        def read(buffer: memoryview) -> int:
            nonlocal offset
            data = self._read_at(offset, min(len(buffer), end - offset))
            buffer[: len(data)] = data
            offset += len(data)
            return len(data)

        return read


class BlockDecoder:
    """The plain bytes of one block, in flat memory, its check verified; 0 only after exactly ``plain_length`` bytes.

    The block is shown to the library as a stream of its own: header, block, an index with its one record, footer. So
    the library verifies the sizes of the record too.
    """

    def __init__(self, block: XzBlock, read: ReadInto) -> None:
        index = xz.make_index(block.unpadded, block.plain_length)
        self._block = block
        self._parts: list[bytes | ReadInto] = [xz.make_header(block.flags), read, index]
        self._parts.append(xz.make_footer(block.flags, len(index)))
        self._left = block.length
        self._decoder = XzDecoder(self._pull)

    @property
    def produced(self) -> int:
        return self._decoder.produced

    @property
    def consumed(self) -> int:
        return min(max(0, self._decoder.consumed - xz.EDGE), self._block.length)

    def boundary(self) -> tuple[int, int] | None:
        return None

    def readinto(self, buffer: memoryview) -> int:
        count = self._decoder.readinto(buffer)
        produced = self._decoder.produced
        if produced > self._block.plain_length or (not count and len(buffer) and produced < self._block.plain_length):
            raise Fault("CompressedDamaged", format="xz", got=self.consumed, cause="a block is not as its index says")
        return count

    def _pull(self, buffer: memoryview) -> int:
        while self._parts:
            part = self._parts[0]
            if not isinstance(part, bytes):
                if count := self._pull_block(part, buffer):
                    return count
                self._parts.pop(0)
                continue
            count = min(len(part), len(buffer))
            buffer[:count] = part[:count]
            self._parts[:1] = [part[count:]] if count < len(part) else []
            return count
        return 0

    def _pull_block(self, read: ReadInto, buffer: memoryview) -> int:
        """0 when the block is whole."""
        if not self._left:
            return 0
        count = read(buffer[: self._left])
        if not count:
            raise Fault("CompressedTruncated", format="xz", got=self._block.length - self._left)
        self._left -= count
        return count
