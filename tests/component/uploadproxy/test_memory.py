"""What an upload server needs of memory at most, from its start to its end."""

from __future__ import annotations

import base64
import hashlib
import lzma
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from support.images import run
from support.importing import ENVIRONMENT, ROOT
from support.ports import LOOPBACK, free_port
from support.sessions import Holder, metadata, opened, patched, sparse_of
from support.uploading import Client, Trust, head_of

from cdi.base.units import MiB
from cdi.base.wire.extents.frames import MEDIA_TYPE

PEAK = Path(ROOT) / "tests" / "support" / "peak.py"
HOLDER = Holder()
BOUNDS = {"raw": 64, "qcow2": 64, "raw.zst": 64, "raw.xz": 96, "sparse": 64}  # MiB
# As large as xz -8 makes it. Of xz -9, with 64 MiB, the server peaked at 96.2 to 97.1 MiB.
DICTIONARY = {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 32 * MiB}


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of one disk with more data than any bound."""
    noise = random.Random(3)
    text = b"what packs fast " * (MiB // 32 - 512)
    plain = b"".join(noise.randbytes(8192) + text + bytes(MiB // 2) for _ in range(112))
    directory = tmp_path_factory.mktemp("images")
    (directory / "raw").write_bytes(plain)
    run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", directory / "raw", directory / "qcow2")
    return {
        "raw": plain,
        "qcow2": (directory / "qcow2").read_bytes(),
        "raw.zst": zstandard.ZstdCompressor(1).compress(plain),
        "raw.xz": lzma.compress(plain, filters=[DICTIONARY]),
        "sparse": sparse_of(plain),
    }


class Measured:
    def __init__(self, trust: Trust, process: subprocess.Popen[bytes], port: int, peak: Path) -> None:
        self.process = process
        self._trust, self._port, self._peak = trust, port, peak

    def client(self, *, anonymous: bool = False) -> Client:
        while True:
            try:
                return Client(self._port, self._trust.context(None if anonymous else self._trust.client))
            except ConnectionRefusedError:
                assert self.process.poll() is None
                time.sleep(0.02)  # another program's start has no event to wait for

    def peak(self) -> float:
        """MiB, when it has ended."""
        assert self.process.wait(60) == 0
        return int(self._peak.read_text()) / 1024


@contextmanager
def measured(trust: Trust, directory: Path) -> Iterator[Measured]:
    port, peak = free_port(), directory / "peak"
    (directory / "volume").mkdir()
    told = trust.environment(directory / "volume" / "disk.img", LISTEN_PORT=str(port), LISTEN_ADDRESS=LOOPBACK)
    told |= {"CDI_TERMINATION_LOG": str(directory / "message"), "UPLOAD_IMAGE_SIZE": "112Mi", **HOLDER.variables()}
    command = [sys.executable, "-I", "-S", PEAK, peak, sys.executable, "-m", "uploadproxy.server.pod"]
    process = subprocess.Popen(command, env={**ENVIRONMENT, **told}, cwd=ROOT)
    try:
        yield Measured(trust, process, port, peak)
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_plain_upload(trust: Trust, images: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    data = images[kind]
    media = MEDIA_TYPE if kind == "sparse" else "application/octet-stream"
    with measured(trust, tmp_path) as server:
        with server.client() as client:
            client.send(head_of("/v1beta1/upload", f"Content-Length: {len(data)}", f"Content-Type: {media}"), data)
            assert client.heard().status == 200
        assert server.peak() <= BOUNDS[kind]


@pytest.mark.parametrize("kind", BOUNDS)
def test_a_session(trust: Trust, images: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    data = images[kind]
    headers = [metadata(filetype=MEDIA_TYPE)] if kind == "sparse" else []
    with measured(trust, tmp_path) as server:
        with server.client() as client:
            path = opened(client, len(data), *headers)
            for offset in range(0, len(data), 20 * MiB):
                assert patched(client, path, offset, data[offset : offset + 20 * MiB]).status == 204
        assert server.peak() <= BOUNDS[kind]


def test_a_tunnel_with_checksums(trust: Trust, images: dict[str, bytes], tmp_path: Path) -> None:
    data, token = images["raw"], f"Authorization: Bearer {HOLDER.token()}"
    with measured(trust, tmp_path) as server:
        with server.client(anonymous=True) as client:
            path = opened(client, len(data), token)
            for offset in range(0, len(data), 8 * MiB):
                piece = data[offset : offset + 8 * MiB]
                checksum = f"Upload-Checksum: sha256 {base64.b64encode(hashlib.sha256(piece).digest()).decode()}"
                assert patched(client, path, offset, piece, token, checksum).status == 204
        assert server.peak() <= 64
