from __future__ import annotations

import mmap

from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import KiB, MiB
from importer.sinks.zeroes import GRANULARITY, address_of, is_zero, nonzero_runs, pieces


def naive_runs(data: bytes, granularity: int, base: int) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    start = 0
    while start < len(data):
        end = min(len(data), (base + start) // granularity * granularity + granularity - base)
        if any(data[start:end]):
            if runs and sum(runs[-1]) == start:
                runs[-1] = (runs[-1][0], end - runs[-1][0])
            else:
                runs.append((start, end - start))
        start = end
    return runs


def test_all_zeros_have_no_run() -> None:
    assert list(nonzero_runs(memoryview(bytes(3 * MiB + 17)))) == []


def test_one_byte_makes_its_block_a_run() -> None:
    data = bytearray(4 * MiB)
    data[2 * MiB + 70 * KiB] = 1
    assert list(nonzero_runs(memoryview(data))) == [(2 * MiB + 64 * KiB, 64 * KiB)]


def test_neighbouring_blocks_are_one_run_across_the_mebibyte() -> None:
    data = bytearray(2 * MiB)
    data[MiB - 1] = data[MiB] = 1
    assert list(nonzero_runs(memoryview(data))) == [(MiB - 64 * KiB, 128 * KiB)]


def test_blocks_lie_on_the_grid_of_the_disk_not_of_the_buffer() -> None:
    data = bytearray(128 * KiB)
    data[60 * KiB] = 1
    assert list(nonzero_runs(memoryview(data), base=4 * KiB)) == [(60 * KiB, 64 * KiB)]


def test_an_empty_buffer_has_no_run() -> None:
    assert list(nonzero_runs(memoryview(b""))) == []
    assert list(pieces(memoryview(b""), 0)) == []


def test_read_only_mapped_and_sliced_buffers_are_looked_at_where_they_are() -> None:
    mapped = memoryview(mmap.mmap(-1, 128 * KiB))
    mapped[64 * KiB] = 1
    for view in (memoryview(bytes(mapped)), mapped, mapped.toreadonly()):
        assert list(nonzero_runs(view)) == [(64 * KiB, 64 * KiB)]
    assert is_zero(mapped[: 64 * KiB])
    assert is_zero(mapped[64 * KiB + 1 :])
    assert address_of(mapped[4096:]) - address_of(mapped) == 4096
    assert address_of(mapped) % mmap.PAGESIZE == 0


@given(
    length=st.integers(0, 70_000),
    marks=st.lists(st.integers(0, 69_999), max_size=6),
    granularity=st.sampled_from([512, 4 * KiB, GRANULARITY]),
    base=st.integers(0, 3 * MiB),
)
def test_runs_are_those_of_a_simple_search(length: int, marks: list[int], granularity: int, base: int) -> None:
    data = bytearray(length)
    for mark in marks:
        if mark < length:
            data[mark] = 255
    assert list(nonzero_runs(memoryview(data), granularity, base)) == naive_runs(data, granularity, base)


@given(length=st.integers(0, 300_000), mark=st.integers(0, 299_999), base=st.integers(0, 2 * MiB))
def test_pieces_cover_the_buffer_without_gap_or_overlap(length: int, mark: int, base: int) -> None:
    data = bytearray(length)
    if mark < length:
        data[mark] = 1
    position = 0
    for start, size, zero in pieces(memoryview(data), base):
        assert start == position
        assert size > 0
        assert zero == (not any(data[start : start + size]))
        position += size
    assert position == length
