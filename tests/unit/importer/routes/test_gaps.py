"""Which holes of a file are read over, and how much of it may be read in vain."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import KiB, MiB
from importer.formats import Extent
from importer.routes.gaps import GAP, Gaps
from importer.routes.segments import BATCH, segments

CLUSTER = 64 * KiB


def test_a_hole_that_nobody_wants_is_read_over_up_to_a_size() -> None:
    gaps = Gaps(0)
    assert gaps.bridges(0, GAP, complete=True)
    assert not gaps.bridges(0, GAP + 1, complete=True)


def test_a_table_that_was_read_is_not_read_again_beyond_a_hundredth() -> None:
    gaps = Gaps(100 * MiB, lambda start, end: True)
    bridged = sum(gaps.bridges(0, CLUSTER, complete=True) for _ in range(100))
    assert bridged == MiB // CLUSTER


def test_what_may_hold_data_that_comes_later_counts_too() -> None:
    gaps = Gaps(100 * MiB)
    assert sum(gaps.bridges(0, CLUSTER, complete=False) for _ in range(100)) == MiB // CLUSTER


def test_padding_is_always_read_over() -> None:
    gaps = Gaps(0, lambda start, end: True)
    assert all(gaps.bridges(0, 523, complete=False) for _ in range(1000))


def fetched(extents: list[Extent], size: int) -> int:
    return sum(segment.length for segment in segments(iter(extents), 2 * MiB, gaps=Gaps(size)))


@given(seed=st.integers(0, 1 << 32))
def test_clusters_in_any_order_are_fetched_once(seed: int) -> None:
    """Several batches of one file whose clusters lie in random order: each batch has its neighbours in others."""
    chance = random.Random(seed)
    count = chance.randrange(1, 300)
    places = chance.sample(range(2 * count), count)
    extents = [Extent(n * CLUSTER, CLUSTER, place * CLUSTER, CLUSTER) for n, place in enumerate(places)]
    size = 2 * count * CLUSTER
    assert fetched(extents, size) <= size


def test_batches_of_one_file_do_not_fetch_each_others_clusters() -> None:
    small, count = 4 * KiB, 3 * BATCH
    places = random.Random(5).sample(range(count), count)
    extents = [Extent(n * small, small, place * small, small) for n, place in enumerate(places)]
    assert fetched(extents, count * small) <= 1.01 * count * small
