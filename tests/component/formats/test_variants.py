"""Unusual images that qemu-img reads are read as it reads them, and what it probes for is not taken for a raw disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.drawn import SparseDisk
from support.hostile import vmdk
from support.images import check_extent, reader

from cdi.base.faults import Fault
from importer.formats import Kind
from importer.formats.clusters import inflate_cluster
from importer.formats.foreign import refuse_unread_formats
from importer.formats.magic import recognise
from importer.formats.registry import open_image

MiB = 1024 * 1024


def qemu(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def theirs(path: Path, format: str) -> SparseDisk:
    qemu("qemu-img", "convert", "-f", format, "-O", "raw", path, path.with_suffix(".plain"))
    return SparseDisk.of(path.with_suffix(".plain"))


def ours(path: Path, format: str) -> SparseDisk:
    data = path.read_bytes()
    image = open_image(format, reader(data), len(data))
    disk, position = SparseDisk(image.virtual_size), 0
    for extent in image.extents():
        check_extent(extent, position, image.virtual_size, len(data))
        position = extent.guest + extent.length
        plain = data[extent.host : extent.host + extent.host_length]
        disk.write(
            extent.guest, plain if extent.kind is Kind.DATA else inflate_cluster(extent.kind, plain, extent.length)
        )
    return disk


@pytest.mark.parametrize("end", [4096, 2048, 512, 32768, 40960, 65536 - 512])
def test_a_disk_that_ends_inside_a_cluster_has_no_subclusters_behind_its_end(end: int, tmp_path: Path) -> None:
    path = tmp_path / "image"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", "extended_l2=on", path, MiB + 65536)
    writes = [f"write -P {1 + n} {MiB + place} 2k" for n, place in enumerate((0, 4096, 32768, 61440))]
    qemu("qemu-io", "-c", "write -P 9 64k 8k", *(word for write in writes for word in ("-c", write)), path)
    qemu("qemu-img", "resize", "-q", "--shrink", "-f", "qcow2", path, MiB + end)

    assert ours(path, "qcow2") == theirs(path, "qcow2")


@pytest.mark.parametrize("options", [["-o", "extended_l2=on"], ["-o", "cluster_size=2M"], []], ids=" ".join)
@pytest.mark.parametrize("cut", [1, 512, 2048, 5000, 30_000, 65_000])
def test_what_is_missing_of_the_last_cluster_reads_as_zeros(cut: int, options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "image"
    qemu("qemu-img", "create", "-q", "-f", "qcow2", *options, path, "8M")
    qemu("qemu-io", "-c", "write -P 1 4M 2k", "-c", f"write -P 2 {4 * MiB + 40960} 24k", path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)

    assert ours(path, "qcow2") == theirs(path, "qcow2")


@pytest.mark.parametrize("data_at", [[], [0], [95], [0, 33, 95], [40]], ids=str)
@pytest.mark.parametrize("size", [MiB, 32 * MiB, 33 * MiB, 96 * MiB, 96 * MiB + 512])
def test_a_stream_optimized_vmdk_may_have_holes_of_any_size(size: int, data_at: list[int], tmp_path: Path) -> None:
    raw, path = tmp_path / "raw", tmp_path / "image"
    with raw.open("wb") as file:
        file.truncate(size)
        for at in data_at:
            file.seek(min(at * MiB, size - 512))
            file.write(b"data" * 128)
    qemu("qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, path)

    assert ours(path, "vmdk") == SparseDisk.of(raw) == theirs(path, "vmdk")


@pytest.mark.parametrize(
    "descriptor",
    [
        'createType="monolithicSparse"\nRW 2048 SPARSE "out/disk.vmdk"\n',
        'createType="monolithicSparse"\nRW 2048 SPARSE "C:\\\\vm\\\\disk.vmdk"\n',
        'createType="monolithicSparse"\nRW 8 FLAT "/etc/passwd" 0\n',
        'createType="monolithicFlat"\nRW 2048 FLAT "../disk-flat.vmdk" 0\n',
        'createType="custom"\nRW 2048 SPARSE "disk.vmdk"\n',
        'createType="vmfsSparse"\nRW 2048 VMFSSPARSE "disk.vmdk"\n',
        'createType="twoGbMaxExtentSparse"\nRW 2048 SPARSE "disk-s001.vmdk"\n',
        'RW 2048 SPARSE "disk.vmdk"\n',
        'createType="monolithicSparse"\n',
        "\n" * 9000,
    ],
)
def test_what_a_descriptor_calls_its_one_extent_does_not_matter(descriptor: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    text = f"# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n{descriptor}"
    image = vmdk(text)
    image[128 * 512 :] = b"grain..." * 8192
    path.write_bytes(image)

    found = ours(path, "vmdk")
    assert found == theirs(path, "vmdk")
    assert found != SparseDisk(MiB)


@pytest.mark.parametrize("format", ["qcow", "qed", "parallels", "vmdk"])
def test_what_qemu_img_makes_and_is_not_read_is_refused(format: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    options = ["-o", "subformat=monolithicFlat"] if format == "vmdk" else []
    qemu("qemu-img", "create", "-q", "-f", format, *options, path, "4M")
    data = path.read_bytes()

    def read() -> None:
        open_image(recognise(data[:65536]), reader(data), len(data))
        refuse_unread_formats(data[:65536])

    with pytest.raises(Fault) as caught:
        read()
    assert caught.value.code == ("ImageHasExternalData" if format == "vmdk" else "ImageUnsupported")
