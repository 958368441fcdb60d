"""Real storage for tests: loop devices with 512 or 4096 byte sectors, and file systems on them. Needs root.

Every device and mount made here is taken down again by its own name; nothing else is touched.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cdi.base.units import MiB


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout.strip()


@contextmanager
def loop_device(
    directory: Path, size: int, sector: int = 512, *, dirty: bool = False, read_only: bool = False
) -> Iterator[Path]:
    """A block device of ``size`` bytes backed by a sparse file in ``directory``; ``dirty``: full of random bytes."""
    fd, name = tempfile.mkstemp(suffix=".backing", dir=directory)
    if dirty:
        for start in range(0, size, MiB):
            os.pwrite(fd, os.urandom(min(MiB, size - start)), start)
    os.ftruncate(fd, size)
    os.close(fd)
    flags = ("--read-only",) if read_only else ()
    device = _run("losetup", "--find", "--show", *flags, "--sector-size", str(sector), name)
    try:
        yield Path(device)
    finally:
        _run("losetup", "--detach", device)
        os.unlink(name)


@contextmanager
def mounted(
    directory: Path, kind: str, size: int = 64 * MiB, options: str = "", *, sector: int = 512
) -> Iterator[Path]:
    """An empty file system of ``kind`` (ext4, xfs; ramfs needs no device) on a loop device."""
    place = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=directory))
    if kind == "ramfs":
        with _mount("ramfs", place, "-t", "ramfs"):
            yield place
        return
    with loop_device(directory, size, sector) as device:
        _run(f"mkfs.{kind}", "-q", str(device))
        with _mount(str(device), place, *(("-o", options) if options else ())):
            yield place


@contextmanager
def _mount(what: str, place: Path, *arguments: str) -> Iterator[None]:
    _run("mount", *arguments, what, str(place))
    try:
        yield
    finally:
        # A failed test may still hold a file: then it goes with its last descriptor, and the loop device with it.
        if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode != 0:
            _run("umount", "--lazy", str(place))


def remount(place: Path, options: str) -> None:
    _run("mount", "-o", f"remount,{options}", str(place))


def sector_of(device: Path) -> int:
    return int(_run("blockdev", "--getss", str(device)))


def allocated(path: Path) -> int:
    """Bytes that the file takes on its file system."""
    return path.stat().st_blocks * 512
