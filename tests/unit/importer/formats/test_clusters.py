from __future__ import annotations

import zlib

import pytest
import zstandard

from cdi.base.faults import Fault
from importer.formats import Kind
from importer.formats.clusters import inflate_cluster

PLAIN = b"The quick brown fox. " * 3000
LENGTH = len(PLAIN)


def packed(kind: Kind, plain: bytes) -> bytes:
    if kind is Kind.ZSTD:
        return zstandard.compress(plain)
    packer = zlib.compressobj(wbits=-12 if kind is Kind.DEFLATE else 15)
    return packer.compress(plain) + packer.flush()


every_kind = pytest.mark.parametrize("kind", [Kind.DEFLATE, Kind.ZLIB, Kind.ZSTD])


@every_kind
@pytest.mark.parametrize("behind", [b"", b"\0" * 400, b"\xa5" * 400])
def test_a_cluster_is_unpacked_whatever_lies_behind_it(kind: Kind, behind: bytes) -> None:
    assert inflate_cluster(kind, memoryview(packed(kind, PLAIN) + behind), LENGTH) == PLAIN


@every_kind
def test_a_cluster_that_reaches_beyond_the_disk_is_cut(kind: Kind) -> None:
    assert inflate_cluster(kind, packed(kind, PLAIN), 512) == PLAIN[:512]


@every_kind
def test_a_bomb_gives_no_more_than_a_cluster(kind: Kind) -> None:
    assert inflate_cluster(kind, packed(kind, bytes(8 << 20)), 65536) == bytes(65536)


@every_kind
@pytest.mark.parametrize("damage", ["short", "cut", "empty", "noise"])
def test_a_damaged_cluster_is_invalid(kind: Kind, damage: str) -> None:
    data = {
        "short": packed(kind, PLAIN[:-1]),
        "cut": packed(kind, PLAIN)[: len(packed(kind, PLAIN)) // 2],
        "empty": b"",
        "noise": b"\xff\x07" * 500,
    }[damage]

    with pytest.raises(Fault) as caught:
        inflate_cluster(kind, data, LENGTH)

    assert caught.value.code == "ImageInvalid"
