from __future__ import annotations

import gzip
import lzma
import struct

import pytest
from support.packed import some_plain, tool

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.contents import unwrap
from importer.sources import HEAD_SIZE, Facts

PLAIN = some_plain(300 * KiB)


def unwrapped(data: bytes, size: int | None = -1, *, ranges: bool = True) -> tuple[tuple[str, ...], bytes]:
    facts = Facts("the source", len(data) if size == -1 else size, ranges, None, data[:HEAD_SIZE])
    return unwrap(facts, lambda offset, length: data[offset : offset + length])


def zstd(data: bytes) -> bytes:
    return tool("zstd -qc", data)


def skippable(length: int) -> bytes:
    return struct.pack("<II", 0x184D2A53, length) + b"s" * length


@pytest.mark.parametrize(
    ("packed", "layers"),
    [
        (PLAIN, ()),
        (gzip.compress(PLAIN), ("gz",)),
        (gzip.compress(gzip.compress(PLAIN)), ("gz", "gz")),
        (lzma.compress(zstd(gzip.compress(PLAIN))), ("xz", "zst", "gz")),
        (skippable(4) + zstd(PLAIN), ("zst",)),
        (skippable(0) * 9 + zstd(PLAIN), ("zst",)),
        (gzip.compress(skippable(100 * KiB) + zstd(PLAIN)), ("gz", "zst")),
        (tool("pzstd -qc", PLAIN), ("zst",)),
    ],
    ids=["plain", "gz", "gz twice", "gz in zst in xz", "skippable", "many", "skippable in gz", "pzstd"],
)
@pytest.mark.parametrize("size", [-1, None])
def test_compressions_are_found_outermost_first(packed: bytes, layers: tuple[str, ...], size: int | None) -> None:
    compression, head = unwrapped(packed, size)
    assert compression == layers
    assert PLAIN.startswith(head)
    assert len(head) >= 512


def test_what_is_packed_too_often_is_refused_with_its_layers() -> None:
    with pytest.raises(Fault) as caught:
        unwrapped(gzip.compress(gzip.compress(lzma.compress(zstd(PLAIN)))))
    assert caught.value.code == "PackingUnsupported"
    assert "packed more than 3 times (a zst in a xz)" in caught.value.message


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(b""), lzma.compress(b""), zstd(b""), gzip.compress(zstd(b"")), skippable(40)],
    ids=["gz", "xz", "zst", "zst in gz", "skippable only"],
)
def test_a_packed_nothing_is_empty(packed: bytes) -> None:
    with pytest.raises(Fault) as caught:
        unwrapped(packed)
    assert caught.value.code == "SourceEmpty"


@pytest.mark.parametrize(
    "packed", [b"\x28\xb5\x2f\xfd", gzip.compress(PLAIN)[:12], skippable(40)[:20], lzma.compress(PLAIN)[:9]]
)
def test_a_whole_file_that_is_cut_before_its_first_byte_is_truncated(packed: bytes) -> None:
    with pytest.raises(Fault) as caught:
        unwrapped(packed)
    assert caught.value.code == "CompressedTruncated"


SILENT = [
    skippable(MiB) + zstd(PLAIN),
    skippable(HEAD_SIZE - 100) + zstd(PLAIN),
    gzip.compress(skippable(2 * MiB) + zstd(PLAIN)),
    gzip.compress(b"") * 10_000 + gzip.compress(PLAIN),
]
_NAMES = ["skippable", "nearly all skippable", "in gz", "empty members"]


@pytest.mark.parametrize("packed", [SILENT[0], SILENT[1], SILENT[3]], ids=["skippable", "nearly all", "empty members"])
def test_a_beginning_that_tells_nothing_is_read_on_where_there_are_ranges(packed: bytes) -> None:
    compression, head = unwrapped(packed)
    assert compression[-1] in ("zst", "gz")
    assert PLAIN.startswith(head)
    assert len(head) >= 512


@pytest.mark.parametrize("packed", SILENT, ids=_NAMES)
def test_a_beginning_that_does_not_tell_what_is_inside_is_not_taken_for_raw(packed: bytes) -> None:
    with pytest.raises(Fault) as caught:
        unwrapped(packed, ranges=False)
    assert caught.value.code == "PackingUnsupported"
    assert "do not tell what is inside" in caught.value.message


def test_nobody_reads_on_for_ever() -> None:
    with pytest.raises(Fault, match="a zst file of which 4,194,304 bytes do not tell what is inside"):
        unwrapped(skippable(5 * MiB) + zstd(PLAIN))
