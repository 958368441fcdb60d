"""A corpus of real images, made by qemu-img and qemu-io from one patterned disk; and putting extents together again."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from importer.formats import Extent, Image, Kind, ReadAt
from importer.formats.clusters import inflate_cluster

KiB = 1024
MiB = 1024 * KiB
DISK_SIZE = 12 * MiB + 5 * 512  # the last cluster is never full


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one image of the corpus is made. ``make(folder, raw, image)`` writes ``image`` from the raw disk."""

    name: str
    format: str  # as qemu-img calls it
    make: Callable[[Path, Path, Path], None]


def run(*command: object) -> str:
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def write_disk(path: Path, size: int = DISK_SIZE) -> None:
    """A sparse disk: text that packs well, noise that does not, zeros, lone sectors."""
    noise = random.Random(7)
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in _patterns(noise, size):
            file.seek(offset)
            file.write(data[: max(0, size - offset)])


def _patterns(noise: random.Random, size: int) -> list[tuple[int, bytes]]:
    return [
        (0, b"boot" * 128),
        (MiB, b"The quick brown fox jumps over the lazy dog.\n" * 30000),
        (3 * MiB + 4096, noise.randbytes(700 * KiB)),
        (5 * MiB + 512, b"one lone sector".ljust(512, b"!")),
        (6 * MiB, b"".join(bytes([n % 251]) * 4096 for n in range(300))),
        (9 * MiB - 700, noise.randbytes(130 * KiB)),
        (size - 3 * 512, b"end." * 384),
    ]


def convert(format: str, *options: str) -> Callable[[Path, Path, Path], None]:
    def make(folder: Path, raw: Path, image: Path) -> None:
        run("qemu-img", "convert", "-f", "raw", "-O", format, *options, raw, image)

    return make


def _io(image: Path, format: str, *commands: str) -> None:
    words = [word for command in commands for word in ("-c", command)]
    run("qemu-io", "-f", format, *words, image)


