"""xz: streams one after the other, with padding of zeros in groups of four between them."""

from __future__ import annotations

import lzma

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.decode import ReadInto
from importer.decode.held import HeldDecoder
from importer.decode.xz_format import MAGIC, dictionary_size

DICTIONARY_LIMIT = 64 * MiB  # xz -9
_MEMORY_LIMIT = DICTIONARY_LIMIT + 4 * MiB  # liblzma needs 1 MiB beside the dictionary
_FEED = 64 * KiB  # liblzma keeps a copy of what it was fed and could not use yet


class XzDecoder(HeldDecoder):
    """All streams as one. Memory: the dictionary, at most 64 MiB.

    Raises MemoryLimit, CompressedTruncated, CompressedDamaged (also a failed check), CompressedTrailing.
    """

    def __init__(self, read: ReadInto) -> None:
        super().__init__(read)
        self._stream: lzma.LZMADecompressor | None = None  # None between streams

    def _more(self, limit: int) -> bytes:
        while (stream := self._stream or self._next_stream()) is not None:
            if plain := self._decompress(stream, limit):
                return plain
        return b""

    def _decompress(self, stream: lzma.LZMADecompressor, limit: int) -> bytes:
        feed = self._supply.chunk()[:_FEED] if stream.needs_input else memoryview(b"")
        hungry = stream.needs_input
        try:
            plain = stream.decompress(feed, limit)
        except lzma.LZMAError as error:
            raise Fault("CompressedDamaged", format="xz", got=self.consumed, cause=error) from error
        self._supply.use(len(feed))
        if stream.eof:
            self._supply.use(-len(stream.unused_data))
            self._stream = None
        elif hungry and not feed and not plain:
            raise Fault("CompressedTruncated", format="xz", got=self.consumed)
        return plain

    def _next_stream(self) -> lzma.LZMADecompressor | None:
        """None at the proven end of the file."""
        first = self.consumed == 0
        aligned = first or self._supply.skip_zeros() % 4 == 0
        head = self._supply.peek(len(MAGIC))
        if not first and not head and aligned:
            return None
        if not aligned or not MAGIC.startswith(head):
            self._refuse(first)
        if len(head) < len(MAGIC):
            raise Fault("CompressedTruncated", format="xz", got=self.consumed + len(head))
        if not first:
            self._starts_here()
        self._check_memory()
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
        return self._stream

    def _check_memory(self) -> None:
        # The library's error has no type of its own for this. A later block that wants more than the first one is
        # still refused by memlimit, as damage.
        needed = dictionary_size(self._supply)
        if needed is not None and needed > DICTIONARY_LIMIT:
            raise Fault("MemoryLimit", format="xz", needed=needed, limit=DICTIONARY_LIMIT)

    def _refuse(self, first: bool) -> None:
        if first:
            raise Fault("CompressedDamaged", format="xz", got=0, cause="it does not start like xz")
        raise Fault("CompressedTrailing", format="xz", got=self.consumed)
