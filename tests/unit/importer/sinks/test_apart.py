"""What of a device lies where, as sysfs shows it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from importer.sinks import apart
from importer.sinks.apart import Stretch, _of_device

DISK, FIRST, SECOND, OTHER_DISK = os.makedev(8, 0), os.makedev(8, 1), os.makedev(8, 2), os.makedev(8, 16)
ROOT, HOME, OVER_ROOT = os.makedev(253, 0), os.makedev(253, 1), os.makedev(253, 2)
ALL = (DISK, FIRST, SECOND, OTHER_DISK, ROOT, HOME, OVER_ROOT)
# Two logical volumes of the first partition; one has a device above it. The second disk has nothing.
CONTAINED = {
    (DISK, FIRST),
    (DISK, SECOND),
    (DISK, ROOT),
    (DISK, HOME),
    (DISK, OVER_ROOT),
    (FIRST, ROOT),
    (FIRST, HOME),
    (FIRST, OVER_ROOT),
    (ROOT, OVER_ROOT),
}


def name(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


@pytest.fixture
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    devices, numbers = tmp_path / "devices", tmp_path / "block"
    numbers.mkdir()

    def add(place: str, number: int, **attributes: int) -> None:
        directory = devices / place
        directory.mkdir(parents=True)
        (directory / "dev").write_text(name(number) + "\n")
        for attribute, value in attributes.items():
            (directory / attribute).write_text(f"{value}\n")
        (numbers / name(number)).symlink_to(directory)

    def above(place: str, below: str) -> None:
        (devices / place / "slaves").mkdir()
        (devices / place / "slaves" / Path(below).name).symlink_to(devices / below)

    add("sda", DISK)
    add("sda/sda1", FIRST, partition=1, start=2048, size=1000)
    add("sda/sda2", SECOND, partition=2, start=4096, size=1000)
    add("sdb", OTHER_DISK)
    for number, volume in enumerate((ROOT, HOME)):
        add(f"dm-{number}", volume)
        above(f"dm-{number}", "sda/sda1")
    add("dm-2", OVER_ROOT)
    above("dm-2", "dm-0")
    monkeypatch.setattr(apart, "_BLOCK", numbers)
    return tmp_path


def meet(one: int, other: int) -> bool:
    mine, others = (list(_of_device(number, 0, math.inf, 0)) for number in (one, other))
    return any(each.meets(another) for each in mine for another in others)


@pytest.mark.parametrize("one", ALL)
@pytest.mark.parametrize("other", ALL)
def test_a_device_meets_itself_and_what_it_is_a_part_of(one: int, other: int, sysfs: Path) -> None:
    assert meet(one, other) == (one == other or (one, other) in CONTAINED or (other, one) in CONTAINED)


def test_a_partition_is_a_stretch_of_its_disk(sysfs: Path) -> None:
    assert list(_of_device(FIRST, 0, math.inf, 0)) == [
        Stretch((FIRST,), 0, math.inf),
        Stretch((DISK,), 2048 * 512, 3048 * 512),
    ]


def test_a_device_that_is_taken_away_is_itself(sysfs: Path) -> None:
    (sysfs / "block" / name(FIRST) / "size").write_text("")
    assert list(_of_device(FIRST, 0, math.inf, 0)) == [Stretch((FIRST,), 0, math.inf)]
