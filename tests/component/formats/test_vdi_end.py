"""A disk that ends inside of a sector is read as qemu reads it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, run

SIZE_AT = 368  # of the header's size of the disk


@pytest.mark.parametrize("size", [1, 511, 1_500_001, 1_500_160, (1 << 20) + 1])
def test_the_last_sector_of_a_vdi_is_whole(size: int, tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(os.urandom(-(-size // 512) * 512))
    convert = "qemu-img convert -f {} -O {} {} {}"
    subprocess.run(convert.format("raw", "vdi", "disk.raw", "disk.vdi").split(), cwd=tmp_path, check=True)
    image = bytearray((tmp_path / "disk.vdi").read_bytes())
    image[SIZE_AT : SIZE_AT + 8] = size.to_bytes(8, "little")
    (tmp_path / "disk.vdi").write_bytes(image)
    subprocess.run(convert.format("vdi", "raw", "disk.vdi", "by-qemu").split(), cwd=tmp_path, check=True)
    run(Request(SourceSpec(str(tmp_path / "disk.vdi")), Target.at_path(tmp_path / "disk.img")), Progress(), Cancel())
    assert (tmp_path / "disk.img").read_bytes() == (tmp_path / "by-qemu").read_bytes()
