"""A disk ends where a block of its volume does: otherwise whoever reads it past the page cache loses its end, or cannot
open it."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopdev import loop_device, mounted

from cdi.base.units import MiB
from cloner.local import Result, clone
from importer import transfer
from importer.blank import make_blank
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sinks import kernel
from importer.sinks.kernel import Birth
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request

ODD = random.Random(16).randbytes(1_500_001)


@pytest.fixture(params=[512, 4096], scope="module")
def sector(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def volume(sector: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(tmp_path_factory.mktemp("sizes"), "ext4", 192 * MiB, sector=sector) as place:
        yield place


@pytest.fixture
def disk(volume: Path) -> Iterator[Path]:
    yield volume / "disk.img"
    (volume / "disk.img").unlink(missing_ok=True)


def opens_past_the_page_cache(disk: Path) -> bool:
    """To the last byte, as qemu does with cache=none."""
    size = disk.stat().st_size
    length = min(size, 64 * 1024)
    command = ["qemu-io", "-f", "raw", "-r", "-t", "none", "-c", f"read {size - length} {length}", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0 and f"read {length}/{length} bytes" in done.stdout


def imported(image: Path, target: Target) -> int:
    return transfer.run(Request(SourceSpec(str(image)), target), Progress(), Cancel()).disk_size


@pytest.mark.parametrize("packing", ["plain", "gz"])
@pytest.mark.parametrize(("asked", "size"), [(None, 0), (2_000_001, 2 * MiB), (100_000_000, 96 * MiB)])
def test_an_image_of_any_size_becomes_a_disk_of_whole_blocks(
    asked: int | None, size: int, packing: str, disk: Path, sector: int, tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.write_bytes(gzip.compress(ODD, 1) if packing == "gz" else ODD)
    said = imported(image, Target.at_path(disk, size=asked))
    assert said == disk.stat().st_size == (size or -(-len(ODD) // sector) * sector)
    assert disk.read_bytes() == ODD.ljust(said, b"\0")
    assert opens_past_the_page_cache(disk)


def test_a_blank_disk_and_a_clone_have_whole_blocks_too(disk: Path, volume: Path, tmp_path: Path) -> None:
    assert make_blank(Target.at_path(disk, size=100_000_000)) == disk.stat().st_size == 96 * MiB
    assert opens_past_the_page_cache(disk)
    (tmp_path / "image").write_bytes(ODD)
    clone(tmp_path / "image", disk, Result(1), Progress(), Cancel())
    assert disk.read_bytes() == ODD.ljust(disk.stat().st_size, b"\0")
    assert opens_past_the_page_cache(disk)


@pytest.mark.parametrize("asked", [None, 2_000_001])
def test_what_is_said_of_a_device_is_whole_blocks_and_zeros_follow_the_image(
    asked: int | None, sector: int, tmp_path: Path
) -> None:
    (tmp_path / "image").write_bytes(ODD)
    with loop_device(tmp_path, 4 * MiB, sector, dirty=True) as device:
        said = imported(tmp_path / "image", Target.at_path(device, size=asked, state=tmp_path / "state"))
        assert said == -(-(asked or len(ODD)) // sector) * sector
        assert device.read_bytes() == ODD.ljust(4 * MiB, b"\0")
        assert make_blank(Target.at_path(device, size=asked or 1, state=tmp_path / "state")) % sector == 0
        assert not any(device.read_bytes())


def test_an_older_kernel_says_it_in_sysfs(volume: Path, sector: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "birth", lambda _fd: Birth(0, 0))
    fd = os.open(volume, os.O_RDONLY)
    assert kernel.logical_block(fd) == sector
    os.close(fd)
