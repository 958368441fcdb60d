"""The images of the cluster's benchmark: the small one of the others, and 1 GiB with 200 MB of data."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from bench.images import images

from cdi.base.units import GiB, MiB

_DATA = 200 * 1000 * 1000


def cluster_images() -> Path:
    """The directory with ``small.qcow2`` and ``medium.qcow2``; builds what is missing."""
    directory = images()
    medium = directory / "medium.qcow2"
    if not medium.exists():
        raw = directory / "medium.raw.tmp"
        _write(raw)
        part = medium.with_suffix(".part")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(part)], check=True)
        raw.unlink()
        part.rename(medium)
    return directory


def _write(raw: Path) -> None:
    noise = random.Random(11)
    with raw.open("wb") as file:
        file.truncate(GiB)
        for number in range(_DATA // MiB):
            file.seek(number * 5 * MiB)
            file.write(noise.randbytes(MiB))
