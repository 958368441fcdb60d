"""The importer's pod onto real volumes: the contract's paths, as user 107, on devices and file systems."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import os
import random
import re
import ssl
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.loopdev import loop_device, mounted, remount
from support.podroot import UID, PodRun, give_to_pods, run_in_pod, start_in_pod
from support.ports import free_port

MiB = 1024 * 1024
VOLUME = {"ext4": 64 * MiB, "xfs": 320 * MiB}
DONE = {"preallocationApplied": False, "message": "Import Complete"}
KINDS = ["raw", "qcow2", "gz"]


def a_disk() -> bytes:
    """24 MiB with holes in it, one of them at the end."""
    noise, disk = random.Random(7), bytearray(24 * MiB)
    for start, length in ((0, 100_000), (2 * MiB, 3 * MiB), (7 * MiB + 512, 512), (20 * MiB, 2 * MiB + 100)):
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
        yield give_to_pods(place)


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path, "ext4", VOLUME["ext4"]) as place:
        yield give_to_pods(place)


def names_in(volume: Path) -> set[str]:
    return {path.name for path in volume.iterdir()} - {"lost+found"}


@pytest.mark.parametrize("sector", [512, 4096])
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_becomes_the_whole_content_of_a_device_that_was_used_before(
    kind: str, sector: int, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=images[kind])), "IMPORTER_IMAGE_SIZE": "32Mi"}
    with loop_device(tmp_path, 32 * MiB, sector, dirty=True) as device:
        run = run_in_pod(tmp_path, variables, device=device)
        assert run.status == 0, run.log
        assert device.read_bytes() == DISK + bytes(8 * MiB)
    assert run.result == DONE
    assert "Successfully completed fsync(/dev/cdi-block-volume) syscall" in run.log


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_becomes_the_disk_of_a_file_system(
    kind: str, volume: Path, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    (volume / "lost+found").mkdir(exist_ok=True)  # as ext4 has it; no business of an importer
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=images[kind])), "IMPORTER_IMAGE_SIZE": "24Mi"}
    run = run_in_pod(tmp_path, variables, data=volume)
    assert run.status == 0, run.log
    disk = volume / "disk.img"
    facts = disk.stat()
    assert disk.read_bytes() == DISK
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o7777) == (UID, UID, 0o660)
    assert facts.st_blocks * 512 <= 6 * MiB
    assert names_in(volume) == {"disk.img"}
    assert run.result == DONE
    assert "Successfully completed fsync(/data/disk.img) syscall" in run.log
    assert run.progress[-1]["percent"] == 100.0


def test_a_disk_grows_to_the_request_less_the_overhead(
    ext4: Path, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    variables = {
        "IMPORTER_ENDPOINT": server.add("/disk", Route(body=images["qcow2"])),
        "IMPORTER_IMAGE_SIZE": "40Mi",
        "FILESYSTEM_OVERHEAD": "0.06",
    }
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert run.status == 0, run.log
    # 40 MiB / 1.06, down to a whole MiB: what usable("0.06", 40Mi) of the contract is.
    assert (ext4 / "disk.img").stat().st_size == 37 * MiB
    assert (ext4 / "disk.img").read_bytes() == DISK + bytes(13 * MiB)


def test_a_disk_is_preallocated_when_asked_for(
    volume: Path, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/disk", Route(body=images["qcow2"]))
    variables = {"IMPORTER_ENDPOINT": url, "IMPORTER_IMAGE_SIZE": "30Mi", "PREALLOCATION": "true"}
    run = run_in_pod(tmp_path, variables, data=volume)
    assert run.result == DONE | {"preallocationApplied": True}
    assert (volume / "disk.img").read_bytes() == DISK + bytes(6 * MiB)
    assert (volume / "disk.img").stat().st_blocks * 512 >= 30 * MiB


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_is_too_small_is_told_and_what_it_held_is_gone(
    kind: str, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=images[kind])), "IMPORTER_IMAGE_SIZE": "16Mi"}
    with loop_device(tmp_path, 16 * MiB, dirty=True) as device:
        run = run_in_pod(tmp_path, variables, device=device)
        ends = device.read_bytes()[:MiB] + device.read_bytes()[-MiB:]
    assert run.status == 1
    if kind == "gz":
        # How large it is only its end says: both ends of the device are zeros again.
        assert "[TargetOutgrown]" in run.message
        assert not any(ends)
    else:
        assert run.message.startswith(
            f"Unable to process data: virtual image size {24 * MiB} is larger than the reported available storage "
            f"{16 * MiB}. A larger PVC is required [TargetTooSmall]"
        )
        assert server.bytes_sent < 512 * 1024


@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_a_volume_that_is_too_small_is_told_before_anything_is_fetched(
    kind: str, images: dict[str, bytes], server: FaultServer, tmp_path: Path
) -> None:
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=images[kind])), "IMPORTER_IMAGE_SIZE": "24Mi"}
    with mounted(tmp_path, "ext4", 16 * MiB) as place:
        run = run_in_pod(tmp_path, variables, data=give_to_pods(place))
        assert names_in(place) == set()
    assert (run.status, "[TargetTooSmall]" in run.message) == (1, True)
    assert "is larger than the reported available storage" in run.message
    assert server.bytes_sent < 512 * 1024


@pytest.mark.parametrize(("kind", "size"), [("ext4", 64), ("xfs", 320)])
def test_the_size_that_is_suggested_is_enough_for_the_file_system_too(
    kind: str, size: int, server: FaultServer, tmp_path: Path
) -> None:
    """A disk as large as its volume: ext4 and xfs keep some of it for themselves."""
    image = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, f"{size}M"], check=True)
    url = server.add("/disk", Route(body=image.read_bytes()))

    def imported(mib: int) -> PodRun:
        with mounted(tmp_path, kind, mib * MiB) as place:
            variables = {"IMPORTER_ENDPOINT": url, "IMPORTER_IMAGE_SIZE": f"{mib}Mi"}
            return run_in_pod(tmp_path, variables, data=give_to_pods(place))

    refused = imported(size)
    assert (refused.status, "[TargetTooSmall]" in refused.message) == (1, True), refused.message
    assert f" of {size * MiB:,} (the rest is the file system's)" in refused.message
    suggested = re.search(r"Try: ask for (\d+)Mi or more", refused.message)
    assert suggested is not None
    assert size < int(suggested[1]) < 2 * size
    assert imported(int(suggested[1])).status == 0


def test_a_volume_that_is_read_only_is_told(ext4: Path, server: FaultServer, tmp_path: Path) -> None:
    remount(ext4, "ro")
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=DISK)), "IMPORTER_IMAGE_SIZE": "24Mi"}
    run = run_in_pod(tmp_path, variables, data=ext4)
    remount(ext4, "rw")
    assert (run.status, "[TargetReadOnly]" in run.message) == (1, True), run.message
    assert " Try: " in run.message
    assert server.bytes_sent < 512 * 1024


def test_a_volume_of_another_user_is_told_with_who_asked(ext4: Path, server: FaultServer, tmp_path: Path) -> None:
    os.chown(ext4, 0, 0)
    ext4.chmod(0o755)
    variables = {"IMPORTER_ENDPOINT": server.add("/disk", Route(body=DISK)), "IMPORTER_IMAGE_SIZE": "24Mi"}
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert (run.status, "[TargetDenied]" in run.message) == (1, True), run.message
    assert f"(uid {UID}, gid {UID})" in run.message
    assert server.bytes_sent < 512 * 1024


@pytest.mark.parametrize("onto", ["file", "device"])
def test_a_wrong_checksum_leaves_nothing_and_exits_0(
    onto: str, ext4: Path, server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/disk", Route(body=DISK))
    variables = {"IMPORTER_ENDPOINT": url, "IMPORTER_CHECKSUM": "sha256:" + "0" * 64, "IMPORTER_IMAGE_SIZE": "24Mi"}
    with loop_device(tmp_path, 24 * MiB, dirty=True) as device:
        run = run_in_pod(tmp_path, variables, **({"data": ext4} if onto == "file" else {"device": device}))
        content = device.read_bytes()
    assert run.status == 0
    assert run.result["message"].startswith("Unable to process data: checksum validation failed: checksum mismatch: ")
    assert names_in(ext4) == set()
    if onto == "device":
        assert not any(content[:MiB] + content[-MiB:])


def test_a_blank_disk_fills_the_device(tmp_path: Path) -> None:
    with loop_device(tmp_path, 8 * MiB, dirty=True) as device:
        run = run_in_pod(tmp_path, {"IMPORTER_SOURCE": "none", "IMPORTER_IMAGE_SIZE": "8Mi"}, device=device)
        assert run.status == 0, run.log
        assert device.read_bytes() == bytes(8 * MiB)
    assert run.result == DONE


@pytest.mark.parametrize("onto", ["file", "device"])
@pytest.mark.parametrize("kind", ["raw", "gz"])
def test_a_container_that_was_killed_goes_on_after_its_restart(
    kind: str, onto: str, ext4: Path, server: FaultServer, tmp_path: Path
) -> None:
    noise = random.Random(13).randbytes(24 * MiB)
    members = (gzip.compress(noise[start : start + MiB], 1) for start in range(0, len(noise), MiB))
    body = noise if kind == "raw" else b"".join(members)
    variables = {"IMPORTER_IMAGE_SIZE": "24Mi"}
    variables["IMPORTER_ENDPOINT"] = server.add("/disk", Route(body=body, trickle=(256 * 1024, 0.02)))
    with loop_device(tmp_path, 24 * MiB) as device:
        volume = {"data": ext4} if onto == "file" else {"device": device}
        container = start_in_pod(tmp_path, variables, **volume)
        server.wait_for_bytes(len(body) * 2 // 3)
        container.kill()
        container.communicate()
        assert not (ext4 / "disk.img").exists()
        before = server.bytes_sent
        server.add("/disk", Route(body=body))
        run = run_in_pod(tmp_path, variables, **volume)
        assert run.result == DONE, run.log
        assert (device if onto == "device" else ext4 / "disk.img").read_bytes() == noise
    assert server.bytes_sent - before < len(body) * 0.8
    assert names_in(ext4) == ({"disk.img"} if onto == "file" else set())


def a_vhdx(directory: Path) -> bytes:
    (directory / "raw").write_bytes(DISK)
    command = "qemu-img convert -f raw -O vhdx raw disk.vhdx"
    subprocess.run(command.split(), cwd=directory, check=True)
    return (directory / "disk.vhdx").read_bytes()


def test_a_new_pod_goes_on_with_a_device_where_the_last_one_had_made_it_durable(
    server: FaultServer, tmp_path: Path
) -> None:
    """The journal was in the pod; what the controller has kept of its progress is what the next one is given."""
    noise = random.Random(14).randbytes(8 * MiB)
    body = noise * 40
    variables = {"IMPORTER_IMAGE_SIZE": "320Mi"}
    # 256 MiB are made durable; the rest does not come before the pod is killed.
    variables["IMPORTER_ENDPOINT"] = server.add("/disk", Route(body=body, withheld=(300 * MiB, 310 * MiB)))
    with loop_device(tmp_path, 320 * MiB) as device:
        first, other, second = (tmp_path / name for name in ("first", "other", "second"))
        for directory in (first, other, second):
            directory.mkdir()
        container = start_in_pod(first, variables, device=device)
        assert container.stdout is not None
        said = next(said for said in map(json.loads, container.stdout) if "record" in said)
        record, durable = said["record"], said["durable"]
        container.kill()
        container.communicate()
        before = server.bytes_sent
        server.add("/disk", Route(body=body))
        run = run_in_pod(second, variables | {"IMPORTER_DURABLE": record}, device=device)
        assert run.result == DONE, run.log
        assert device.read_bytes() == body
        assert durable > 16 * MiB
        assert server.bytes_sent - before < len(body) - durable + 8 * MiB
        # The device is another one by now, and the record is worth nothing.
        before = server.bytes_sent
        run = run_in_pod(other, variables | {"IMPORTER_DURABLE": record}, device=device)
        assert run.result == DONE, run.log
        assert device.read_bytes() == body
        assert server.bytes_sent - before >= len(body)


def test_what_must_be_kept_whole_meanwhile_is_kept_beside_or_on_the_scratch_volume(
    ext4: Path, server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/disk", Route(body=a_vhdx(tmp_path), ranges=False))
    variables = {"IMPORTER_ENDPOINT": url, "IMPORTER_IMAGE_SIZE": "24Mi"}
    with loop_device(tmp_path, 24 * MiB) as device:
        run = run_in_pod(tmp_path, variables, device=device)
        assert (run.status, run.result["scratchSpaceRequired"]) == (0, True), run.log
        run = run_in_pod(tmp_path, variables, device=device, scratch=ext4)
        assert run.result == DONE, run.log
        assert device.read_bytes() == DISK
        ext4.chmod(0o755)
        run = run_in_pod(tmp_path, variables, device=device, scratch=ext4)
        assert (run.status, "[TargetDenied] cannot write /scratch" in run.message) == (1, True), run.log
        ext4.chmod(0o777)
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert run.result == DONE, run.log
    assert (ext4 / "disk.img").read_bytes() == DISK
    assert names_in(ext4) == {"disk.img"}


def an_archive(*members: tuple[str, int, bytes | None]) -> bytes:
    """Of names, modes and contents; None: a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, mode, content in members:
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = mode, len(content or b"")
            entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            archive.addfile(entry, io.BytesIO(content or b""))
    return out.getvalue()


