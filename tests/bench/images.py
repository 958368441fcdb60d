"""The benchmark images: a disk of 4 GiB, about 1.15 GiB of it allocated, of real files and of incompressible data; and
a small one of 21 MiB. Built once and cached outside the repository, keyed by how they are made.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from cdi.base.units import MiB

SIZE = "4G"
_RANDOM_MIB = 400
_FILES_MIB = 750

_SMALL_SIZE = "112M"
_SMALL_RANDOM_MIB = 3
_SMALL_FILES_MIB = 50

FORMATS = {
    "disk.qcow2": "qemu-img convert -O qcow2 disk.raw {out}",
    "disk-zlib.qcow2": "qemu-img convert -c -O qcow2 disk.raw {out}",
    "disk-zstd.qcow2": "qemu-img convert -c -O qcow2 -o compression_type=zstd disk.raw {out}",
    "disk.raw.gz": "pigz -6 -c disk.raw > {out}",
    "disk.raw.zst": "zstd -q -3 -T2 disk.raw -o {out}",
    "disk.raw.xz": "xz -1 -T2 -c disk.raw > {out}",
    "small.qcow2": "qemu-img convert -c -O qcow2 small.raw {out}",
}


def cache_directory() -> Path:
    root = Path(os.environ.get("CDI_TEST_CACHE", Path.home() / ".cache" / "cdi-tests"))
    small = (_SMALL_SIZE, _SMALL_RANDOM_MIB, _SMALL_FILES_MIB)
    recipe = (SIZE, _RANDOM_MIB, _FILES_MIB, small, sorted(FORMATS.items()))
    key = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
    return root / f"bench-{key}"


def images() -> Path:
    """The directory with all images; builds them when missing (about 4 minutes, xz most of it)."""
    directory = cache_directory()
    if (directory / "complete").exists():
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    _make_disk(directory / "disk.raw", SIZE, _RANDOM_MIB, _FILES_MIB)
    _make_disk(directory / "small.raw", _SMALL_SIZE, _SMALL_RANDOM_MIB, _SMALL_FILES_MIB)
    for name, command in FORMATS.items():
        subprocess.run(command.format(out=name), shell=True, check=True, cwd=directory)
    (directory / "complete").touch()
    return directory


def _make_disk(disk: Path, size: str, random_mib: int, files_mib: int) -> None:
    """An ext4 file system with a copy of this machine's own libraries and a file of random bytes."""
    tree = disk.with_suffix(".tree")
    tree.mkdir()
    with (tree / "random").open("wb") as file:
        for _ in range(random_mib):
            file.write(os.urandom(MiB))
    _copy_files(Path("/usr"), tree / "usr", files_mib * MiB)
    subprocess.run(["truncate", "-s", size, disk], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, disk], check=True)
    shutil.rmtree(tree)


def _copy_files(source: Path, target: Path, limit: int) -> None:
    """Regular files below ``source``, in a fixed order, until ``limit`` bytes are copied."""
    copied = 0
    for directory, names, files in os.walk(source):
        names.sort()
        for name in sorted(files):
            path = Path(directory, name)
            if path.is_symlink() or not path.is_file():
                continue
            copied += path.stat().st_size
            if copied > limit:
                return
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def allocated_bytes(disk: Path) -> int:
    """Bytes of 64 KiB-aligned blocks that are not all zero: what a sparse importer has to write."""
    zero, found = bytes(65536), 0
    with disk.open("rb") as file:
        while block := file.read(65536):
            found += 65536 if block != zero[: len(block)] else 0
    return found
