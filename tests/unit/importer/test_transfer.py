"""What of a disk counts after something went wrong, and in which order things go."""

from __future__ import annotations

import errno
import os
import random
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.checksum import Checksum
from importer.fetch.governor import Limits
from importer.fetch.journal import Journal
from importer.progress import Progress
from importer.routes.scatter import _Scatter
from importer.routes.segments import Segment
from importer.sinks import direct, kernel
from importer.sinks.file import FileSink
from importer.sinks.options import SinkOptions
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, Result

DISK = random.Random(1).randbytes(24 * MiB)
WRONG = Checksum.parse("md5:" + "0" * 32)


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    (tmp_path / "raw").write_bytes(DISK)
    (tmp_path / "out").mkdir()
    return Request(SourceSpec(str(tmp_path / "raw")), Target.at_path(tmp_path / "out" / "disk.img"))


def run(request: Request) -> Result:
    return transfer.run(request, Progress(), Cancel())


def names(request: Request) -> list[str]:
    return sorted(path.name for path in request.target.path.parent.iterdir())


def interrupted(request: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of it is written, nothing of that is durable."""
    every = _Scatter.segments

    def all_but_one(self: _Scatter) -> Iterator[Segment]:
        return (segment for number, segment in enumerate(every(self)) if number != 3)

    with monkeypatch.context() as patched:
        patched.setattr(_Scatter, "segments", all_but_one)
        with pytest.raises(Fault, match="DiskIncomplete"):
            run(request)


def failing(times: int, call: Callable[[int], None]) -> Callable[[int], None]:
    """``call``, of which the first ones fail: the kernel says an error of earlier writes to whoever syncs first."""
    left = times

    def sometimes(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(errno.EIO, "Input/output error")
        call(descriptor)

    return sometimes


def test_what_was_written_is_kept_after_an_interruption(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(request_, monkeypatch)
    assert run(request_).bytes_kept > 16 * MiB
    assert request_.target.path.read_bytes() == DISK


def test_an_error_that_the_next_process_hears_takes_back_what_was_only_written(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed before its own sync; the one that opens the file then is told, once."""
    interrupted(request_, monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing(1, os.fdatasync))
        with pytest.raises(Fault, match="TargetFailed"):
            run(request_)
    assert run(request_).bytes_kept == 0
    assert request_.target.path.read_bytes() == DISK


def test_a_busy_target_or_a_full_one_takes_nothing_back(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(request_, monkeypatch)

    def full(self: FileSink, reach: int) -> None:
        raise Fault("NoSpace", target="t", offset=0, cause="No space left on device")

    held = FileSink(request_.target.path, len(DISK), SinkOptions(resume=True))
    with pytest.raises(Fault, match="TargetBusy"):
        run(request_)
    held.close()
    with monkeypatch.context() as patched:
        patched.setattr(FileSink, "go_on", full)
        with pytest.raises(Fault, match="NoSpace"):
            run(request_)
    assert run(request_).bytes_kept > 16 * MiB


def test_an_error_of_the_write_back_takes_back_what_was_only_written(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for it takes the error away from the next sync."""

    def fails(descriptor: int, offset: int, length: int, flags: int) -> None:
        if flags == kernel.WAIT_FOR_WRITEBACK:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("importer.sinks.file._direct_alignment", lambda _fd: 1)
        patched.setattr(direct, "_BEHIND", 4)
        patched.setattr(kernel, "sync_file_range", fails)
        with pytest.raises(Fault, match="TargetFailed"):
            run(request_)
    assert "disk.img.part" in names(request_)
    assert run(request_).bytes_kept == 0
    assert request_.target.path.read_bytes() == DISK


def test_a_last_sync_that_fails_takes_back_what_was_only_written(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def fails(self: FileSink) -> None:
            patched.setattr(os, "fdatasync", failing(1, os.fdatasync))
            real(self)

        real = FileSink.sync
        patched.setattr(FileSink, "sync", fails)
        with pytest.raises(Fault, match="TargetFailed"):
            run(request_)
    assert names(request_) == ["disk.img.journal", "disk.img.part"]
    assert run(request_).bytes_kept == 0


def test_a_disk_that_has_its_name_has_no_journal(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    publish = FileSink.publish

    def noting(self: FileSink) -> None:
        seen.append(names(request_))
        publish(self)

    monkeypatch.setattr(FileSink, "publish", noting)
    run(request_)
    assert seen == [["disk.img.part"]]
    assert names(request_) == ["disk.img"]


def test_the_journal_goes_before_what_it_vouches_for(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    discard = FileSink.discard

    def noting(self: FileSink) -> None:
        seen.append(names(request_))
        discard(self)

    monkeypatch.setattr(FileSink, "discard", noting)
    with pytest.raises(Fault, match="checksum mismatch"):
        run(Request(request_.source, request_.target, WRONG))
    assert seen == [["disk.img.part"]]
    assert names(request_) == []


@pytest.mark.parametrize("what", ["journal", "disk"])
def test_what_cannot_be_removed_hides_neither_the_fault_nor_the_rest(
    what: str, request_: Request, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(self: object) -> None:
        raise Fault("TargetReadOnly", target=what)

    monkeypatch.setattr(*((Journal, "remove") if what == "journal" else (FileSink, "discard")), refused)
    with pytest.raises(Fault, match="checksum mismatch"):
        run(Request(request_.source, request_.target, WRONG))
    assert names(request_) == (["disk.img.journal"] if what == "journal" else ["disk.img.part"])
    assert f"[TargetReadOnly] {what} is read-only." in caplog.text


@pytest.mark.parametrize(
    "source", ["out/disk.img", "out/disk.img.part", "out/disk.img.journal", "out/disk.img.journal.new"]
)
@pytest.mark.parametrize("name", ["itself", "a symbolic link", "a hard link"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_disk_is_not_made_over_what_it_is_made_from(
    source: str, name: str, overwrite: bool, request_: Request, tmp_path: Path
) -> None:
    path = tmp_path / source
    path.write_bytes(DISK)
    link = tmp_path / "link"
    if name == "a symbolic link":
        link.symlink_to(path)
    elif name == "a hard link":
        link.hardlink_to(path)
    target = replace(request_.target, overwrite=overwrite)
    with pytest.raises(Fault) as caught:
        run(Request(SourceSpec(str(path if name == "itself" else link)), target))
    assert caught.value.code == "TargetIsSource"
    assert path.read_bytes() == DISK
    assert names(request_) == [path.name]


@pytest.mark.parametrize("what", ["disk.img.part", "disk.img.journal", "disk.img.journal.new"])
def test_what_somebody_else_calls_as_we_do_stays_and_is_named(what: str, request_: Request) -> None:
    path = request_.target.path.with_name(what)
    path.write_bytes(b"precious")
    with pytest.raises(Fault) as caught:
        run(request_)
    assert (caught.value.code, caught.value.values["name"]) == ("TargetForeign", str(path))
    assert path.read_bytes() == b"precious"
    assert names(request_) == [what]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("moment", ["before the last sync", "at publication"])
def test_a_file_that_came_during_the_download_is_replaced_only_when_asked_for(
    moment: str, overwrite: bool, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = request_.target.path
    request = replace(request_, target=replace(request_.target, overwrite=overwrite))
    owner, method = (_Scatter, "handle") if moment == "before the last sync" else (FileSink, "publish")
    real = getattr(owner, method)

    def meanwhile(self: object, *arguments: object) -> None:
        path.write_bytes(b"precious")
        real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(owner, method, meanwhile)
        if overwrite:
            run(request)
            assert path.read_bytes() == DISK
            return
        with pytest.raises(Fault, match="TargetExists"):
            run(request)
    assert path.read_bytes() == b"precious"
    path.unlink()
    kept = run(request).bytes_kept
    assert kept == (len(DISK) if moment == "before the last sync" else 0)
    assert path.read_bytes() == DISK


def test_what_a_file_held_when_it_changed_is_not_mixed_with_what_it_holds_then(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported once more; a second change is a fault."""
    source = tmp_path / "raw"
    handle = _Scatter.handle
    changes = [1]

    def changing(self: _Scatter, segment: Segment, buffer: memoryview) -> None:
        handle(self, segment, buffer)
        if segment.host and changes:
            changes.pop()
            times = source.stat()
            source.write_bytes(DISK[::-1])
            os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))  # as whoever copies it may do

    monkeypatch.setattr(_Scatter, "handle", changing)
    result = run(replace(request_, connections=Limits(1, 1)))
    assert request_.target.path.read_bytes() == DISK[::-1]
    assert "SourceChanged" in result.notes[0]
    request_.target.path.unlink()
    changes += [1, 1]
    with pytest.raises(Fault, match="SourceChanged"):
        run(replace(request_, connections=Limits(1, 1)))
    assert names(request_) == []


def test_an_archive_is_not_unpacked_over_itself(tmp_path: Path) -> None:
    directory = tmp_path / "out"
    (directory / "deep").mkdir(parents=True)
    path = directory / "deep" / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("deep/a.tar"))
    content = path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    for name in (path, tmp_path / "link"):
        target = Target.at_path(directory, archive=True, overwrite=True)
        with pytest.raises(Fault, match="TargetIsSource"):
            run(Request(SourceSpec(str(name)), target, archive=True))
    assert path.read_bytes() == content


@pytest.mark.parametrize("what", ["disk.img.part", "disk.img.journal"])
@pytest.mark.parametrize("everybody", [False, True])
def test_what_another_user_can_have_planted_is_not_gone_on_with(
    what: str, everybody: bool, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in /tmp: the bytes, and the journal that vouches for them, would be those of whoever put them there."""
    interrupted(request_, monkeypatch)
    path = request_.target.path.with_name(what)
    os.chown(path, 1234, 1234)
    path.parent.chmod(0o1777 if everybody else 0o755)
    if not everybody:  # a server may have made another user of us
        assert run(request_).bytes_kept > 16 * MiB
        return
    before = path.read_bytes()
    with pytest.raises(Fault) as caught:
        run(request_)
    assert (caught.value.code, caught.value.values["name"]) == ("TargetForeign", str(path))
    assert path.read_bytes() == before
