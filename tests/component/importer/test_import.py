"""``cdi import`` against real nginx: every kind of image, with and without ranges, gives the same disk as qemu-img."""

from __future__ import annotations

import hashlib
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import cdi, kill, same_disk
from support.importing import start as begin
from support.nginx import Nginx
from support.packed import tool

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
    "sized-frames.raw.zst": "split -b 9M disk.raw part. && zstd -q part.a? && cat part.a?.zst > {0} && rm part.*",
    "frames.raw.zst": "{{ head -c 9M disk.raw | zstd -qc; tail -c +9437185 disk.raw | zstd -qc; }} > {0}",
    "streams.raw.xz": "{{ head -c 9M disk.raw | xz -0c; tail -c +9437185 disk.raw | xz -0c; }} > {0}",
    "fixed.vhd.gz": "gzip -kc fixed.vhd > {0}",
    "fixed.vhd.xz": "xz -0kc --block-size=4MiB fixed.vhd > {0}",
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
    assert "Try: ask for 24Mi or more" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_compressed_stream_that_outgrows_the_target_is_stopped(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, _ = served
    outcome = cdi("import", nginx.url("disk.raw.gz"), tmp_path / "disk.img", "--size", "20Mi")
    assert outcome.status == 5
    assert "is larger than the reported available storage" in outcome.stderr
    assert "[TargetOutgrown]" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_replaced_unless_asked(served: tuple[Nginx, Path], tmp_path: Path) -> None:
    nginx, root = served
    (tmp_path / "disk.img").write_text("precious")
    refused = cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img")
    assert (refused.status, (tmp_path / "disk.img").read_text()) == (5, "precious")
    assert "[TargetExists]" in refused.stderr
    assert cdi("import", nginx.url("disk.qcow2"), tmp_path / "disk.img", "--overwrite").status == 0
    assert same_disk(tmp_path / "disk.img", root / "disk.raw")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def a_fixed_vhd(disk: bytes, place: Path) -> bytes:
    (place / "disk.raw").write_bytes(disk)
    options = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size=on"]
    subprocess.run(["qemu-img", "convert", *options, "disk.raw", "disk.vhd"], cwd=place, check=True)
    return (place / "disk.vhd").read_bytes()


@pytest.mark.parametrize("block", ["1MiB", "3000000", "6MiB"])
def test_the_footer_of_a_vhd_that_ends_with_a_page_is_no_disk(block: str, server: FaultServer, tmp_path: Path) -> None:
    """As disks of whole cylinders may: only the footer itself tells."""
    disk = random.Random(5).randbytes(5 * MiB - 512)
    image = a_fixed_vhd(disk, tmp_path)
    assert len(image) == 5 * MiB
    url = server.add("/disk.vhd.xz", Route(body=tool(f"xz -0c --block-size={block}", image)))
    outcome = cdi("import", url, tmp_path / "disk.img", "--json")
    assert outcome.status == 0, outcome
    assert outcome.result["route"] == ("stream" if block == "6MiB" else "blocks")
    assert (tmp_path / "disk.img").read_bytes() == disk


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
@pytest.mark.parametrize("pack", ["", "gzip -c", "xz -0c --block-size=1MiB"])
def test_a_fixed_vhd_fits_where_its_disk_does(pack: str, ranges: bool, server: FaultServer, tmp_path: Path) -> None:
    disk = random.Random(5).randbytes(5 * MiB)
    image = a_fixed_vhd(disk, tmp_path)
    url = server.add("/disk", Route(body=tool(pack, image) if pack else image, ranges=ranges))
    outcome = cdi("import", url, tmp_path / "disk.img", "--size", "5Mi")
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == disk


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
@pytest.mark.parametrize("pack", ["", "xz -0c --block-size=1MiB"])
def test_a_disk_of_a_footer_s_size_too_much_is_told_with_its_size(
    pack: str, ranges: bool, server: FaultServer, tmp_path: Path
) -> None:
    disk = random.Random(6).randbytes(5 * MiB + 512)
    url = server.add("/disk", Route(body=tool(pack, disk) if pack else disk, ranges=ranges))
    outcome = cdi("import", url, tmp_path / "disk.img", "--size", "5Mi")
    assert outcome.status == 5
    assert "is larger than the reported available storage 5242880" in outcome.stderr
    if not pack and ranges:
        assert f"virtual image size {len(disk)} is larger" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
def test_a_packed_cluster_may_claim_twice_its_size(ranges: bool, server: FaultServer, tmp_path: Path) -> None:
    """Its entry says how many sectors it may reach into; qemu-img writes as few as needed, and reads all that fit."""
    (tmp_path / "disk.raw").write_bytes(random.Random(3).randbytes(MiB) + bytes(7 * MiB))
    command = "qemu-img convert -c -f raw -O qcow2 -o cluster_size=2M disk.raw disk.qcow2"
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    image = bytearray((tmp_path / "disk.qcow2").read_bytes())
    (l1,) = struct.unpack_from(">Q", image, 40)
    l2 = struct.unpack_from(">Q", image, l1)[0] & 0x00FFFFFFFFFFFE00
    (entry,) = struct.unpack_from(">Q", image, l2)
    offset_bits = 62 - (21 - 8)
    struct.pack_into(">Q", image, l2, entry | ((1 << 62) - 1) >> offset_bits << offset_bits)
    url = server.add("/disk", Route(body=bytes(image) + bytes(8 * MiB), ranges=ranges))
    outcome = cdi("import", url, tmp_path / "disk.img")
    assert outcome.status == 0, outcome
    assert same_disk(tmp_path / "disk.img", tmp_path / "disk.raw")


def test_a_refused_second_import_leaves_what_the_first_one_goes_on_with(server: FaultServer, tmp_path: Path) -> None:
    disk, target = random.Random(4).randbytes(24 * MiB), tmp_path / "disk.img"
    url = server.add("/disk", Route(body=disk, withheld=(20 * MiB, 21 * MiB)))
    first = begin("import", url, target)
    server.wait_for_bytes(16 * MiB)
    for route in (Route(body=disk, ranges=False), Route(body=disk)):
        second = cdi("import", server.add("/another", route), target)
        assert (second.status, "[TargetBusy]" in second.stderr) == (5, True), second
    kill(first)
    server.add("/disk", Route(body=disk))
    again = cdi("import", url, target, "--json")
    assert again.status == 0, again
    assert again.result["bytesKept"] > 4 * MiB
    assert target.read_bytes() == disk


def a_tar(place: Path) -> bytes:
    (place / "tree" / "etc").mkdir(parents=True)
    (place / "tree" / "etc" / "motd").write_bytes(random.Random(8).randbytes(4 * MiB))
    subprocess.run(["tar", "-cf", place / "tree.tar", "-C", place / "tree", "."], check=True)
    return (place / "tree.tar").read_bytes()


def test_a_damaged_archive_costs_nobody_else_s_files(server: FaultServer, tmp_path: Path) -> None:
    body, target = a_tar(tmp_path), tmp_path / "target"
    target.mkdir()
    (target / "precious").write_text("mine")
    url = server.add("/tree.tar", Route(body=body[: len(body) // 2]))
    refused = cdi("import", url, target, "--archive")
    assert refused.status == 5
    assert f"[DirectoryNotEmpty] {target} is not empty: it holds precious." in refused.stderr
    assert [path.name for path in target.iterdir()] == ["precious"]
    over = cdi("import", url, target, "--archive", "--overwrite")
    assert (over.status, "[ArchiveInvalid]" in over.stderr) == (6, True), over
    assert (target / "precious").read_text() == "mine"
    (target / "etc" / "motd").unlink()
    server.add("/tree.tar", Route(body=body))
    assert cdi("import", url, target, "--archive", "--overwrite").status == 0
    assert sorted(path.name for path in target.iterdir()) == ["etc", "precious"]


def test_a_killed_unpacking_is_begun_again_by_the_same_command(server: FaultServer, tmp_path: Path) -> None:
    body, target = a_tar(tmp_path), tmp_path / "target"
    target.mkdir()
    url = server.add("/tree.tar", Route(body=body, withheld=(3 * MiB, 4 * MiB)))
    first = begin("import", url, target, "--archive")
    while not (target / "etc" / "motd").exists():
        assert first.poll() is None
    second = cdi("import", url, target, "--archive")
    assert (second.status, "[TargetBusy]" in second.stderr) == (5, True), second
    kill(first)
    (target / "stale").write_text("of this attempt or another one")
    server.add("/tree.tar", Route(body=body))
    again = cdi("import", url, target, "--archive")
    assert again.status == 0, again
    assert [path.name for path in target.iterdir()] == ["etc"]
    assert (target / "etc" / "motd").read_bytes() == (tmp_path / "tree" / "etc" / "motd").read_bytes()


def test_an_archive_of_an_unfinished_directory_is_refused(server: FaultServer, tmp_path: Path) -> None:
    """And with its mark it could have the files of others taken for its own."""
    (tmp_path / ".cdi-unpacking").write_text("x")
    subprocess.run(["tar", "-cf", "tree.tar", "./.cdi-unpacking"], cwd=tmp_path, check=True)
    (tmp_path / "target").mkdir()
    url = server.add("/tree.tar", Route(body=(tmp_path / "tree.tar").read_bytes()))
    outcome = cdi("import", url, tmp_path / "target", "--archive")
    assert (outcome.status, "[ArchiveInvalid]" in outcome.stderr) == (6, True), outcome
    assert "it was made of a directory that was not unpacked whole" in outcome.stderr
    assert list((tmp_path / "target").iterdir()) == []


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
