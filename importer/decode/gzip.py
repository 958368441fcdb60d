"""gzip (RFC 1952): members one after the other, and zeros after the last one as tapes leave them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from cdi.base.faults import Fault
from importer.decode import ReadInto
from importer.decode.held import HeldDecoder


def _inflater() -> ModuleType:
    """isal is twice as fast as zlib and has its interface, but is not built for every architecture."""
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib
    return isal_zlib


_MAGIC = b"\x1f\x8b"
_GZIP_WRAPPER = 31  # wbits: header, CRC32 and length are checked by the library


class GzipDecoder(HeldDecoder):
    """All members as one stream. CompressedTruncated, CompressedDamaged (CRC, length, format), CompressedTrailing."""

    def __init__(self, read: ReadInto, library: ModuleType | None = None) -> None:
        super().__init__(read)
        self._library = library or _inflater()
        self._member: Any = None  # None between members

    def _more(self, limit: int) -> bytes:
        while self._member is not None or self._next_member():
            if plain := self._inflate(limit):
                return plain
        return b""

    def _inflate(self, limit: int) -> bytes:
        chunk = self._supply.chunk()
        try:
            plain: bytes = self._member.decompress(chunk, limit)
        except self._library.error as error:
            raise Fault("CompressedDamaged", format="gzip", got=self.consumed, cause=error) from error
        ended: bool = self._member.eof
        self._supply.use(len(chunk) - len(self._member.unused_data if ended else self._member.unconsumed_tail))
        if ended:
            self._member = None
        elif not plain and not chunk:
            raise Fault("CompressedTruncated", format="gzip", got=self.consumed)
        return plain

    def _next_member(self) -> bool:
        """False at the proven end of the file."""
        first = self.consumed == 0
        if not first:
            self._supply.skip_zeros()
        head = self._supply.peek(len(_MAGIC))
        if not first and not head:
            return False
        if not _MAGIC.startswith(head):
            self._refuse(first)
        if len(head) < len(_MAGIC):
            raise Fault("CompressedTruncated", format="gzip", got=self.consumed + len(head))
        if not first:
            self._starts_here()
        self._member = self._library.decompressobj(wbits=_GZIP_WRAPPER)
        return True

    def _refuse(self, first: bool) -> None:
        if first:
            raise Fault("CompressedDamaged", format="gzip", got=0, cause="it does not start like gzip")
        raise Fault("CompressedTrailing", format="gzip", got=self.consumed)