TREE = an_archive(("etc", 0o755, None), ("etc/motd", 0o644, b"hello\n"))
UNPACKING = {"IMPORTER_CONTENTTYPE": "archive", "IMPORTER_IMAGE_SIZE": "32Mi"}


def test_an_archive_is_unpacked_beside_lost_and_found(ext4: Path, server: FaultServer, tmp_path: Path) -> None:
    variables = UNPACKING | {"IMPORTER_ENDPOINT": server.add("/tree.tar", Route(body=TREE))}
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert (run.status, run.result) == (0, DONE), run.log
    assert names_in(ext4) == {"etc"}
    assert (ext4 / "etc" / "motd").read_text() == "hello\n"


MODES = [0o555, 0o400, 0o311, 0o000]


def test_what_an_archive_left_goes_whatever_its_modes(ext4: Path, server: FaultServer, tmp_path: Path) -> None:
    members: list[tuple[str, int, bytes | None]] = []
    for mode in MODES:
        name = f"{mode:o}"
        members += [(name, mode, None), (f"{name}/below", mode, None), (f"{name}/below/file", 0, b"x")]
    url = server.add("/tree.tar", Route(body=an_archive(*members)))
    variables = UNPACKING | {"IMPORTER_ENDPOINT": url, "IMPORTER_CHECKSUM": "md5:" + "0" * 32}
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert "checksum mismatch" in run.message, run.log
    assert "not all removed" not in run.log
    assert names_in(ext4) == set()