def _created(*options: str) -> Callable[[Path, Path, Path], None]:
    """An empty image that a guest then wrote to, in no order."""

    def make(folder: Path, raw: Path, image: Path) -> None:
        run("qemu-img", "create", "-q", "-f", "qcow2", *options, image, DISK_SIZE)
        places = random.Random(3).sample(range(DISK_SIZE // 4096 - 3), 120)
        _io(
            image,
            "qcow2",
            *(f"write -P {1 + n % 250} {place * 4096} {4096 * (1 + n % 3)}" for n, place in enumerate(places)),
        )

    return make


def _empty(folder: Path, raw: Path, image: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "qcow2", image, "8M")


def _snapshots(folder: Path, raw: Path, image: Path) -> None:
    convert("qcow2")(folder, raw, image)
    run("qemu-img", "snapshot", "-c", "before", image)
    _io(image, "qcow2", "write -P 9 0 3M", "write -P 8 7M 64k", "write -z 9M 256k")


def _zero_clusters(folder: Path, raw: Path, image: Path) -> None:
    convert("qcow2")(folder, raw, image)
    _io(image, "qcow2", "write -z 1M 512k", "write -z -u 6M 128k", "discard 3M 1M", "write -P 3 3M 200k")


def _zero_subclusters(folder: Path, raw: Path, image: Path) -> None:
    convert("qcow2", "-o", "extended_l2=on")(folder, raw, image)
    _io(image, "qcow2", "write -z 1026k 18k", "write -P 4 8002k 2k", "write -z 6M 1M", "write -P 5 6200k 6k")


def _grown(folder: Path, raw: Path, image: Path) -> None:
    """Grown so far that the L1 table had to move behind the data."""
    convert("qcow2", "-o", "cluster_size=512")(folder, raw, image)
    run("qemu-img", "resize", "-q", image, "64M")


def _dirty(folder: Path, raw: Path, image: Path) -> None:
    convert("qcow2", "-o", "lazy_refcounts=on")(folder, raw, image)
    with image.open("r+b") as file:
        file.seek(79)
        file.write(b"\1")  # incompatible bit 0


def _shrunk(folder: Path, raw: Path, image: Path) -> None:
    convert("qcow2")(folder, raw, image)
    run("qemu-img", "resize", "-q", "--shrink", image, 7 * MiB + 512)


def _qcow2(name: str, *options: str) -> Recipe:
    return Recipe(f"qcow2-{name}", "qcow2", convert("qcow2", *options))


CORPUS: tuple[Recipe, ...] = (
    _qcow2("plain"),
    _qcow2("v2", "-o", "compat=0.10"),
    *(_qcow2(f"cluster-{size}", "-o", f"cluster_size={size}") for size in (512, 4096, 32768, 131072, 2 * MiB)),
    _qcow2("zlib", "-c"),
    _qcow2("zlib-v2", "-c", "-o", "compat=0.10"),
    _qcow2("zlib-512", "-c", "-o", "cluster_size=512"),
    _qcow2("zlib-2M", "-c", "-o", "cluster_size=2M"),
    _qcow2("zstd", "-c", "-o", "compression_type=zstd"),
    _qcow2("zstd-2M", "-c", "-o", "compression_type=zstd,cluster_size=2M"),
    _qcow2("unordered", "-W", "-m", "16"),
    _qcow2("extended-l2", "-o", "extended_l2=on"),
    _qcow2("extended-l2-16k", "-o", "extended_l2=on,cluster_size=16k"),
    _qcow2("extended-l2-zlib", "-c", "-o", "extended_l2=on,cluster_size=128k"),
    _qcow2("preallocated", "-o", "preallocation=metadata"),
    _qcow2("preallocated-full", "-o", "preallocation=full"),
    Recipe("qcow2-guest-writes", "qcow2", _created()),
    Recipe("qcow2-guest-writes-4k", "qcow2", _created("-o", "cluster_size=4k")),
    Recipe("qcow2-guest-writes-extended", "qcow2", _created("-o", "extended_l2=on,cluster_size=128k")),
    Recipe("qcow2-empty", "qcow2", _empty),
    Recipe("qcow2-snapshots", "qcow2", _snapshots),
    Recipe("qcow2-zero-clusters", "qcow2", _zero_clusters),
    Recipe("qcow2-zero-subclusters", "qcow2", _zero_subclusters),
    Recipe("qcow2-grown", "qcow2", _grown),
    Recipe("qcow2-shrunk", "qcow2", _shrunk),
    Recipe("qcow2-dirty", "qcow2", _dirty),
    Recipe("raw", "raw", convert("raw")),
    Recipe("vmdk-sparse", "vmdk", convert("vmdk", "-o", "subformat=monolithicSparse")),
    Recipe("vmdk-stream", "vmdk", convert("vmdk", "-o", "subformat=streamOptimized")),
    Recipe("vmdk-zeroed-grains", "vmdk", convert("vmdk", "-o", "subformat=monolithicSparse,zeroed_grain=on")),
    Recipe("vdi-dynamic", "vdi", convert("vdi")),
    Recipe("vdi-static", "vdi", convert("vdi", "-o", "static=on")),
    Recipe("vhd-dynamic", "vpc", convert("vpc", "-o", "subformat=dynamic,force_size")),
    Recipe("vhd-dynamic-chs", "vpc", convert("vpc", "-o", "subformat=dynamic")),
    Recipe("vhd-fixed", "vpc", convert("vpc", "-o", "subformat=fixed,force_size")),
    Recipe("vhd-fixed-chs", "vpc", convert("vpc", "-o", "subformat=fixed")),
    Recipe("vhdx-dynamic", "vhdx", convert("vhdx")),
    Recipe("vhdx-fixed", "vhdx", convert("vhdx", "-o", "subformat=fixed")),
    Recipe("vhdx-1M-blocks", "vhdx", convert("vhdx", "-o", "block_size=1M")),
)  # fmt: skip

RECIPES = {recipe.name: recipe for recipe in CORPUS}
OUR_NAMES = {"vpc": "vhd"}  # where qemu-img calls a format otherwise


def build(recipe: Recipe, folder: Path) -> Path:
    """Make the image in ``folder``; the raw disk is made there once."""
    raw = folder / "disk.raw"
    if not raw.exists():
        write_disk(raw)
    image = folder / recipe.name
    recipe.make(folder, raw, image)
    return image


def oracle(recipe: Recipe, image: Path) -> bytes:
    """The disk as qemu-img reads it."""
    plain = image.with_suffix(".plain")
    run("qemu-img", "convert", "-f", recipe.format, "-O", "raw", image, plain)
    data = plain.read_bytes()
    plain.unlink()
    return data


def reader(data: bytes) -> ReadAt:
    def read_at(offset: int, length: int) -> bytes:
        return data[offset : offset + length]

    return read_at


def check_extent(extent: Extent, position: int, virtual_size: int, file_size: int) -> None:
    """The invariants that ``importer.formats.Image`` promises; ``position``: end of the extent before."""
    assert extent.guest >= position
    assert extent.length > 0
    assert extent.guest + extent.length <= virtual_size
    assert extent.host >= 0
    assert extent.host_length > 0
    assert extent.host + extent.host_length <= file_size
    assert extent.kind is not Kind.DATA or extent.host_length == extent.length


def assemble(image: Image, read_at: ReadAt, file_size: int) -> bytes:
    """The whole disk in memory."""
    disk = bytearray(image.virtual_size)
    position = 0
    for extent in image.extents():
        check_extent(extent, position, image.virtual_size, file_size)
        position = extent.guest + extent.length
        data = read_at(extent.host, extent.host_length)
        if extent.kind is not Kind.DATA:
            data = inflate_cluster(extent.kind, data, extent.length)
        disk[extent.guest : position] = data
    return bytes(disk)
