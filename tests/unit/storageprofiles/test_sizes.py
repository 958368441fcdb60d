"""Sizes: the examples of the contract."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import GiB, MiB
from storageprofiles.sizes import required, scratch, usable


@pytest.mark.parametrize(("size", "requested"), [(GiB, 1138166334), (10**9, 1060361995), (500 * MiB, 555745280)])
def test_a_request_is_raised_by_the_overhead(size: int, requested: int) -> None:
    assert required("0.06", size) == requested


def test_the_usable_part_is_whole_mebibytes() -> None:
    assert usable("0.06", GiB) == 1012924416
    assert usable("0", GiB) == GiB


@given(st.integers(1, 2**50), st.sampled_from(["0", "0.055", "0.06", "0.1", "0.5"]))
def test_what_is_requested_for_a_disk_holds_it(size: int, overhead: str) -> None:
    assert usable(overhead, required(overhead, size)) >= size


def test_scratch_holds_the_disk_of_its_target() -> None:
    assert scratch(GiB, "0.06", "0.06") == 1024 * MiB
    assert scratch(GiB, "0", "0.06") == 1086 * MiB
