"""Cutting extent maps into requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import KiB, MiB
from importer.fetch.rangeset import RangeSet
from importer.formats import Extent, Kind
from importer.routes.segments import GAP, REQUEST, Segment, holes, missing_extents, segments

CLUSTER = 64 * KiB


def data(guest: int, host: int, length: int = CLUSTER) -> Extent:
    return Extent(guest, length, host, length)


def packed(guest: int, host: int, host_length: int) -> Extent:
    return Extent(guest, CLUSTER, host, host_length, Kind.DEFLATE)


def cut(*extents: Extent) -> list[Segment]:
    return list(segments(iter(extents), 2 * MiB))


def test_near_extents_travel_in_one_request_and_far_ones_apart() -> None:
    found = cut(data(0, 0), data(CLUSTER, 2 * CLUSTER), data(2 * CLUSTER, 3 * CLUSTER + GAP + 1))
    assert [(segment.host, segment.length) for segment in found] == [(0, 3 * CLUSTER), (3 * CLUSTER + GAP + 1, CLUSTER)]


def test_a_long_extent_is_cut_into_requests() -> None:
    found = cut(data(0, MiB, 20 * MiB))
    assert [segment.length for segment in found] == [REQUEST, REQUEST, 4 * MiB]
    assert [segment.extents[0].guest for segment in found] == [0, REQUEST, 2 * REQUEST]


def test_compressed_clusters_are_kept_whole_and_apart_from_data() -> None:
    found = cut(packed(0, 1000, 500), packed(CLUSTER, 1500, 600), data(2 * CLUSTER, CLUSTER))
    assert [(segment.whole, len(segment.extents)) for segment in found] == [(True, 2), (False, 1)]


def test_extents_are_fetched_in_the_order_of_the_file() -> None:
    found = cut(data(0, 10 * MiB), data(CLUSTER, 0))
    assert [segment.host for segment in found] == [0, 10 * MiB]


def test_kept_ranges_are_left_out_but_compressed_clusters_never_partly() -> None:
    kept = RangeSet()
    kept.add(0, CLUSTER // 2)
    kept.add(CLUSTER, 2 * CLUSTER)
    spared: list[int] = []
    found = list(missing_extents([data(0, 0), data(CLUSTER, CLUSTER), packed(0, 9, 9)], kept, spared.append))
    assert sum(spared) == CLUSTER // 2 + CLUSTER
    assert found == [Extent(CLUSTER // 2, CLUSTER // 2, CLUSTER // 2, CLUSTER // 2), packed(0, 9, 9)]


@pytest.mark.parametrize(
    ("extents", "expected"),
    [
        ([], [(0, 100)]),
        ([Extent(0, 100, 0, 100)], []),
        ([Extent(10, 20, 0, 20), Extent(50, 10, 0, 10)], [(0, 10), (30, 20), (60, 40)]),
    ],
)
def test_holes_are_everything_between(extents: list[Extent], expected: list[tuple[int, int]]) -> None:
    found: list[tuple[int, int]] = []
    assert list(holes(extents, 100, lambda offset, length: found.append((offset, length)))) == extents
    assert found == expected


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40), st.booleans()), max_size=30))
def test_every_byte_of_every_extent_is_in_exactly_one_segment(raw: list[tuple[int, int, bool]]) -> None:
    extents, guest = [], 0
    for host, clusters, is_packed in raw:
        length = clusters * MiB if not is_packed else CLUSTER
        extents.append(
            Extent(guest, length, host * MiB, 1000 if is_packed else length, Kind.DEFLATE if is_packed else Kind.DATA)
        )
        guest += length
    covered: list[tuple[int, int]] = []
    for segment in cut(*extents):
        assert segment.length <= REQUEST
        for extent in segment.extents:
            assert segment.host <= extent.host
            assert extent.host + extent.host_length <= segment.host + segment.length
            covered.append((extent.guest, extent.length))
    assert sum(length for _, length in covered) == guest
    assert len({start for start, _ in covered}) == len(covered)