@pytest.mark.parametrize("checksum", ["right", "wrong"])
def test_what_somebody_else_has_put_into_a_volume_stays_there(
    checksum: str, ext4: Path, server: FaultServer, tmp_path: Path
) -> None:
    """A static volume, or what a driver keeps in each of its own."""
    (ext4 / "precious").write_text("mine")
    (ext4 / ".trashcan").mkdir(mode=0o755)
    (ext4 / ".trashcan" / "file").write_text("the driver's")
    digest = hashlib.md5(TREE).hexdigest() if checksum == "right" else "0" * 32
    variables = UNPACKING | {"IMPORTER_ENDPOINT": server.add("/tree.tar", Route(body=TREE))}
    for _ in range(2):
        run = run_in_pod(tmp_path, variables | {"IMPORTER_CHECKSUM": f"md5:{digest}"}, data=ext4)
        assert (run.status, "checksum mismatch" in run.message) == (0, checksum == "wrong"), run.log
    assert names_in(ext4) == {"precious", ".trashcan", "etc"}
    assert (ext4 / "precious").read_text() == "mine"
    assert (ext4 / ".trashcan" / "file").read_text() == "the driver's"


def test_what_a_killed_container_had_unpacked_takes_no_room_from_the_next(
    ext4: Path, server: FaultServer, tmp_path: Path
) -> None:
    noise = random.Random(15).randbytes(30 * MiB)
    body = an_archive(("first", 0o644, noise), ("second", 0o644, b"x" * MiB))
    variables = UNPACKING | {"IMPORTER_ENDPOINT": server.add("/tree.tar", Route(body=body, trickle=(256 * 1024, 0.01)))}
    container = start_in_pod(tmp_path, variables, data=ext4)
    server.wait_for_bytes(28 * MiB)
    container.kill()
    container.communicate()
    assert ".cdi-unpacking" in names_in(ext4)
    (ext4 / "stale").write_text("of another archive")
    server.add("/tree.tar", Route(body=body))
    run = run_in_pod(tmp_path, variables, data=ext4)
    assert run.result == DONE, run.log
    assert names_in(ext4) == {"first", "second"}
    assert (ext4 / "first").read_bytes() == noise


