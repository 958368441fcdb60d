"""One copier between files and devices: the same bytes, only data is written, and old content of a device is gone."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.fuzzing import seed
from support.loopdev import loop_device, mounted

from cdi.base.faults import Fault
from cloner.local import copy
from importer.cancel import Cancel
from importer.progress import Progress
from importer.target import Target

MiB = 1 << 20
SIZE = 16 * MiB


def fill(path: Path) -> None:
    """Data in three of sixteen MiB; what else is there is made zero."""
    chance = random.Random(seed())
    content = bytearray(SIZE)
    for place in (0, 5, 11):
        content[place * MiB : place * MiB + MiB // 2] = chance.randbytes(MiB // 2)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, content, 0)
    os.fsync(fd)
    os.close(fd)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize(("source", "target"), list(itertools.product(["file", "device"], repeat=2)))
def test_files_and_devices_are_copied_into_each_other(
    tmp_path: Path, stack: ExitStack, source: str, target: str, sector: int
) -> None:
    (tmp_path / "target").mkdir()
    one = stack.enter_context(loop_device(tmp_path, SIZE, sector)) if source == "device" else tmp_path / "source.img"
    fill(one)
    other = tmp_path / "target" / "disk.img"
    if target == "device":
        other = stack.enter_context(loop_device(tmp_path, SIZE + 8 * MiB, sector, dirty=True))
    progress = Progress()
    method = copy(one, lambda _size: Target.at_path(other, overwrite=True, state=tmp_path), progress, Cancel())
    is_inside = source == target == "file"
    assert (method in ("reflink", "copy_file_range")) is is_inside
    expected = one.read_bytes()
    assert other.read_bytes()[:SIZE] == expected
    assert not any(other.read_bytes()[SIZE:])
    assert progress.snapshot().percent == 100


def test_blocks_are_shared_where_the_file_system_can(tmp_path: Path, stack: ExitStack) -> None:
    place = stack.enter_context(mounted(tmp_path, "xfs", 400 * MiB))
    fill(place / "source.img")
    target = place / "disk.img"
    assert copy(place / "source.img", lambda _size: Target.at_path(target), Progress(), Cancel()) == "reflink"
    assert target.read_bytes() == (place / "source.img").read_bytes()


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_device_that_is_too_small_is_not_touched(tmp_path: Path, stack: ExitStack, sector: int) -> None:
    fill(tmp_path / "source.img")
    device = stack.enter_context(loop_device(tmp_path, SIZE // 2, sector, dirty=True))
    before = device.read_bytes()
    target = Target.at_path(device, overwrite=True, state=tmp_path)
    with pytest.raises(Fault) as caught:
        copy(tmp_path / "source.img", lambda _size: target, Progress(), Cancel())
    assert caught.value.code == "TargetTooSmall"
    assert device.read_bytes() == before
