"""The disk that is published has the size that the result says, by whatever route it came."""

from __future__ import annotations

import gzip
import hashlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile import vhd
from support.nginx import Nginx

from importer.cancel import Cancel
from importer.checksum import Checksum
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, run

MiB = 1024 * 1024
SIZE = 2 * MiB
DISK = random.Random(5).randbytes(SIZE - 512)
ENDINGS = {  # the last sector, and the bytes of disk there are then
    "of a smaller disk": (vhd(kind=2, size=MiB)[:512], SIZE),
    "of no disk": (vhd(kind=2, size=0)[:512], SIZE),
    "of a larger disk": (vhd(kind=2, size=SIZE)[:512], SIZE),
    "of this disk": (vhd(kind=2, size=SIZE - 512)[:512], SIZE - 512),
    "of a dynamic disk": (vhd(kind=3, size=SIZE - 512)[:512], SIZE),
}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    root = tmp_path_factory.mktemp("endings")
    for name, (last, _) in ENDINGS.items():
        path = root / name.replace(" ", "-")
        path.write_bytes(DISK + last)
        path.with_suffix(".gz").write_bytes(gzip.compress(DISK + last, 1))
        for tool in (["xz", "-0", "-T1", "--block-size=512KiB"], ["zstd", "-q1"]):
            subprocess.run([*tool, "-k", str(path)], check=True)
    with Nginx(root) as server:
        yield server


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("kind", ["plain", "stream", "checksum"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_footer_counts_where_it_fits_on_every_route(
    ending: str, kind: str, suffix: str, nginx: Nginx, tmp_path: Path
) -> None:
    name, target = ending.replace(" ", "-") + suffix, tmp_path / "disk.img"
    digest = hashlib.sha256((nginx.root / name).read_bytes()).hexdigest()
    checksum = Checksum.parse(f"sha256:{digest}") if kind == "checksum" else None
    url = nginx.url(name, "stream" if kind == "stream" else "plain")

    result = run(Request(SourceSpec(url), Target.at_path(target), checksum), Progress(), Cancel())

    last, size = ENDINGS[ending]
    assert result.disk_size == size == target.stat().st_size
    assert target.read_bytes() == (DISK + last)[:size]
