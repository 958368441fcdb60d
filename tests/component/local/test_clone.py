"""Cloning a local disk: sparse, whole or not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdi.base.faults import Fault
from cloner import local
from cloner.local import Result, clone
from importer import transfer
from importer.cancel import Cancel
from importer.fetch.governor import Limits
from importer.progress import Progress
from importer.sinks.file import FileSink
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request

MiB = 1024 * 1024


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.img"
    with path.open("wb") as file:
        file.write(os.urandom(2 * MiB))
        file.seek(40 * MiB)
        file.write(os.urandom(MiB))
        file.truncate(64 * MiB)
    return path


def test_a_clone_has_the_same_bytes_and_the_same_holes(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.img"
    clone(source, target, Result(80 * MiB), Progress(), Cancel())
    assert target.stat().st_size == 80 * MiB
    assert target.read_bytes() == source.read_bytes() + bytes(16 * MiB)
    assert target.stat().st_blocks * 512 <= 4 * MiB
    assert target.stat().st_mode & 0o777 == 0o660
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.img", "target.img"]


def test_a_stopped_clone_leaves_no_disk(source: Path, tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Fault) as caught:
        clone(source, tmp_path / "target.img", Result(0), Progress(), cancel)
    assert caught.value.code == "Cancelled"
    assert not (tmp_path / "target.img").exists()


def test_a_preallocated_clone_has_all_its_blocks(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.img"
    clone(source, target, Result(64 * MiB, preallocation=True), Progress(), Cancel())
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 >= 64 * MiB


def killed(do: Callable[[], object]) -> None:
    """In a process of its own, that ends as by SIGKILL when ``do`` calls ``os._exit``."""
    child = os.fork()
    if not child:
        try:
            do()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def cut_short(patched: pytest.MonkeyPatch, module: object, call: str, after: int) -> None:
    real, left = getattr(module, call), [after]

    def until_then(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os._exit(9)
        return real(*arguments)

    patched.setattr(module, call, until_then)


def refused(*_: object) -> bytes:
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("marks", [True, False])
def test_what_a_killed_clone_has_written_is_nothing_that_an_import_goes_on_with(
    marks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not marks:  # the file system has no extended attributes
        monkeypatch.setattr(os, "getxattr", refused)
    image, other, target = tmp_path / "image", tmp_path / "other", tmp_path / "out" / "disk.img"
    image.write_bytes(os.urandom(24 * MiB))
    other.write_bytes(os.urandom(24 * MiB))
    target.parent.mkdir()
    request = Request(SourceSpec(str(image)), Target.at_path(target), connections=Limits(1, 1))
    with monkeypatch.context() as patched:
        cut_short(patched, FileSink, "write", after=6)
        killed(lambda: transfer.run(request, Progress(), Cancel()))
    left = target.with_name("disk.img.part").stat().st_ino
    with monkeypatch.context() as patched:
        patched.setattr(local, "_STEP", MiB)
        cut_short(patched, os, "copy_file_range", after=18)
        killed(lambda: clone(other, target, Result(24 * MiB), Progress(), Cancel()))
    assert target.with_name("disk.img.part").stat().st_ino == left
    assert transfer.run(request, Progress(), Cancel()).bytes_kept == 0
    assert target.read_bytes() == image.read_bytes()
    assert os.listdir(target.parent) == ["disk.img"]


def test_two_do_not_write_one_disk(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target.img"
    with Target.at_path(target).made_anew(MiB) as first:
        first.sink.write(0, memoryview(b"x" * 4096))
        with pytest.raises(Fault, match="TargetBusy"):
            clone(source, target, Result(0), Progress(), Cancel())
    assert target.read_bytes() == (b"x" * 4096).ljust(MiB, b"\0")


@pytest.mark.parametrize("name", ["target.img.part", "target.img.journal"])
def test_a_clone_writes_over_nothing_that_is_not_ours(name: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(Fault, match="TargetForeign"):
        clone(source, tmp_path / "target.img", Result(0), Progress(), Cancel())
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["source.img", "link", "other"])
def test_a_disk_is_not_cloned_over_itself(name: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "other.part").hardlink_to(source)
    content = source.read_bytes()
    with pytest.raises(Fault, match="TargetIsSource"):
        clone(source, tmp_path / name, Result(0), Progress(), Cancel())
    assert source.read_bytes() == content


@pytest.mark.parametrize("change", ["written", "written, with its old time", "cut", "longer"])
def test_a_source_that_changes_while_it_is_copied_is_no_disk(
    change: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = os.copy_file_range

    def meanwhile(*arguments: int) -> int:
        count = copy(*arguments)
        times = source.stat()
        with source.open("r+b") as file:
            file.write(b"new")
        if change == "cut":
            os.truncate(source, 41 * MiB - 7)
        elif change == "longer":
            os.truncate(source, 65 * MiB)
        elif change == "written, with its old time":
            os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
        return count

    monkeypatch.setattr(os, "copy_file_range", meanwhile)
    monkeypatch.setattr(local, "_FICLONE", 0)  # no ioctl: what copies in one step cannot be caught in the middle
    with pytest.raises(Fault) as caught:
        clone(source, tmp_path / "target.img", Result(0), Progress(), Cancel())
    assert caught.value.code in ("SourceChanged", "SourceTruncated")
    assert os.listdir(tmp_path) == ["source.img"]


def test_a_source_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for source in (tmp_path / "fifo", Path("/dev/zero"), tmp_path):
        with pytest.raises(Fault, match="FileUnreadable"):
            clone(source, tmp_path / "target.img", Result(0), Progress(), Cancel())
    assert os.listdir(tmp_path) == ["fifo"]