def test_a_killed_import_goes_on_where_it_barely_fits(server: FaultServer, tmp_path: Path) -> None:
    noise = random.Random(13).randbytes(24 * MiB)
    with mounted(tmp_path, "ext4", 36 * MiB) as place:
        give_to_pods(place)
        variables = {"IMPORTER_IMAGE_SIZE": "24Mi"}
        variables["IMPORTER_ENDPOINT"] = server.add("/disk", Route(body=noise, trickle=(256 * 1024, 0.02)))
        container = start_in_pod(tmp_path, variables, data=place)
        server.wait_for_bytes(16 * MiB)
        container.kill()
        container.communicate()
        before = server.bytes_sent
        server.add("/disk", Route(body=noise))
        run = run_in_pod(tmp_path, variables, data=place)
        assert run.result == DONE, run.message
        assert server.bytes_sent - before < 20 * MiB
        # Again, onto the whole disk: a container that was started once more.
        run = run_in_pod(tmp_path, variables, data=place)
        assert run.result == DONE, run.message
        assert (place / "disk.img").read_bytes() == noise


@pytest.mark.parametrize("preallocation", ["true", "false"])
def test_a_blank_disk_can_be_made_again(preallocation: str, ext4: Path, tmp_path: Path) -> None:
    variables = {"IMPORTER_SOURCE": "none", "IMPORTER_IMAGE_SIZE": "40Mi", "PREALLOCATION": preallocation}
    for _ in range(2):
        run = run_in_pod(tmp_path, variables, data=ext4)
        assert run.status == 0, run.message
        assert (ext4 / "disk.img").stat().st_size == 40 * MiB
    assert names_in(ext4) == {"disk.img"}


def test_user_107_can_make_the_metrics_certificate(ext4: Path, server: FaultServer, tmp_path: Path) -> None:
    port = free_port()
    variables = {"CDI_METRIC_ADDRESS": f"127.0.0.1:{port}", "IMPORTER_IMAGE_SIZE": "24Mi"}
    variables["IMPORTER_ENDPOINT"] = server.add("/disk", Route(body=DISK, ranges=False, stall_at={1: 12 * MiB}))
    container = start_in_pod(tmp_path, variables, data=ext4)
    try:
        server.wait_for_bytes(MiB)
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
        connection.request("GET", "/metrics")
        assert 'kubevirt_cdi_import_progress_total{ownerUID="an-owner"} ' in connection.getresponse().read().decode()
        connection.close()
    finally:
        container.terminate()
        container.communicate(timeout=20)
    assert container.returncode == 8
