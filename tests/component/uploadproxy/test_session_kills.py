"""The upload server's process is killed in the middle of a session: what is sent again, and what the disk is."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.controller import wait_until
from support.loopdev import loop_device
from support.podroot import give_to_pods
from support.sessions import Holder, asked, metadata, offset_of, opened, patch_head, patched, sparse_of
from support.uploading import Trust
from support.uploadprocess import Process, in_pod, serving

from cdi.base.wire.extents.frames import MEDIA_TYPE

MiB = 1024 * 1024
DISK = random.Random(8).randbytes(5 * MiB) + bytes(2 * MiB) + random.Random(9).randbytes(4 * MiB)
HOLDER = Holder()
SPARSE = metadata(filetype=MEDIA_TYPE)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


def begun(server: Process, data: bytes, *headers: str) -> str:
    with server.client() as client:
        return opened(client, len(data), *headers)


def killed_behind(server: Process, path: str, data: bytes, until: int, directory: Path) -> int:
    """In the middle of a request, when ``until`` bytes have been sent and nearly all of them written; where that
    request began."""
    with server.client() as client:
        offset = offset_of(client, path)
        client.send(patch_head(path, offset, len(data) - offset), data[offset:until])
        wait_until(lambda: written(directory) >= until - 2 * MiB, "what was sent is written")
        server.process.kill()
        server.process.wait()
    return offset


def written(directory: Path) -> int:
    """The end of the last mark in the journal."""
    lines = [line.split() for file in directory.rglob("*.journal") for line in file.read_text().splitlines()]
    return max((int(words[2]) for words in lines if words[0] == "W" and len(words) == 4), default=0)


@contextmanager
def of_a_file(trust: Trust, directory: Path) -> Iterator[Process]:
    with serving(trust, directory, UPLOAD_IMAGE_SIZE="16Mi", **HOLDER.variables()) as server:
        yield server


def uploaded(serve: AbstractContextManager[Process], path: str, data: bytes) -> int:
    """To the end; how many bytes that took."""
    with serve as server:
        with server.client() as client:
            offset = offset_of(client, path)
            assert patched(client, path, offset, data[offset:]).status == 204
        assert server.ended()[0] == 0
    return len(data) - offset


@pytest.mark.parametrize("kind", ["raw", "sparse"])
def test_what_a_killed_server_wrote_is_not_sent_again(trust: Trust, tmp_path: Path, kind: str) -> None:
    data, headers = (DISK, []) if kind == "raw" else (sparse_of(DISK), [SPARSE])
    with of_a_file(trust, tmp_path) as server:
        path = begun(server, data, *headers)
        assert killed_behind(server, path, data, 4 * MiB, tmp_path) == 0
    with of_a_file(trust, tmp_path) as server:
        offset = killed_behind(server, path, data, len(data) - MiB, tmp_path)
        assert 0 < offset <= 4 * MiB
    rest = uploaded(of_a_file(trust, tmp_path), path, data)
    assert rest < len(data) - 2 * MiB
    assert (tmp_path / "disk.img").read_bytes() == DISK.ljust(16 * MiB, b"\0")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["disk.img", "message"]


@pytest.mark.parametrize("kind", ["raw", "sparse"])
def test_on_a_device_too(trust: Trust, tmp_path: Path, kind: str) -> None:
    data, headers = (DISK, []) if kind == "raw" else (sparse_of(DISK), [SPARSE])
    with loop_device(tmp_path, 32 * MiB) as device:
        with in_pod(trust, tmp_path, device=device, **HOLDER.variables()) as server:
            path = begun(server, data, *headers)
            assert killed_behind(server, path, data, 7 * MiB, tmp_path) == 0
        with in_pod(trust, tmp_path, device=device, **HOLDER.variables()) as server:
            with server.client() as client:
                offset = offset_of(client, path)
                assert offset >= 2 * MiB
                assert patched(client, path, offset, data[offset:]).status == 204
            assert server.ended()[0] == 0
        with device.open("rb") as disk:
            assert disk.read(len(DISK)) == DISK


def test_every_other_format_says_that_it_starts_again(trust: Trust, tmp_path: Path) -> None:
    data = gzip.compress(DISK, 1)
    with of_a_file(trust, tmp_path) as server:
        path = begun(server, data)
        killed_behind(server, path, data, 4 * MiB, tmp_path)
    with of_a_file(trust, tmp_path) as server:
        with server.client() as client:
            said = asked(client, "HEAD", path)
            assert (said.headers["upload-offset"], said.headers["cdi-fault"]) == ("0", "UploadStartsAgain")
            wrong = patched(client, path, 4 * MiB, b"x")
            assert (wrong.status, "[UploadStartsAgain]" in wrong.text) == (409, True)
        with server.client() as client:
            assert patched(client, path, 0, data).status == 204
        assert server.ended()[0] == 0
    assert (tmp_path / "disk.img").read_bytes() == DISK.ljust(16 * MiB, b"\0")


def test_one_that_another_process_began_is_ended(trust: Trust, tmp_path: Path) -> None:
    with of_a_file(trust, tmp_path) as server:
        path = begun(server, DISK)
        killed_behind(server, path, DISK, 4 * MiB, tmp_path)
    with of_a_file(trust, tmp_path) as server:
        with server.client() as client:
            assert asked(client, "DELETE", path).status == 204
            assert asked(client, "HEAD", path).status == 404
        assert not any(file.name.startswith("disk.img") for file in tmp_path.iterdir())
        assert server.post("/v1beta1/upload", DISK).status == 200
        assert server.ended()[0] == 0


def test_what_the_server_keeps_does_not_open_the_session(trust: Trust, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    volume = give_to_pods(tmp_path / "volume")
    with in_pod(trust, tmp_path, data=volume, **HOLDER.variables()) as server:
        path = begun(server, DISK)
        killed_behind(server, path, DISK, 4 * MiB, tmp_path)
    kept = b"".join(file.read_bytes() for file in volume.iterdir() if file.name[-8:] != "img.part")
    assert path.rpartition("/")[2].encode() not in kept
    (record,) = volume.glob("*.session")
    for content in (b"", b"{", b"[]", record.read_bytes().replace(b"raw", b"war"), b"\xff" * 5000):
        record.write_bytes(content)
        with in_pod(trust, tmp_path, data=volume, **HOLDER.variables()) as server, server.client() as client:
            assert asked(client, "HEAD", path).status == 404
    assert list(volume.glob("*.session")) == []
