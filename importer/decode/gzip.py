"""gzip (RFC 1952): members one after the other, and zeros after the last one as tapes leave them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from cdi.base.faults import Fault
from cdi.base.units import KiB
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
_FIXED = 10  # bytes of header before the optional fields
_HEADER_MOST = 128 * KiB  # an extra field has at most 64 KiB; names and comments are short
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
        self._require_whole_header()
        if not first:
            self._starts_here()
        self._member = self._library.decompressobj(wbits=_GZIP_WRAPPER)
        return True

    def _require_whole_header(self) -> None:
        """Have all of the header in one chunk: isal forgets the first part of one that arrives in two.

        Its maintainers say so in intel/isa-l issue 224; isal 1.9.1 then reports damage that is not there.
        """
        for size in (_FIXED, 4 * KiB, _HEADER_MOST):
            head = self._supply.peek(size)
            if header_length(head) is not None:
                return
            if len(head) < size:
                raise Fault("CompressedTruncated", format="gzip", got=self.consumed + len(head))
        raise Fault("CompressedDamaged", format="gzip", got=self.consumed, cause="its header has no end")

    def _refuse(self, first: bool) -> None:
        if first:
            raise Fault("CompressedDamaged", format="gzip", got=0, cause="it does not start like gzip")
        raise Fault("CompressedTrailing", format="gzip", got=self.consumed)


def header_length(head: bytes) -> int | None:
    """Bytes of the member header that ``head`` starts with; None when it does not end in ``head``."""
    if len(head) < _FIXED:
        return None
    flags, end = head[3], _FIXED
    if flags & 0x04:  # extra field
        end += 2 + int.from_bytes(head[end : end + 2], "little")
    for flag in (0x08, 0x10):  # name, comment: each ends with a zero
        if flags & flag:
            zero = head.find(b"\0", end)
            if zero < 0:
                return None
            end = zero + 1
    if flags & 0x02:  # CRC16
        end += 2
    return end if end <= len(head) else None
