"""Sessions over real TLS: what a client of tus 1.0 is answered, and what stands on the disk then."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.images import run
from support.sessions import SESSIONS, TUS, Holder, asked, metadata, offset_of, opened, patch_head, patched, sparse_of
from support.uploading import Trust, UploadServer, cut, form_of, head_of

from cdi.base.wire.extents.encoder import Encoder
from cdi.base.wire.extents.frames import MEDIA_TYPE
from cdi.base.wire.termination import Termination
from cdi.trust.tokens import key_pair
from uploadproxy.server import channel, session, sessions, slot

MiB = 1024 * 1024
DISK = random.Random(5).randbytes(2_500_000) + bytes(1_000_000) + random.Random(6).randbytes(300_320)
SPARSE = metadata(filetype=MEDIA_TYPE)
HOLDER = Holder()


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def server(disk: Path, trust: Trust) -> Iterator[UploadServer]:
    with UploadServer(disk, trust, UPLOAD_IMAGE_SIZE="8Mi", **HOLDER.variables()) as server:
        yield server


def holds(disk: Path, data: bytes) -> bool:
    """And nothing else is in the volume."""
    return [path.name for path in disk.parent.iterdir()] == ["disk.img"] and disk.read_bytes() == data.ljust(
        8 * MiB, b"\0"
    )


def qcow2_of(data: bytes, directory: Path) -> bytes:
    (directory / "disk.raw").write_bytes(data)
    run("qemu-img", "convert", "-q", "-O", "qcow2", directory / "disk.raw", directory / "disk.qcow2")
    return (directory / "disk.qcow2").read_bytes()


def test_a_raw_file_in_pieces_of_every_size(server: UploadServer, disk: Path) -> None:
    sizes = iter([1, 511, 4096, 100_000, 1_048_577, 7, *[900_001] * 9])
    with server.client() as client:
        path, offset = opened(client, len(DISK)), 0
        while offset < len(DISK):
            piece = DISK[offset : offset + next(sizes)]
            said = patched(client, path, offset, piece)
            offset += len(piece)
            assert (said.status, said.headers["upload-offset"]) == (204, str(offset))
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


@pytest.mark.parametrize("kind", ["qcow2", "raw.gz", "sparse", "vhd"])
def test_every_format_in_pieces(server: UploadServer, disk: Path, tmp_path: Path, kind: str) -> None:
    plain = DISK.ljust(4 * MiB, b"\0")
    headers = [SPARSE] if kind == "sparse" else []
    if kind == "vhd":
        (tmp_path / "disk.raw").write_bytes(plain)
        run(
            "qemu-img",
            "convert",
            "-q",
            "-O",
            "vpc",
            "-o",
            "subformat=fixed,force_size=on",
            tmp_path / "disk.raw",
            tmp_path / "disk.vhd",
        )
        data = (tmp_path / "disk.vhd").read_bytes()
    else:
        data = {
            "qcow2": lambda: qcow2_of(plain, tmp_path),
            "raw.gz": lambda: gzip.compress(plain),
            "sparse": lambda: sparse_of(plain),
        }[kind]()
    with server.client() as client:
        path = opened(client, len(data), *headers)
        for offset in range(0, len(data), 700_001):
            said = patched(client, path, offset, data[offset : offset + 700_001])
            assert said.status == 204, said
    assert isinstance(server.ended(), Termination)
    assert holds(disk, plain)


def test_an_archive_in_pieces(trust: Trust, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("a/file")
        member.size = len(DISK)
        tar.addfile(member, io.BytesIO(DISK))
    data = packed.getvalue()
    with UploadServer(tmp_path / "volume", trust, UPLOAD_IMAGE_SIZE="64Mi", **HOLDER.variables(archive=True)) as server:
        with server.client() as client:
            path = opened(client, len(data))
            for offset in range(0, len(data), 1_000_000):
                assert patched(client, path, offset, data[offset : offset + 1_000_000]).status == 204
        assert isinstance(server.ended(), Termination)
    assert (tmp_path / "volume" / "a" / "file").read_bytes() == DISK


@pytest.mark.parametrize("kind", ["raw", "sparse", "raw.gz"])
def test_after_cuts_nothing_much_is_sent_again(server: UploadServer, disk: Path, kind: str) -> None:
    data = {"raw": DISK, "sparse": sparse_of(DISK), "raw.gz": gzip.compress(DISK)}[kind]
    with server.client() as client:
        path = opened(client, len(data), *([SPARSE] if kind == "sparse" else []))
    sent, offset = 0, 0
    for until in range(600_000, len(data), 600_000):
        client = server.client()
        client.send(patch_head(path, offset, len(data) - offset), data[offset:until])
        sent += until - offset
        while server.progress.snapshot().bytes_done == 0 and kind != "raw":
            pass
        cut(client)
        with server.client() as client:
            offset = offset_of(client, path)
            assert offset <= until
    with server.client() as client:
        assert patched(client, path, offset, data[offset:]).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


def test_a_later_request_takes_over_from_one_whose_connection_is_held_by_nobody(
    server: UploadServer, disk: Path
) -> None:
    with server.client() as held, server.client() as client:
        path = opened(client, len(DISK))
        held.send(patch_head(path, 0, len(DISK)), DISK[:2_000_000])
        offset = offset_of(client, path)
        assert offset % 4096 == 0
        assert patched(client, path, offset, DISK[offset:]).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


def test_a_deferred_length_is_told_later(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        path = opened(client, None)
        assert asked(client, "HEAD", path).headers["upload-defer-length"] == "1"
        assert patched(client, path, 0, DISK[:1_000_000]).status == 204
        length = f"Upload-Length: {len(DISK)}"
        assert patched(client, path, 1_000_000, DISK[1_000_000:2_000_000], length).status == 204
        assert asked(client, "HEAD", path).headers["upload-length"] == str(len(DISK))
        assert patched(client, path, 2_000_000, DISK[2_000_000:], "Upload-Length: 5").status == 400
    with server.client() as client:
        assert patched(client, path, 2_000_000, DISK[2_000_000:]).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


def checksum(data: bytes, algorithm: str = "sha256") -> str:
    return f"Upload-Checksum: {algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def test_bytes_of_another_checksum_do_not_count(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        path = opened(client, len(DISK))
        assert patched(client, path, 0, DISK[:MiB], checksum(DISK[:MiB], "sha1")).status == 204
        wrong = patched(client, path, MiB, DISK[MiB : 2 * MiB], checksum(b"other"))
        assert (wrong.status, "UploadChecksumWrong" in wrong.text) == (460, True)
        assert offset_of(client, path) == MiB
        assert patched(client, path, MiB, DISK[MiB:], "Upload-Checksum: md4 AAAA").status == 400
    with server.client() as client:
        assert patched(client, path, MiB, DISK[MiB:], checksum(DISK[MiB:])).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


def test_more_than_can_be_held_has_no_checksum(server: UploadServer) -> None:
    with server.client() as client:
        path = opened(client, 9 * MiB)
        client.send(patch_head(path, 0, 9 * MiB, checksum(b"")))
        assert client.heard().status == 413


def test_a_session_that_is_ended_leaves_nothing(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        path = opened(client, len(DISK))
        assert patched(client, path, 0, DISK[:2_000_000]).status == 204
        assert asked(client, "DELETE", path).status == 204
        assert list(disk.parent.iterdir()) == []
        assert asked(client, "HEAD", path).status == 404
    assert server.post("/v1beta1/upload", DISK).status == 200


def test_wrong_ids_ended_sessions_and_other_claims_are_alike(server: UploadServer) -> None:
    with server.client() as client:
        path = opened(client, len(DISK))
        ended = opened(client, len(DISK))
        assert asked(client, "DELETE", ended).status == 204
        others = [
            ended,
            path[:-1],
            path + "x",
            path.replace("team", "tean"),
            path.replace("0e1f", "0e1e"),
            f"{SESSIONS}/x",
        ]
        said = [asked(client, method, other, "Content-Length: 0") for other in others for method in ("PATCH", "DELETE")]
        assert {(each.status, each.text) for each in said} == {(404, said[0].text)}
        assert "UploadSessionUnknown" in said[0].text
        assert asked(client, "HEAD", path).status == 200


def test_a_fifth_session_is_refused_while_four_are_in_use(
    server: UploadServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.client() as client:
        paths = [opened(client, len(DISK)) for _ in range(4)]
        said = asked(client, "POST", SESSIONS, "Upload-Length: 5", "Content-Length: 0")
        assert (said.status, "UploadSessionsFull" in said.text) == (503, True)
        monkeypatch.setattr(sessions, "QUIET_S", 0.0)
        opened(client, len(DISK))
        assert [asked(client, "HEAD", path).status for path in paths] == [404, 200, 200, 200]
        monkeypatch.setattr(sessions, "IDLE_S", -1.0)
        assert asked(client, "HEAD", paths[1]).status == 404


def test_a_client_that_stalls_gives_the_volume_back_and_keeps_its_session(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(channel, "WITHIN_S", 0.5)
    with server.client() as client:
        path = opened(client, len(DISK))
        client.send(patch_head(path, 0, len(DISK)), DISK[:1_000_000])
        said = client.heard()
        assert (said.status, "UploadStalled" in said.text) == (408, True)
    monkeypatch.setattr(channel, "WITHIN_S", 60.0)
    with server.client() as client:
        offset = offset_of(client, path)
        assert offset == 1_000_000 // 4096 * 4096
        assert server.post("/v1beta1/upload", DISK).status == 503  # its place is kept for a while
        assert patched(client, path, offset, DISK[offset:]).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


def test_one_that_was_displaced_starts_again(server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.client() as client:
        path, other = opened(client, len(DISK)), opened(client, len(DISK))
        assert patched(client, path, 0, DISK[:MiB]).status == 204
        assert patched(client, other, 0, DISK[:MiB]).status == 503
    monkeypatch.setattr(slot, "QUIET_S", 0.0)
    with server.client() as client:
        assert patched(client, other, 0, DISK[:MiB]).status == 204
        said = asked(client, "HEAD", path)
        assert (said.headers["upload-offset"], said.headers["cdi-fault"]) == ("0", "UploadStartsAgain")
        wrong = patched(client, path, MiB, DISK[MiB:])
        assert (wrong.status, wrong.headers["upload-offset"]) == (409, "0")
        assert session.DISPLACED in wrong.text
    with server.client() as client:
        assert patched(client, path, 0, DISK).status == 204
    assert holds(disk, DISK)


def test_what_is_no_disk_fails_the_session_and_frees_the_volume(server: UploadServer, disk: Path) -> None:
    page = b"<html><body>not here</body></html>"
    with server.client() as client:
        path = opened(client, len(page))
        said = patched(client, path, 0, page)
        assert (said.status, "NotADiskImage" in said.text) == (400, True)
        assert asked(client, "HEAD", path).status == 400
    with server.client() as client:
        large = opened(client, 9 * MiB)
        client.send(patch_head(large, 0, 9 * MiB), DISK[:MiB])
        said = client.heard()
        assert (said.status, "reported available storage" in said.text or "TargetTooSmall" in said.text) == (400, True)
    assert server.post("/v1beta1/upload", DISK).status == 200


@pytest.mark.parametrize("how", ["overlaps", "behind", "cut", "digest", "trails"])
def test_a_sparse_stream_that_breaks_a_rule_is_refused(server: UploadServer, disk: Path, how: str) -> None:
    data = bytearray(sparse_of(DISK))
    if how == "overlaps":
        other = Encoder(len(DISK))
        header, payload = (other.head(), other.extent(0, memoryview(DISK[:65536])))[1]
        data = bytearray(sparse_of(DISK)[:32] + 2 * (bytes(header) + bytes(payload)))
    elif how == "behind":
        data = bytearray(Encoder(4096).head() + sparse_of(DISK)[32:])
    elif how == "cut":
        del data[-100:]
    elif how == "digest":
        data[-1] ^= 1
    else:
        data += b"x"
    with server.client() as client:
        path = opened(client, len(data), SPARSE)
        said = patched(client, path, 0, bytes(data))
        assert (said.status, "UploadMalformed" in said.text) == (400, True)
    assert list(disk.parent.iterdir()) == []
    assert server.post("/v1beta1/upload", DISK).status == 200


def test_requests_that_are_not_tus(server: UploadServer) -> None:
    with server.client() as client:
        client.send(head_of(SESSIONS, method="OPTIONS"))
        said = client.heard()
        assert (said.status, said.headers["tus-version"]) == (204, "1.0.0")
        assert "termination" in said.headers["tus-extension"]
        client.send(head_of(SESSIONS, "Upload-Length: 5", "Content-Length: 0"))
        assert client.heard().status == 412
        wrong = [
            "Upload-Length: x",
            "Upload-Length: -1",
            "Upload-Length: 99999999999999999999",
            "A: b",
            "Upload-Length: 0",
        ]
        wrong += ["Upload-Metadata: a ****\r\nUpload-Length: 5", f"Upload-Metadata: a {'A' * 5000}\r\nUpload-Length: 5"]
        for headers in wrong:
            assert asked(client, "POST", SESSIONS, headers, "Content-Length: 0").status == 400
        path = opened(client, len(DISK))
        client.send(head_of(path, TUS, "Upload-Offset: 0", "Content-Length: 0", method="PATCH"))
        assert client.heard().status == 415
        assert patched(client, path, 1, b"").status == 409
        client.send(head_of(path, TUS, "X-HTTP-Method-Override: DELETE", "Content-Length: 0"))
        assert client.heard().status == 204
    with server.client() as client:
        path = opened(client, 5)
        client.send(patch_head(path, 0, 6), b"sixsix")
        assert client.heard().status == 400


def test_a_tunnel_shows_a_token_instead_of_a_certificate(server: UploadServer, disk: Path) -> None:
    good = f"Authorization: Bearer {HOLDER.token()}"
    wrong = [
        HOLDER.token(name="other"),
        HOLDER.token(uid="former"),
        HOLDER.token(keys=key_pair()),
        HOLDER.token(age_s=400),
    ]
    with server.anonymous() as client:
        for header in ("A: b", *(f"Authorization: Bearer {token}" for token in wrong)):
            assert asked(client, "POST", SESSIONS, "Upload-Length: 5", "Content-Length: 0", header).status == 401
        path = opened(client, len(DISK), good)
        assert asked(client, "HEAD", path).status == 401
        assert asked(client, "HEAD", path, good).status == 200
        assert asked(client, "POST", "/v1beta1/upload", good, "Content-Length: 0").status == 401
    with server.anonymous() as client:
        assert patched(client, path, 0, DISK, good).status == 204
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)


@pytest.mark.parametrize("path", ["/v1beta1/upload", "/v1beta1/upload-async", "/v1beta1/upload-form"])
def test_a_sparse_stream_is_taken_on_every_path(server: UploadServer, disk: Path, path: str) -> None:
    kind = f"Content-Type: {MEDIA_TYPE}"
    data = sparse_of(DISK)
    if "form" in path:
        kind = "Content-Type: multipart/form-data; boundary=b0undary"
        data = form_of(data).replace(b"application/octet-stream", MEDIA_TYPE.encode())
    broken = bytearray(data)
    broken[len(data) // 2] ^= 1
    said = server.post(path, bytes(broken), kind)
    assert (said.status, "UploadMalformed" in said.text) == (400, True)
    assert server.post(path, data[:-200_000], kind).status == 400
    assert list(disk.parent.iterdir()) == []
    assert server.post(path, data, kind).status == 200
    assert isinstance(server.ended(), Termination)
    assert holds(disk, DISK)
