from __future__ import annotations

import lzma

import pytest
from support.packed import feed, some_plain, tool, unpack

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.decode.supply import Supply
from importer.decode.xz_format import dictionary_size

PLAIN = some_plain(300_000)


@pytest.mark.parametrize("groups", [1, 2, 100_000])
def test_padding_comes_in_groups_of_four_zeros(groups: int) -> None:
    packed = tool("xz -1c", PLAIN)
    assert unpack("xz", packed + bytes(4 * groups)) == PLAIN
    assert unpack("xz", packed + bytes(4 * groups) + packed) == PLAIN + PLAIN


def test_padding_of_another_length_is_refused() -> None:
    with pytest.raises(Fault, match="CompressedTrailing"):
        unpack("xz", tool("xz -1c", PLAIN) + bytes(6))


@pytest.mark.parametrize("level", range(10))
def test_the_dictionary_is_read_from_the_block_header(level: int) -> None:
    expected = [256 << 10, MiB, 2 * MiB, 4 * MiB, 4 * MiB, 8 * MiB, 8 * MiB, 16 * MiB, 32 * MiB, 64 * MiB][level]
    packed = lzma.compress(b"a", preset=level)
    assert dictionary_size(Supply(feed(packed))) == expected
    assert unpack("xz", packed) == b"a"


def test_a_larger_dictionary_than_that_of_the_highest_level_is_refused() -> None:
    packed = lzma.compress(b"a", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 128 * MiB}])
    with pytest.raises(Fault) as caught:
        unpack("xz", packed)
    assert caught.value.code == "MemoryLimit"
    assert caught.value.values["needed"] == 128 * MiB
