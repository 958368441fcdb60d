"""What of a disk counts after something went wrong, and in which order things go."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.checksum import Checksum
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
