"""A raw disk of which it is known what is data."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from support.fuzzing import seed

from cdi.base.faults import Fault
from importer.formats import Kind
from importer.formats.raw import Raw

PAGE = 4096


def pages(size: int, *data: tuple[int, int]) -> list[tuple[int, int]]:
    found = list(Raw(lambda _offset, _length: b"", size, lambda: data).extents())
    assert all((each.host, each.host_length, each.kind) == (each.guest, each.length, Kind.DATA) for each in found)
    return [(each.guest, each.guest + each.length) for each in found]


def drawn(chance: random.Random, size: int) -> list[tuple[int, int]]:
    """Parts of [0, size), in order, some of them neighbours, some empty."""
    ends = sorted(chance.randrange(size + 1) for _ in range(2 * chance.randrange(30)))
    return list(zip(ends[::2], ends[1::2], strict=True))


def test_data_is_given_in_whole_pages_each_once() -> None:
    for number in range(500):
        chance = random.Random(seed() + number)
        size = chance.choice((1, 511, PAGE, 10 * PAGE + 5, 1000 * PAGE))
        data = drawn(chance, size)
        expected = {page for start, end in data if start < end for page in range(start // PAGE, -(-end // PAGE))}
        found = pages(size, *data)
        assert {page for start, end in found for page in range(start // PAGE, -(-end // PAGE))} == expected
        assert all(start % PAGE == 0 and (end % PAGE == 0 or end == size) for start, end in found)
        assert all(one[1] < two[0] for one, two in pairwise(found))


def test_without_a_map_all_of_it_is_data() -> None:
    assert [tuple(each)[:4] for each in Raw(lambda _offset, _length: b"", 10_000).extents()] == [(0, 10_000, 0, 10_000)]


@pytest.mark.parametrize("data", [[(5, 4)], [(0, 10_001)], [(-1, 5)], [(0, 10), (9, 20)], [(5000, 6000), (0, 4096)]])
def test_a_map_that_cannot_be_is_refused(data: list[tuple[int, int]]) -> None:
    """What it says of holes would be as wrong."""
    with pytest.raises(Fault, match="ImageInvalid"):
        pages(10_000, *data)
