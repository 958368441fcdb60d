from __future__ import annotations

import random

from cdi.base.units import KiB
from importer.tables import Tables

DATA = random.Random(1).randbytes(100_000)


def tables(head: int, size: int = len(DATA)) -> tuple[Tables, list[tuple[int, int]]]:
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return DATA[offset : offset + length]

    return Tables(read_at, DATA[:head], size), reads


def test_what_is_in_the_head_is_not_read_and_what_is_partly_there_is_read_partly() -> None:
    found, reads = tables(1000)
    assert [found(0, 1000), found(900, 300), found(2000, 10)] == [DATA[:1000], DATA[900:1200], DATA[2000:2010]]
    assert reads == [(1000, 200), (2000, 10)]


def test_where_it_was_read_is_remembered_in_cells() -> None:
    found, _ = tables(0)
    found(20_000, 10)
    cell = 4 * KiB
    assert found.overlaps(20_000, 20_001)
    assert found.overlaps(0, len(DATA) * 2)
    assert not found.overlaps(0, 20_000 // cell * cell)
    assert not found.overlaps(20_000 // cell * cell + cell, len(DATA))
    assert not found.overlaps(len(DATA), 1 << 60)


def test_a_file_of_any_size_takes_little_memory() -> None:
    found, _ = tables(0, size=1 << 62)
    found(1 << 61, 0)
    found(0, 1)
    assert found.overlaps(0, 1)
    assert not found.overlaps(1 << 61, (1 << 61) + 1)
