"""A disk is sent from a source to an upload server, over real TLS: whole, sparse, and again after either end dies."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fuzzing import seed
from support.uploading import LOOPBACK, Trust, UploadServer, head_of

from cdi.base.faults import Fault
from cdi.base.wire.clone import CloneEnvironment, claim_uri, decode_clone
from cdi.base.wire.termination import Termination
from cloner import push
from cloner.pod import Cloning
from cloner.server import Server
from cloner.source import SourceDisk, open_disk
from importer.cancel import Cancel
from importer.progress import Progress

MiB = 1 << 20
SIZE = 48 * MiB + 512


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target" / "disk.img"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """8 MiB of data in four places, and zeros written out."""
    chance, path = random.Random(seed()), tmp_path / "source" / "disk.img"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(SIZE)
        for place in sorted(chance.sample(range(11), 4)):
            file.seek(place * 4 * MiB + chance.randrange(4096))
            file.write(chance.randbytes(2 * MiB))
        file.seek(44 * MiB)
        file.write(bytes(4 * MiB) + b"the end")
    return path


def told(trust: Trust, server: UploadServer | int, mount: Path) -> dict[str, str]:
    port = server if isinstance(server, int) else server.port
    environment = CloneEnvironment(
        mount_point=str(mount),
        upload_url=f"https://{LOOPBACK}:{port}/v1beta1/upload",
        server_ca=trust.servers.cert.read_text(),
    )
    pair = trust.client
    secret = {"CLIENT_KEY": pair.key.read_text(), "CLIENT_CERT": pair.cert.read_text()}
    return environment.encode() | secret


def cloned(trust: Trust, server: UploadServer, source: Path) -> Termination:
    return Cloning(told(trust, server, source.parent)).work(Progress(), Cancel())


def test_the_target_has_the_same_bytes_and_only_data_travels(trust: Trust, source: Path, target: Path) -> None:
    with UploadServer(target, trust) as server:
        said = cloned(trust, server, source)
        ended = server.ended()
    assert (said.message, said.method) == ("Clone Complete", "network")
    assert isinstance(ended, Termination)
    assert ended.message == "Clone Complete"
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 <= 9 * MiB
    assert ended.bytes_done <= 9 * MiB
    assert [path.name for path in target.parent.iterdir()] == ["disk.img"]


def test_a_guests_disk_that_begins_like_an_image_stays_as_it_is(trust: Trust, source: Path, target: Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(source), "1G"], check=True)
    os.truncate(source, MiB)
    with UploadServer(target, trust) as server:
        cloned(trust, server, source)
    assert target.read_bytes() == source.read_bytes()


def test_a_lost_connection_costs_little(
    trust: Trust, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every connection is cut once, in the middle."""
    left, real = [4], push.Connection.send

    def send(self: push.Connection, header: bytes, payload: bytes | memoryview = b"") -> None:
        real(self, header, payload)
        if left[0] and len(payload) > MiB // 2:
            left[0] -= 1
            self.interrupt()

    monkeypatch.setattr(push.Connection, "send", send)
    with UploadServer(target, trust) as server:
        cloned(trust, server, source)
    assert not left[0]
    assert target.read_bytes() == source.read_bytes()


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


HOSTILE: dict[str, Callable[[Path], None]] = {
    "a link": link,
    "a FIFO": os.mkfifo,
    "a directory": Path.mkdir,
    "a device": lambda path: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)),
    "nothing": lambda _path: None,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=list(HOSTILE))
def test_what_is_no_file_is_never_read(
    trust: Trust, tmp_path: Path, target: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "claim").mkdir()
    make(tmp_path / "claim" / "disk.img")
    with UploadServer(target, trust) as server, pytest.raises(Fault) as caught:
        cloned(trust, server, tmp_path / "claim" / "disk.img")
    assert caught.value.code == "FileUnreadable"
    assert list(target.parent.iterdir()) == []


def test_another_claims_client_is_refused(trust: Trust, source: Path, target: Path) -> None:
    with UploadServer(target, trust, CDI_CLIENT_URI=claim_uri("mine")) as server, pytest.raises(Fault) as caught:
        cloned(trust, server, source)
    assert (caught.value.code, caught.value.values["status"]) == ("CloneRefused", 401)


def test_a_target_that_is_too_small_says_so_at_once(trust: Trust, source: Path, target: Path) -> None:
    with UploadServer(target, trust, UPLOAD_IMAGE_SIZE="1Mi") as server, pytest.raises(Fault) as caught:
        cloned(trust, server, source)
    assert caught.value.code == "CloneRefused"
    assert "is larger than the reported available" in caught.value.message


def test_a_target_that_does_not_come_is_told_with_its_name(trust: Trust, source: Path) -> None:
    server = Server.of(decode_clone(told(trust, 9, source.parent)))
    disk = SourceDisk(open_disk(source, claim=True), "")
    with pytest.raises(Fault) as caught:
        push.Push(server, disk, Progress(), Cancel()).run(patience_s=0)
    assert caught.value.code == "CloneTargetAway"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/clone/v1/begin", b"{}", 400),
        ("/clone/v1/begin", b"x" * 5000, 400),
        ("/clone/v1/other", b"", 404),
        (f"/clone/v1/{'0' * 32}/extents", b"abc", 410),
        (f"/clone/v1/{'0' * 32}/finish", b"{}", 410),
    ],
)
def test_what_is_no_clone_is_answered(trust: Trust, target: Path, path: str, body: bytes, status: int) -> None:
    with UploadServer(target, trust) as server, server.client() as client:
        client.send(head_of(path, f"Content-Length: {len(body)}"), body)
        assert client.heard().status == status
