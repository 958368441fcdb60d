"""``cdi import`` against real nginx: every kind of image, with and without ranges, gives the same disk as qemu-img."""

from __future__ import annotations

import hashlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.importing import cdi, same_disk
from support.nginx import Nginx

MiB = 1024 * 1024
CONVERSIONS = {
    "disk.qcow2": "qemu-img convert -f raw -O qcow2 disk.raw {0}",
    "v2.qcow2": "qemu-img convert -f raw -O qcow2 -o compat=0.10 disk.raw {0}",
    "zlib.qcow2": "qemu-img convert -f raw -c -O qcow2 disk.raw {0}",
    "zstd.qcow2": "qemu-img convert -f raw -c -O qcow2 -o compression_type=zstd disk.raw {0}",
    "small-clusters.qcow2": "qemu-img convert -f raw -O qcow2 -o cluster_size=512 disk.raw {0}",
    "large-clusters.qcow2": "qemu-img convert -f raw -O qcow2 -o cluster_size=2M disk.raw {0}",
    "subclusters.qcow2": "qemu-img convert -f raw -O qcow2 -o extended_l2=on disk.raw {0}",
    "sparse.vmdk": "qemu-img convert -f raw -O vmdk -o subformat=monolithicSparse disk.raw {0}",
    "stream.vmdk": "qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw {0}",
    "dynamic.vhd": "qemu-img convert -f raw -O vpc -o subformat=dynamic,force_size=on disk.raw {0}",
    "fixed.vhd": "qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on disk.raw {0}",
    "disk.vhdx": "qemu-img convert -f raw -O vhdx disk.raw {0}",
    "disk.vdi": "qemu-img convert -f raw -O vdi disk.raw {0}",
    "disk.raw.gz": "gzip -kc disk.raw > {0}",
    "disk.raw.zst": "zstd -qc disk.raw > {0}",
    "disk.raw.xz": "xz -0kc disk.raw > {0}",
    "blocks.raw.xz": "xz -0kc --block-size=4MiB disk.raw > {0}",
    "members.raw.gz": "{{ head -c 9M disk.raw | gzip -c; tail -c +9437185 disk.raw | gzip -9c; }} > {0}",
    "unsized.raw.zst": "cat disk.raw | zstd -qc > {0}",
    "frames.raw.zst": "{{ head -c 9M disk.raw | zstd -qc; tail -c +9437185 disk.raw | zstd -qc; }} > {0}",
    "streams.raw.xz": "{{ head -c 9M disk.raw | xz -0c; tail -c +9437185 disk.raw | xz -0c; }} > {0}",
    "snapshots.qcow2": "cp disk.qcow2 {0} && qemu-img snapshot -c before {0}",
    "disk.qcow2.gz": "gzip -kc disk.qcow2 > {0}",
    "disk.qcow2.xz": "xz -0kc disk.qcow2 > {0}",
    "disk.vmdk.zst": "zstd -qc sparse.vmdk > {0}",
    "twice.raw.gz.xz": "xz -0kc disk.raw.gz > {0}",
}
NAMES = ["disk.raw", *CONVERSIONS]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nginx, Path]]:
    root = tmp_path_factory.mktemp("images")
    _make_disk(root / "disk.raw")
    for name, command in CONVERSIONS.items():
        subprocess.run(command.format(name), shell=True, check=True, cwd=root)
    with Nginx(root) as nginx:
        yield nginx, root


def _make_disk(path: Path) -> None:
    """24 MiB: data, holes, runs smaller than a cluster, zeros inside data, data at both ends."""
    noise = random.Random(7)
    disk = bytearray(24 * MiB)
    for start, length in ((0, 100_000), (2 * MiB, 3 * MiB), (7 * MiB + 512, 512), (9 * MiB, 70_000), (23 * MiB, MiB)):
        disk[start : start + length] = noise.randbytes(length)
    disk[3 * MiB : 3 * MiB + 65_536] = bytes(65_536)
    path.write_bytes(disk)


