"""How many bytes a server sends for one import by ranges: the file, and hardly more."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route

from cdi.base.units import GiB, KiB, MiB
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, run

MOST = 1.02


def scattered(path: Path, size: int, cluster: int, count: int, seed: int) -> None:
    """A qcow2 image with ``count`` clusters anywhere, so that nearly each has a table of its own beside it."""
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", f"cluster_size={cluster}", path, str(size)]
    subprocess.run(create, check=True)
    chance = random.Random(seed)
    places = [chance.randrange(size // cluster) * cluster for _ in range(count)]
    writes = [f"write -q -P {chance.randrange(1, 256)} {place} {cluster}" for place in places]
    script = "\n".join([*writes, "quit", ""])
    write = ["qemu-io", "-f", "qcow2", "-t", "unsafe", path]
    subprocess.run(write, input=script, text=True, check=True, stdout=subprocess.DEVNULL)


def imported(image: Path, directory: Path) -> float:
    """The share of ``image`` that its server sent."""
    data = image.read_bytes()
    with FaultServer() as server:
        url = server.add("/image", Route(body=data))
        run(Request(SourceSpec(url), Target.at_path(directory / "disk.img")), Progress(), Cancel())
        sent = server.bytes_sent
    compared = ["qemu-img", "compare", "-F", "raw", image, directory / "disk.img"]
    subprocess.run(compared, check=True, stdout=subprocess.DEVNULL)
    return sent / len(data)


@pytest.mark.parametrize(
    ("size", "cluster", "count"),
    [(200 * GiB, 64 * KiB, 150), (1 * GiB, 4 * KiB, 200), (16 * GiB, 2 * MiB, 6), (64 * MiB, 64 * KiB, 900)],
    ids=["64 KiB", "4 KiB", "2 MiB", "dense"],
)
def test_scattered_clusters_are_fetched_once_with_their_tables(
    size: int, cluster: int, count: int, tmp_path: Path
) -> None:
    scattered(tmp_path / "image", size, cluster, count, seed=count)
    assert imported(tmp_path / "image", tmp_path) <= MOST


PACKINGS = ["raw", "qcow2", "qcow2 -c", "vmdk", "vmdk -o subformat=streamOptimized", "vdi", "vhdx", "vpc"]


@pytest.mark.parametrize("packing", PACKINGS)
def test_no_format_is_fetched_twice(packing: str, tmp_path: Path) -> None:
    chance = random.Random(9)
    pieces = (lambda: chance.randbytes(64 * KiB), lambda: bytes(64 * KiB), lambda: b"ab" * (32 * KiB))
    (tmp_path / "raw").write_bytes(b"".join(chance.choice(pieces)() for _ in range(160)))
    image = tmp_path / "image"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", *packing.split(), tmp_path / "raw", image], check=True)
    assert imported(image, tmp_path) <= MOST
