"""``kill -9`` at random points: the same command goes on, ends in the same disk, and fetches little twice."""

from __future__ import annotations

import gzip
import hashlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import zstandard
from support.faultserver import FaultServer, Route
from support.importing import Outcome, cdi, kill, start
from support.packed import tool

KiB = 1024
MiB = 1024 * KiB
FRAME = 2 * MiB
ODD = FRAME + 1000
HEAD = 192 * KiB  # what every start reads to see what the file is
CONNECTIONS = 2
# A kill takes from each connection the unit of 2 MiB that it was in, and what a busy machine left in its socket.
LOST = CONNECTIONS * (2 + 2) * MiB + HEAD
SEED = 11
QUICKLY_S = 20  # on any machine, and far from the minute that a silent server is given


@dataclass(frozen=True)
class Image:
    """``file`` becomes ``disk``. ``frame``: bytes that a kill may cost on top; None: the next run starts from 0."""

    file: bytes
    disk: bytes
    frame: int | None = 0
    checksum: bool = False
    ranges: bool = True

    @property
    def arguments(self) -> tuple[str, ...]:
        digest = f"sha256:{hashlib.sha256(self.file).hexdigest()}"
        return ("--checksum", digest) if self.checksum else ()


def _in_frames(disk: bytes, pack: Callable[[bytes], bytes], size: int = FRAME) -> bytes:
    return b"".join(pack(disk[start : start + size]) for start in range(0, len(disk), size))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    """48 MiB of disk, 40 of them noise; a quarter of it for what packs slowly or is fetched anew."""
    place = tmp_path_factory.mktemp("images")
    noise = random.Random(SEED)
    disk = noise.randbytes(12 * MiB) + bytes(8 * MiB) + noise.randbytes(28 * MiB)
    (place / "raw").write_bytes(disk)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "raw", "qcow2"], cwd=place, check=True)
    qcow2 = (place / "qcow2").read_bytes()
    small = disk[: 12 * MiB]
    gzipped = partial(gzip.compress, compresslevel=1)
    return {
        "raw": Image(disk, disk),
        "raw with sha256": Image(disk, disk, checksum=True),
        "qcow2": Image(qcow2, disk),
        "gzip members": Image(_in_frames(disk, gzipped), disk, FRAME),
        "gzip members that end within pages": Image(
            _in_frames(disk, lambda part: gzip.compress(part, 1), ODD), disk, ODD
        ),
        "zstd frames": Image(_in_frames(disk, zstandard.ZstdCompressor(1).compress), disk, FRAME),
        "xz blocks": Image(tool(f"xz -0c -T2 --block-size={FRAME}", small), small, CONNECTIONS * FRAME),
        "qcow2 with sha256": Image(qcow2, disk, None, checksum=True),
        "raw without ranges": Image(small, small, None, ranges=False),
        "gzip in one member": Image(gzip.compress(small, 1), small, None),
    }


NAMES = [
    "raw",
    "raw with sha256",
    "qcow2",
    "gzip members",
    "gzip members that end within pages",
    "zstd frames",
    "xz blocks",
    "qcow2 with sha256",
    "raw without ranges",
    "gzip in one member",
]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def paced(image: Image) -> Route:
    """Slower than the importer, so that what was sent was also received."""
    return Route(body=image.file, ranges=image.ranges, trickle=(64 * KiB, 0.003))


@pytest.mark.parametrize("name", NAMES)
def test_an_import_killed_three_times_ends_in_the_same_disk(
    name: str, images: dict[str, Image], server: FaultServer, tmp_path: Path
) -> None:
    image, target = images[name], tmp_path / "disk.img"
    command = ("import", server.add("/image", paced(image)), target, "--connections", CONNECTIONS, *image.arguments)
    chance, size = random.Random(f"{SEED} {name}"), len(image.file)
    points = sorted(chance.uniform(0.05, 0.85) for _ in range(3))
    for point in points:
        process = start(*command)
        begun = 0 if image.frame is not None else server.bytes_sent
        server.wait_for_bytes(begun + int(point * size))
        kill(process)
        assert not target.exists()
    outcome = cdi(*command)
    assert outcome.status == 0, outcome
    assert target.read_bytes() == image.disk
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]
    if image.frame is not None:
        assert server.bytes_sent <= size + HEAD + len(points) * (LOST + image.frame)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["raw", "gzip members", "raw without ranges"])
def test_a_signal_stops_cleanly_and_says_what_is_kept(
    name: str, number: signal.Signals, images: dict[str, Image], server: FaultServer, tmp_path: Path
) -> None:
    image, target = images[name], tmp_path / "disk.img"
    command = ("import", server.add("/image", paced(image)), target, *image.arguments)
    outcome, seconds = _interrupted(command, number, lambda: server.wait_for_bytes(len(image.file) // 3))
    assert (outcome.status, seconds < QUICKLY_S) == (8, True), outcome
    assert "stopped on request after" in outcome.stderr
    kept = {path.name for path in tmp_path.iterdir()}
    if image.frame is None:
        assert "This import cannot be continued: nothing is kept" in outcome.stderr
        assert kept == set()
    else:
        assert "What is written is kept" in outcome.stderr
        assert kept == {"disk.img.part", "disk.img.journal"}
    again = server.bytes_sent
    assert cdi(*command).status == 0
    assert target.read_bytes() == image.disk
    assert server.bytes_sent - again < len(image.file) or image.frame is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stall_at", [{1: 10}, {2: 10}, {3: 10, 4: 10}])
def test_a_signal_stops_an_import_that_waits_for_a_silent_server(
    stall_at: dict[int, int], number: signal.Signals, images: dict[str, Image], server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/image", Route(body=images["raw"].file, stall_at=stall_at))
    first = sum(count for _, count in sorted(stall_at.items())) + (HEAD if 1 not in stall_at else 0)
    command = ("import", url, tmp_path / "disk.img")
    outcome, seconds = _interrupted(command, number, lambda: server.wait_for_bytes(first))
    assert (outcome.status, seconds < QUICKLY_S) == (8, True), outcome
    assert not (tmp_path / "disk.img").exists()


def _interrupted(
    command: tuple[object, ...], number: signal.Signals, wait: Callable[[], None]
) -> tuple[Outcome, float]:
    process = start(*command)
    wait()
    process.send_signal(number)
    sent_s = time.monotonic()
    stdout, stderr = process.communicate(timeout=60)
    return Outcome(process.returncode, stdout, stderr), time.monotonic() - sent_s
