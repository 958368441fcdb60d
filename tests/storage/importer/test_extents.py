"""A source that knows what of it is data: nothing else is read, and holes are holes, also over what a target held."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from support.fuzzing import seed
from support.loopdev import loop_device
from support.memorysource import MemorySource

from cdi.base.units import KiB, MiB
from importer import transfer
from importer.cancel import Cancel
from importer.plan import Route
from importer.progress import Progress, Stage
from importer.target import Target
from importer.transfer import Request

SIZE = 24 * MiB + 512


def drawn(chance: random.Random) -> MemorySource:
    """A disk and where its data is: parts at any byte, far apart and near."""
    data, extents, position = bytearray(SIZE), [], 0
    while position < SIZE:
        position += chance.choice((1, 700, 5000, 70 * KiB, MiB, 7 * MiB))
        end = min(SIZE, position + chance.choice((1, 512, 4096, 100 * KiB, 3 * MiB)))
        if position < end:
            data[position:end] = chance.randbytes(end - position)
            extents.append((position, end))
        position = end
    return MemorySource(bytes(data), extents=extents)


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Target]:
    if kind == "device":
        with loop_device(folder, 26 * MiB, dirty=True) as device:
            yield Target.at_path(device, state=folder)
        return
    target = Target.at_path(folder / "disk.img", preallocation=kind == "preallocated file", overwrite=True)
    target.path.write_bytes(random.randbytes(30 * MiB))
    yield target


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", ["file", "preallocated file", "device"])
def test_only_data_is_read_and_all_else_is_zero(kind: str, declared: bool, tmp_path: Path) -> None:
    source = drawn(random.Random(seed()))
    assert source.extents is not None
    progress = Progress()
    with opened(kind, tmp_path) as target:
        result = transfer.run(Request(lambda: source, target, raw=declared), progress, Cancel())
        assert result.plan.route is Route.SCATTER
        content = target.path.read_bytes()
    assert content[:SIZE] == source.data
    assert not any(content[SIZE:]) or kind == "device"
    most = sum(end - start + 8 * KiB for start, end in source.extents)
    gaps = [two[0] - one[1] for one, two in pairwise(source.extents)]
    near = sum(gap for gap in gaps if gap <= 72 * KiB)  # read over: between their pages they are less than 64 KiB apart
    assert result.bytes_fetched <= most + near + 512  # is it the footer of a VHD?
    snapshot = progress.snapshot()
    assert (snapshot.stage, snapshot.bytes_done) == (Stage.DONE, SIZE)


def test_a_disk_of_holes_is_read_not_at_all(tmp_path: Path) -> None:
    source = MemorySource(bytes(SIZE), extents=[])
    with opened("device", tmp_path) as target:
        transfer.run(Request(lambda: source, target, raw=True), Progress(), Cancel())
        assert not any(target.path.read_bytes()[:SIZE])
    with opened("file", tmp_path) as target:
        transfer.run(Request(lambda: source, target, raw=True), Progress(), Cancel())
        assert not any(target.path.read_bytes())
        assert target.path.stat().st_blocks == 0
    assert source.opened == []


def test_a_map_does_not_tell_of_what_is_inside_an_image(tmp_path: Path) -> None:
    """A checksum is of every byte, and the holes of a packed file are none of the disk."""
    data = gzip.compress(bytes(SIZE))
    source = MemorySource(data, extents=[])
    with opened("file", tmp_path) as target:
        transfer.run(Request(lambda: replace(source), target), Progress(), Cancel())
        assert target.path.read_bytes() == bytes(SIZE)
