"""``cdi import`` onto real devices and file systems, and what it says when they refuse."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import Outcome, cdi
from support.loopdev import loop_device, mounted, remount

MiB = 1024 * 1024
VOLUME = {"ext4": 64 * MiB, "xfs": 320 * MiB}
KINDS = ["raw", "qcow2", "gz"]


def a_disk() -> bytes:
    noise, disk = random.Random(9), bytearray(20 * MiB)
    for start, length in ((0, 4096), (MiB, 2 * MiB), (9 * MiB + 512, 70_000), (19 * MiB, MiB)):
        disk[start : start + length] = noise.randbytes(length)
    return bytes(disk)


DISK = a_disk()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    place = tmp_path_factory.mktemp("images")
    (place / "raw").write_bytes(DISK)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "raw", "qcow2"], cwd=place, check=True)
    return {"raw": DISK, "qcow2": (place / "qcow2").read_bytes(), "gz": gzip.compress(DISK, 1)}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(params=["ext4", "xfs"])
def volume(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path, request.param, VOLUME[request.param]) as place:
        yield place


def refused(outcome: Outcome, code: str) -> None:
    assert (outcome.status, f"[{code}]" in outcome.stderr) == (5, True), outcome
    assert " Try: " in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", KINDS)
def test_a_device_holds_the_image_and_zeros(
    kind: str, sector: int, ranges: bool, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/disk", Route(body=images[kind], ranges=ranges))
    with loop_device(tmp_path, 24 * MiB, sector, dirty=True) as device:
        outcome = cdi("import", url, device, "--state", tmp_path / "state")
        assert outcome.status == 0, outcome
        assert device.read_bytes() == DISK + bytes(4 * MiB)
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.parametrize("sector", [512, 4096])
def test_clusters_smaller_than_a_sector_are_placed_rightly(sector: int, server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(DISK)
    options = ["-o", "cluster_size=512", "raw", "qcow2"]
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options], cwd=tmp_path, check=True)
    url = server.add("/disk", Route(body=(tmp_path / "qcow2").read_bytes()))
    with loop_device(tmp_path, 20 * MiB, sector, dirty=True) as device:
        outcome = cdi("import", url, device, "--state", tmp_path / "state")
        assert outcome.status == 0, outcome
        assert device.read_bytes() == DISK


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_a_device_that_is_too_small_is_left_alone(
    kind: str, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    with loop_device(tmp_path, 16 * MiB, dirty=True) as device:
        before = device.read_bytes()
        refused(cdi("import", server.add("/disk", Route(body=images[kind])), device), "TargetTooSmall")
        assert device.read_bytes() == before
    assert server.bytes_sent < 512 * 1024


def test_a_device_with_a_mounted_file_system_is_busy(server: FaultServer, tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 32 * MiB) as place:
        (place / "precious").write_text("data")
        device = Path(subprocess.check_output(["findmnt", "-no", "SOURCE", place], text=True).strip())
        refused(cdi("import", server.add("/disk", Route(body=DISK)), device), "TargetBusy")
        assert (place / "precious").read_text() == "data"
    assert server.bytes_sent < 512 * 1024


def test_a_read_only_device_is_refused(server: FaultServer, tmp_path: Path) -> None:
    with loop_device(tmp_path, 24 * MiB, read_only=True) as device:
        refused(cdi("import", server.add("/disk", Route(body=DISK)), device), "TargetReadOnly")
    assert server.bytes_sent < 512 * 1024


def test_a_volume_that_fills_up_is_told_and_goes_on_when_there_is_room(volume: Path, server: FaultServer) -> None:
    noise, facts = random.Random(10).randbytes(24 * MiB), os.statvfs(volume)
    with (volume / "ballast").open("wb") as ballast:
        # Room for half of it; root may use what is reserved for root.
        os.posix_fallocate(ballast.fileno(), 0, facts.f_bfree * facts.f_frsize - 12 * MiB)
    url = server.add("/disk", Route(body=noise))
    outcome = cdi("import", url, volume / "disk.img")
    refused(outcome, "NoSpace")
    assert str(volume / "disk.img") in outcome.stderr
    assert not (volume / "disk.img").exists()
    (volume / "ballast").unlink()
    before = server.bytes_sent
    assert cdi("import", url, volume / "disk.img").status == 0
    assert (volume / "disk.img").read_bytes() == noise
    assert server.bytes_sent - before < len(noise) * 0.9
    assert {path.name for path in volume.iterdir()} - {"lost+found"} == {"disk.img"}


def test_a_volume_without_room_for_what_must_be_kept_whole_is_told(server: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(random.Random(14).randbytes(20 * MiB))
    command = "qemu-img convert -f raw -O vhdx raw disk.vhdx"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    url = server.add("/disk", Route(body=(tmp_path / "disk.vhdx").read_bytes(), ranges=False))
    with mounted(tmp_path, "ext4", 16 * MiB) as place:
        outcome = cdi("import", url, place / "disk.img")
        refused(outcome, "NoSpace")
        assert str(place) in outcome.stderr
        assert [path.name for path in place.iterdir()] == ["lost+found"]


@pytest.mark.parametrize("state", ["/proc/nowhere/state", "/dev/null/state"])
def test_a_place_for_the_journal_that_cannot_be_is_told(state: str, server: FaultServer, tmp_path: Path) -> None:
    with loop_device(tmp_path, 24 * MiB) as device:
        refused(cdi("import", server.add("/disk", Route(body=DISK)), device, "--state", state), "TargetMissing")
    assert server.bytes_sent < 512 * 1024


def test_a_thin_device_that_runs_out_is_told_and_is_no_disk(server: FaultServer, tmp_path: Path) -> None:
    """Its backing file lies on a file system that is smaller than it says to be."""
    noise = random.Random(12).randbytes(48 * MiB)
    with mounted(tmp_path, "ext4", 32 * MiB) as place, loop_device(place, 64 * MiB) as device:
        refused(cdi("import", server.add("/disk", Route(body=noise)), device, "--state", tmp_path / "state"), "NoSpace")
        with device.open("rb") as disk:
            assert not any(disk.read(MiB - 4096))  # behind it is the attempt's stamp


def test_a_volume_that_is_read_only_is_told(volume: Path, server: FaultServer) -> None:
    remount(volume, "ro")
    refused(cdi("import", server.add("/disk", Route(body=DISK)), volume / "disk.img"), "TargetReadOnly")
    assert server.bytes_sent < 512 * 1024


def test_a_directory_that_is_not_there_is_told(server: FaultServer, tmp_path: Path) -> None:
    url = server.add("/disk", Route(body=DISK))
    refused(cdi("import", url, tmp_path / "nowhere" / "disk.img"), "TargetMissing")
    assert server.bytes_sent < 512 * 1024


def test_a_file_system_with_lost_and_found_is_a_place_for_a_disk(
    volume: Path, images: dict[str, bytes], server: FaultServer
) -> None:
    (volume / "lost+found").mkdir(exist_ok=True)
    outcome = cdi("import", server.add("/disk", Route(body=images["qcow2"])), volume, "--size", "24Mi")
    assert outcome.status == 0, outcome
    assert (volume / "disk.img").read_bytes() == DISK + bytes(4 * MiB)
    assert sorted(path.name for path in volume.iterdir()) == ["disk.img", "lost+found"]
