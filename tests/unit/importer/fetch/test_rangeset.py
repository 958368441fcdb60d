from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from importer.fetch.rangeset import RangeSet

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


def bytes_of(ranges: list[tuple[int, int]]) -> set[int]:
    return {position for start, end in ranges for position in range(start, end)}


def test_neighbours_and_overlaps_become_one_range() -> None:
    ranges = RangeSet([(10, 20), (30, 40), (20, 25), (22, 31)])
    assert list(ranges) == [(10, 40)]
    assert ranges.total == 30
    assert len(ranges) == 1


def test_empty_ranges_add_nothing() -> None:
    assert list(RangeSet([(5, 5), (7, 3)])) == []


def test_missing_parts_come_in_order() -> None:
    ranges = RangeSet([(10, 20), (30, 40)])
    assert list(ranges.missing(0, 50)) == [(0, 10), (20, 30), (40, 50)]
    assert list(ranges.missing(12, 18)) == []
    assert list(ranges.missing(15, 35)) == [(20, 30)]
    assert ranges.covers(30, 40)
    assert not ranges.covers(30, 41)


def test_the_prefix_is_what_is_there_from_byte_0() -> None:
    assert RangeSet([(0, 7), (9, 12)]).reach(0) == 7
    assert RangeSet([(0, 7), (9, 12)]).reach(8) == 8
    assert RangeSet([(0, 7), (9, 12)]).reach(10) == 12
    assert RangeSet([(0, 7)]).reach(20) == 20
    assert RangeSet([(1, 7)]).reach(0) == 0
    assert RangeSet().reach(0) == 0


def test_removing_cuts_ranges() -> None:
    ranges = RangeSet([(0, 100)])
    ranges.remove(10, 20)
    ranges.remove(95, 200)
    ranges.remove(10, 10)
    assert list(ranges) == [(0, 10), (20, 95)]
    assert ranges.total == 85


@given(added=RANGES, removed=RANGES, window=st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_it_is_a_set_of_bytes(
    added: list[tuple[int, int]], removed: list[tuple[int, int]], window: tuple[int, int]
) -> None:
    ranges = RangeSet(added)
    for start, end in removed:
        ranges.remove(start, end)
    expected = bytes_of(added) - bytes_of(removed)
    found = list(ranges)
    assert bytes_of(found) == expected
    assert ranges.total == len(expected)
    assert all(end < start for (_, end), (start, _) in pairwise(found))
    assert bytes_of(list(ranges.missing(*window))) == bytes_of([window]) - expected
    assert ranges == RangeSet(found)
