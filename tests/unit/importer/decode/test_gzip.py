from __future__ import annotations

import gzip
import zlib

import pytest
from support.packed import drain, feed, some_plain, unpack

from cdi.base.faults import Fault
from importer.decode.gzip import GzipDecoder

PLAIN = some_plain(300_000)


@pytest.mark.parametrize("zeros", [1, 3, 512, 700_000])
def test_zeros_behind_the_last_member_are_padding(zeros: int) -> None:
    packed = gzip.compress(PLAIN) + bytes(zeros)
    decoder = GzipDecoder(feed(packed))
    assert drain(decoder) == PLAIN
    assert decoder.consumed == len(packed)


def test_a_wrong_length_in_the_trailer_is_damage() -> None:
    packed = bytearray(gzip.compress(PLAIN))
    packed[-1] ^= 1
    with pytest.raises(Fault, match="CompressedDamaged"):
        unpack("gz", bytes(packed))


def test_header_fields_may_arrive_in_single_bytes() -> None:
    header = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x05\x00extra" + b"name\0" + b"comment\0"
    packed = header + gzip.compress(PLAIN, mtime=0)[10:]
    assert unpack("gz", packed, lambda: 1) == PLAIN


def test_zlib_serves_where_isal_is_missing() -> None:
    packed = gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:])
    assert drain(GzipDecoder(feed(packed), zlib)) == PLAIN
    with pytest.raises(Fault, match="CompressedTruncated"):
        drain(GzipDecoder(feed(packed[:-3]), zlib))
