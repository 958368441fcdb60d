"""Unpacking one compressed cluster or grain: exactly so many bytes, or a Fault. Safe from any thread.

isal and zstandard release the GIL while they work. Output is bounded by the buffer, never by what the data claims.
"""

from __future__ import annotations

import zlib
from types import ModuleType

from cdi.base.faults import Fault
from importer.decode.zstd_frame import frame_length
from importer.formats import Kind

_FORMATS = {Kind.DEFLATE: "qcow2", Kind.ZLIB: "vmdk", Kind.ZSTD: "qcow2"}
_WINDOW_BITS = {Kind.DEFLATE: -15, Kind.ZLIB: 15}
_WINDOW_MAX = 128 * 1024 * 1024  # zstd: no more memory than its own command line allows by default


def inflate_cluster(kind: Kind, data: bytes | memoryview, length: int) -> bytes:
    """The first ``length`` bytes that ``data`` unpacks to; ImageInvalid when it holds fewer or is damaged.

    More is no fault: the last cluster reaches beyond the end of the disk. Bytes after the packed ones are ignored.
    """
    return unpack_cluster(kind, data, length)[0]


def unpack_cluster(kind: Kind, data: bytes | memoryview, length: int) -> tuple[bytes, int | None]:
    """As ``inflate_cluster``, and how many bytes of ``data`` were packed ones: None where that does not show."""
    plain, used = _unzstd(data, length) if kind is Kind.ZSTD else _inflate(kind, data, length)
    if len(plain) != length:
        raise _damaged(kind, f"a compressed cluster holds {len(plain)} of {length} bytes")
    return plain, used


def _inflate(kind: Kind, data: bytes | memoryview, length: int) -> tuple[bytes, int | None]:
    engine = _engine()
    inflater = engine.decompressobj(_WINDOW_BITS[kind])
    try:
        plain = bytes(inflater.decompress(data, length))
        if not inflater.eof:
            inflater.decompress(inflater.unconsumed_tail, 1)  # the mark of the end, unless more follows
    except engine.error as cause:
        raise _damaged(kind, f"a compressed cluster cannot be unpacked ({cause})") from cause
    return plain, len(data) - len(inflater.unused_data) if inflater.eof else None


def _unzstd(data: bytes | memoryview, length: int) -> tuple[bytes, int | None]:
    import zstandard

    plain = bytearray(length)
    view, filled = memoryview(plain), 0
    try:
        decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
        with decoder.stream_reader(data, read_across_frames=False) as reader:
            while filled < length and (count := reader.readinto(view[filled:])):
                filled += count
    except zstandard.ZstdError as cause:
        raise _damaged(Kind.ZSTD, f"a compressed cluster cannot be unpacked ({cause})") from cause
    return bytes(view[:filled]), frame_length(memoryview(data))


def _engine() -> ModuleType:
    """isal is three times as fast as zlib (performance.md 3); without it zlib does."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    return isal_zlib


def _damaged(kind: Kind, detail: str) -> Fault:
    return Fault("ImageInvalid", format=_FORMATS[kind], detail=detail)
