"""The upload server's program: readiness, exit code, termination message, and what a kill leaves."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest
from support.images import run as run_program
from support.images import write_disk
from support.loopdev import loop_device
from support.podroot import give_to_pods
from support.uploading import Trust, head_of, in_the_past
from support.uploadprocess import in_pod, serving

MiB = 1024 * 1024
DISK = random.Random(8).randbytes(3 * MiB)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


def test_a_success_ends_the_process_with_the_contracts_message(trust: Trust, tmp_path: Path) -> None:
    with serving(trust, tmp_path, PREALLOCATION="true") as server:
        assert server.post("/v1beta1/upload-async", DISK).status == 200
        status, message = server.ended()
    said = json.loads(message)
    assert (status, said["message"], said["preallocationApplied"]) == (0, "Upload Complete", True)
    assert (tmp_path / "disk.img").read_bytes() == DISK


def test_a_deadline_is_neither_success_nor_failure(trust: Trust, tmp_path: Path) -> None:
    with serving(trust, tmp_path, DEADLINE=in_the_past()) as server:
        assert server.ended() == (0, '{"deadlinePassed": true, "message": "Deadline Passed"}')


def test_an_asynchronous_upload_that_fails_afterwards_is_told_by_the_end(trust: Trust, tmp_path: Path) -> None:
    with serving(trust, tmp_path) as server:
        with server.client() as client:
            client.send(head_of("/v1beta1/upload-async", f"Content-Length: {len(DISK)}"), DISK[: 2 * MiB])
            while not any(tmp_path.iterdir()):
                time.sleep(0.02)  # until another program writes
            (tmp_path / "disk.img").mkdir()  # the name that the disk would get
            client.send(DISK[2 * MiB :])
            assert client.heard().status == 200
        status, message = server.ended()
    assert (status, message.startswith("Saving stream failed: [")) == (1, True)
    assert "disk.img" in message


def test_a_server_that_cannot_serve_says_why(trust: Trust, tmp_path: Path) -> None:
    with serving(trust, tmp_path, TLS_CERT_FILE="/nowhere") as server:
        status, message = server.ended()
    assert (status, "[ManifestInvalid]" in message, "/nowhere" in message) == (1, True, True)


def test_a_stop_in_the_middle_leaves_nothing(trust: Trust, tmp_path: Path) -> None:
    with serving(trust, tmp_path) as server, server.client() as client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}"), DISK[: 2 * MiB])
        while not any(tmp_path.iterdir()):
            time.sleep(0.02)  # until another program writes
        server.process.send_signal(signal.SIGTERM)
        assert client.heard().status == 503
        assert server.ended() == (8, "")
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("at", [100_000, 2 * MiB, len(DISK) - 1])
def test_a_kill_leaves_no_disk_and_the_next_server_takes_the_upload(trust: Trust, tmp_path: Path, at: int) -> None:
    with serving(trust, tmp_path) as server, server.client() as client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}"), DISK[:at])
        server.process.kill()
        server.process.wait()
    assert not (tmp_path / "disk.img").exists()
    with serving(trust, tmp_path) as server:
        assert server.post("/v1beta1/upload", DISK).status == 200
        assert server.ended()[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.img", "message"]
    assert (tmp_path / "disk.img").read_bytes() == DISK


def test_in_its_pod_it_writes_the_contracts_file(trust: Trust, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    volume = give_to_pods(tmp_path / "volume")
    with in_pod(trust, tmp_path, data=volume) as server:
        assert server.post("/v1beta1/upload", DISK).status == 200
        assert server.ended()[0] == 0
    disk = volume / "disk.img"
    assert disk.read_bytes() == DISK.ljust(16 * MiB, b"\0")
    assert (disk.stat().st_mode & 0o777, disk.stat().st_gid) == (0o660, 107)


def test_on_a_device_what_must_be_kept_whole_asks_for_scratch(trust: Trust, tmp_path: Path) -> None:
    raw, image = tmp_path / "raw", tmp_path / "image"
    write_disk(raw, 6 * MiB)
    run_program("qemu-img", "convert", "-f", "raw", "-O", "vmdk", raw, image)
    with loop_device(tmp_path, 32 * MiB) as device:
        with in_pod(trust, tmp_path, device=device) as server:
            said = server.post("/v1beta1/upload", image.read_bytes())
            assert (said.status, "[ScratchRequired]" in said.text) == (503, True)
            status, message = server.ended()
        assert (status, json.loads(message)["scratchSpaceRequired"]) == (0, True)
        (tmp_path / "second").mkdir()
        with in_pod(trust, tmp_path / "second", device=device) as server:
            assert server.post("/v1beta1/upload", raw.read_bytes()).status == 200
            assert server.ended()[0] == 0
        with device.open("rb") as disk:
            assert disk.read(6 * MiB) == raw.read_bytes()