@pytest.mark.parametrize("kind", ["plain", "stream"])
@pytest.mark.parametrize("name", NAMES)
def test_every_image_becomes_the_same_disk(name: str, kind: str, served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, root = served
    outcome = cdi("import", nginx.url(name, kind), tmp_path / "disk.img", "--json")
    assert outcome.status == 0, outcome.stderr
    assert same_disk(tmp_path / "disk.img", root / "disk.raw")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.img"]
    assert (tmp_path / "disk.img").stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("name", ["disk.raw", "disk.qcow2", "zstd.qcow2", "disk.raw.gz", "blocks.raw.xz", "disk.vdi"])
def test_a_checksum_is_verified_over_the_transferred_bytes(
    name: str, served: tuple[Nginx, Path], tmp_path: Path
) -> None:
    nginx, root = served
    digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
    outcome = cdi("import", nginx.url(name), tmp_path / "disk.img", "--checksum", f"sha256:{digest}")
    assert outcome.status == 0, outcome.stderr
    assert same_disk(tmp_path / "disk.img", root / "disk.raw")


@pytest.mark.parametrize("name", ["disk.raw", "disk.qcow2", "disk.raw.zst", "stream.vmdk"])
def test_a_wrong_checksum_leaves_nothing(name: str, served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, _ = served
    outcome = cdi("import", nginx.url(name), tmp_path / "disk.img", "--checksum", "sha256:" + "0" * 64)
    assert outcome.status == 6
    assert "checksum mismatch: expected sha256:0000" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_sparse_disks_take_no_more_room_than_their_data(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, _ = served
    assert cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img").status == 0
    assert (tmp_path / "disk.img").stat().st_blocks * 512 < 5 * MiB


def test_the_disk_is_grown_to_the_size_asked_for(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, root = served
    assert cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img", "--size", "1Gi").status == 0
    assert (tmp_path / "disk.img").stat().st_size == 1024 * MiB
    with (tmp_path / "disk.img").open("rb") as disk:
        assert disk.read(24 * MiB) == (root / "disk.raw").read_bytes()


def test_preallocation_reserves_every_block(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, root = served
    assert cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img", "--preallocation").status == 0
    assert (tmp_path / "disk.img").stat().st_blocks * 512 >= 24 * MiB
    assert same_disk(tmp_path / "disk.img", root / "disk.raw")


def test_too_small_a_target_is_refused_before_any_download(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, _ = served
    outcome = cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img", "--size", "23Mi")
    assert outcome.status == 5
    assert "virtual image size 25165824 is larger than the reported available storage 24117248" in outcome.stderr
    assert "Try: ask for 24Mi or more." in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_stream_that_outgrows_the_target_is_stopped(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, _ = served
    outcome = cdi("import", nginx.url("disk.raw.gz"), tmp_path / "disk.img", "--size", "20Mi")
    assert outcome.status == 6
    assert "[DecompressionBomb]" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_replaced_unless_asked(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, root = served
    (tmp_path / "disk.img").write_text("precious")
    refused = cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img")
    assert (refused.status, (tmp_path / "disk.img").read_text()) == (5, "precious")
    assert "[TargetExists]" in refused.stderr
    assert cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img", "--overwrite").status == 0
    assert same_disk(tmp_path / "disk.img", root / "disk.raw")


@pytest.mark.parametrize(
    ("target", "said"),
    [("vm1", "write ./vm1 for a file, or dv/vm1 for a DataVolume"), ("dv/vm1", "no cluster is known")],
)
def test_a_target_that_is_no_path_is_explained(
    target: str, said: str, served: tuple[Nginx, Path], tmp_path: Path
) -> None:
    nginx, _ = served
    outcome = cdi("import", nginx.url("disk.qcow2"), target)
    assert outcome.status == 2
    assert said in outcome.stderr
