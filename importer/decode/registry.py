"""Which decoder is for which format. Libraries are loaded when they are needed: a worker must start in 0.1 s."""

from __future__ import annotations

from collections.abc import Callable

from importer.decode import Decoder, ReadInto


def open_decoder(format: str, read: ReadInto) -> Decoder:
    """A decoder of ``format`` (gz, zst or xz) that pulls compressed bytes through ``read``; reads nothing yet."""
    return _OPENERS[format](read)


def _gzip(read: ReadInto) -> Decoder:
    from importer.decode.gzip import GzipDecoder

    return GzipDecoder(read)


def _zstd(read: ReadInto) -> Decoder:
    from importer.decode.zstd import ZstdDecoder

    return ZstdDecoder(read)


def _xz(read: ReadInto) -> Decoder:
    from importer.decode.xz import XzDecoder

    return XzDecoder(read)


_OPENERS: dict[str, Callable[[ReadInto], Decoder]] = {"gz": _gzip, "zst": _zstd, "xz": _xz}
