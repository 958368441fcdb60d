"""A disk is not made over what it is made from, by whatever name or device either is reached."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sinks.apart import share_bytes
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request

DISK = os.urandom(8 * MiB)
PARTITIONS = {1: 2048, 2: 8192}  # number: start in sectors


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


Attach = Callable[..., Path]


@pytest.fixture
def attach() -> Iterator[Attach]:
    """Makes loop devices: ``attach(file, *options of losetup)``."""
    with ExitStack() as stack:

        @contextmanager
        def attached(file: Path, *options: str) -> Iterator[Path]:
            device = Path(output("losetup", "--find", "--show", *options, file))
            try:
                yield device
            finally:
                output("losetup", "--detach", device)

        yield lambda file, *options: stack.enter_context(attached(file, *options))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(DISK)
    return path


def refused(source: Path, target: Path, content: Path) -> None:
    before = content.read_bytes()
    request = Request(SourceSpec(str(source)), Target.at_path(target, state=content.parent / "state", overwrite=True))
    with pytest.raises(Fault) as caught:
        transfer.run(request, Progress(), Cancel())
    assert caught.value.code == "TargetIsSource"
    assert content.read_bytes() == before


def test_a_device_and_itself_by_another_name(image: Path, attach: Attach, tmp_path: Path) -> None:
    device = attach(image)
    (tmp_path / "by-id").symlink_to(device)
    os.mknod(tmp_path / "node", 0o600 | 0o060000, device.stat().st_rdev)
    for other in (device, tmp_path / "by-id", tmp_path / "node"):
        refused(device, other, image)
        refused(other, device, image)


def test_a_file_and_the_loop_devices_over_it(image: Path, attach: Attach, tmp_path: Path) -> None:
    first, second = attach(image), attach(image)
    above = attach(first)
    os.link(image, tmp_path / "hard")
    refused(image, first, image)
    refused(tmp_path / "hard", first, image)
    refused(first, second, image)
    refused(above, second, image)
    refused(second, above, image)
    refused(image, above, image)


def test_a_loop_device_over_the_file_that_would_be_replaced_or_written(image: Path, attach: Attach) -> None:
    device = attach(image)
    refused(device, image, image)
    part = image.rename(image.with_name("disk.img.part"))
    refused(device, part.with_name("disk.img"), part)


def test_a_disk_and_its_partitions(image: Path, attach: Attach) -> None:
    disk = attach(image, "--partscan")
    for number, start in PARTITIONS.items():
        output("addpart", disk, str(number), str(start), "4096")
    one, two = (_partition(disk, number) for number in (1, 2))
    refused(disk, one, image)
    refused(two, disk, image)
    refused(image, two, image)
    refused(attach(one), one, image)
    assert not share_bytes(one, two)
    assert not share_bytes(attach(one), two)


def _partition(disk: Path, number: int) -> Path:
    """Where nobody makes the nodes of devices, it is made here."""
    node = Path(f"{disk}p{number}")
    if not node.exists():
        major, minor = Path(f"/sys/block/{disk.name}/{node.name}/dev").read_text().split(":")
        node = disk.parent / node.name
        os.mknod(node, 0o600 | 0o060000, os.makedev(int(major), int(minor)))
    return node


def test_what_lies_beside_it_in_the_same_file_is_another_disk(image: Path, attach: Attach) -> None:
    first = attach(image, "--sizelimit", str(2 * MiB))
    second = attach(image, "--offset", str(2 * MiB))
    both = attach(image, "--offset", str(MiB), "--sizelimit", str(2 * MiB))
    assert not share_bytes(first, second)
    assert share_bytes(first, both)
    assert share_bytes(both, second)
    before = image.read_bytes()
    target = Target.at_path(second, state=image.parent / "state")
    transfer.run(Request(SourceSpec(str(first)), target), Progress(), Cancel())
    assert image.read_bytes() == before[: 2 * MiB] * 2 + bytes(4 * MiB)
