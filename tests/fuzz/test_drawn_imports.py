"""Imports of images drawn at random, packed or not, from servers with and without ranges, or given once as an upload
is: the disk that qemu-img reads.

In this process, so that an error which no fault foresees shows as what it is. A failure names its seed and how the
image was made; FUZZ_SEED=n makes that one again.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.drawn import Drawn, SparseDisk, draw_image, may_be_told
from support.fuzzing import seeded
from support.giving import Giver
from support.nginx import Nginx

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources import Opener, SourceSpec
from importer.target import Target
from importer.transfer import Request, run

MiB = 1024 * 1024
_PACKINGS = (
    "", "", "", "gzip -1c", "xz -0c -T1 --block-size=1MiB", "xz -0c", "zstd -q1c", "pzstd -q -p1 -1 -c",
    "gzip -1c | gzip -1c", "zstd -q1c | gzip -1c",
)  # fmt: skip


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    (tmp_path / "served").mkdir()
    with Nginx(tmp_path / "served") as server:
        yield server


def serve(image: Drawn, chance: random.Random, root: Path) -> None:
    """The file ``disk`` of ``root``: the image, perhaps packed."""
    packing = chance.choice(_PACKINGS)
    command = f"{packing.replace(' |', f' < {image.path} |', 1) if '|' in packing else f'{packing} < {image.path}'}"
    image.said.append(command if packing else "not packed")
    if packing:
        subprocess.run(f"{command} > {root}/disk", shell=True, check=True)
    else:
        (root / "disk").write_bytes(image.path.read_bytes())


def is_the_same(target: Path, expected: SparseDisk) -> bool:
    """Sizes may be rounded up, to whole sectors or more; what is added is zeros."""
    found = SparseDisk.of(target)
    if not 0 <= found.size - expected.size < MiB:
        return False
    expected.size = found.size
    return found == expected


def may_refuse(fault: Fault, image: Drawn, expected: SparseDisk | None) -> bool:
    if fault.code == "NotADiskImage":  # a short text
        return image.format == "raw" and image.path.stat().st_size < 65536
    return expected is None or may_be_told(image, fault.code)


def source_of(kind: str, nginx: Nginx, chance: random.Random) -> SourceSpec | Opener:
    if kind != "given":
        return SourceSpec(nginx.url("disk", kind))
    data = (nginx.root / "disk").read_bytes()
    pieces = chance.choice(((1000, 5000), (16 * 1024,), (1, 511, 70_000, MiB)))
    return Giver(data, lambda: chance.choice(pieces), chance.choice((None, len(data)))).source().opened


@pytest.mark.parametrize("kind", ["plain", "stream", "given"])
def test_a_drawn_image_becomes_the_disk_that_qemu_img_reads(kind: str, nginx: Nginx, tmp_path: Path) -> None:
    folder, target = tmp_path / "drawn", tmp_path / "disk.img"
    folder.mkdir()
    for seed, chance in seeded(10, 200):
        image = draw_image(chance, folder)
        expected = image.disk()
        serve(image, chance, nginx.root)
        wanted = Target.at_path(target, preallocation=chance.random() < 0.2, overwrite=True)
        what = f"FUZZ_SEED={seed}\n" + "\n".join(image.said)
        try:
            result = run(Request(source_of(kind, nginx, chance), wanted), Progress(), Cancel())
        except BaseException as error:
            if isinstance(error, Fault) and may_refuse(error, image, expected):
                continue
            error.add_note(what)
            raise
        assert result.disk_size == target.stat().st_size, what
        assert expected is None or is_the_same(target, expected), what
        target.unlink()
