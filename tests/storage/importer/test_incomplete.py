"""Whatever goes wrong inside: a disk of which something was never written gets neither its name nor its head, and one
that has them is a guest's, with which no import goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from support.loopdev import loop_device

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.fetch.journal import Checkpointer, Journal
from importer.progress import Progress
from importer.routes.pieces import Pieces
from importer.routes.scatter import _Scatter
from importer.routes.segments import Segment
from importer.sinks.block import BlockSink
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request

DISK = os.urandom(24 * MiB)


@pytest.fixture(params=["file", "device"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "file":
        yield tmp_path / "disk.img"
        return
    with loop_device(tmp_path, len(DISK)) as device:
        yield device


@pytest.mark.parametrize("lost", ["first", "one in the middle"])
def test_a_route_that_loses_a_piece_publishes_nothing_and_the_next_attempt_makes_it_whole(
    target: Path, tmp_path: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(DISK)
    request = Request(SourceSpec(str(image)), Target.at_path(target, state=tmp_path / "state"))
    every = _Scatter.segments

    def all_but_one(self: _Scatter) -> Iterator[Segment]:
        left_out = 0 if lost == "first" else 3
        return (segment for number, segment in enumerate(every(self)) if number != left_out)

    monkeypatch.setattr(_Scatter, "segments", all_but_one)
    with pytest.raises(Fault, match="were not written") as caught:
        transfer.run(request, Progress(), Cancel())
    assert (caught.value.code, caught.value.permanent) == ("DiskIncomplete", False)
    if target.is_block_device():
        assert not any(target.read_bytes()[: MiB - 4096])
    else:
        assert not target.exists()

    monkeypatch.undo()
    result = transfer.run(request, Progress(), Cancel())
    assert target.read_bytes()[: len(DISK)] == DISK
    assert result.bytes_kept > len(DISK) // 2


def test_a_disk_that_a_guest_may_have_written_to_is_made_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker was killed when the disk was whole, and before it had said so."""
    image = tmp_path / "disk.raw"
    image.write_bytes(DISK)
    publish = BlockSink.publish

    def killed_after_it(self: BlockSink) -> None:
        publish(self)
        raise KeyboardInterrupt

    with loop_device(tmp_path, len(DISK)) as device:
        request = Request(SourceSpec(str(image)), Target.at_path(device, state=tmp_path / "state"))
        with monkeypatch.context() as patched:
            patched.setattr(BlockSink, "publish", killed_after_it)
            with pytest.raises(KeyboardInterrupt):
                transfer.run(request, Progress(), Cancel())
        assert device.read_bytes() == DISK
        with device.open("r+b") as guest:
            guest.seek(8 * MiB)
            guest.write(b"guest")
        assert transfer.run(request, Progress(), Cancel()).bytes_kept == 0
        assert device.read_bytes() == DISK


@pytest.mark.parametrize("what", ["discarded", "used for something else"])
def test_a_journal_says_nothing_about_what_a_device_became_afterwards(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "disk.raw"
    image.write_bytes(DISK)

    def refused(self: Journal) -> None:
        raise Fault("TargetReadOnly", target="the state directory")

    with loop_device(tmp_path, len(DISK)) as device:
        request = Request(SourceSpec(str(image)), Target.at_path(device, state=tmp_path / "state"))
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "remove", refused)
            if what == "discarded":
                patched.setattr(transfer, "worthless", lambda _fault, _plan: True)
            with pytest.raises(Fault, match="TargetReadOnly"):
                transfer.run(request, Progress(), Cancel())
        if what == "used for something else":
            device.write_bytes(os.urandom(len(DISK)))
        assert list((tmp_path / "state").iterdir())
        assert transfer.run(request, Progress(), Cancel()).bytes_kept == 0
        assert device.read_bytes() == DISK


@pytest.mark.parametrize("changed", ["nothing", "one number", "marks added", "of an attempt before"])
def test_only_a_record_that_an_import_made_of_this_device_is_believed(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It travels in an annotation. What the device held before is not published by whoever may edit that."""
    image = tmp_path / "disk.raw"
    image.write_bytes(DISK)
    monkeypatch.setattr(BlockSink, "_punch", lambda *_: False)  # old content stays until it is written over
    with loop_device(tmp_path, len(DISK), dirty=True) as device:
        record = interrupted(image, device, tmp_path / "first", monkeypatch)
        if changed == "of an attempt before":
            assert interrupted(image, device, tmp_path / "again", monkeypatch) != record
        target = Target.at_path(device, state=tmp_path / "second")
        request = Request(SourceSpec(str(image)), replace(target, handed=altered(record, changed)))
        kept = transfer.run(request, Progress(), Cancel()).bytes_kept
        assert device.read_bytes() == DISK
    assert (kept > 0) == (changed == "nothing")


def interrupted(image: Path, device: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the import says of itself when all but one piece is durable."""
    every, progress = _Scatter.segments, Progress()

    def all_but_one(self: _Scatter) -> Iterator[Segment]:
        return (segment for number, segment in enumerate(every(self)) if number != 3)

    def at_once(self: Checkpointer, bytes_written: int, now: float) -> bool:
        return bytes_written > 4 * MiB

    with monkeypatch.context() as patched:
        patched.setattr(_Scatter, "segments", all_but_one)
        patched.setattr(Checkpointer, "due", at_once)
        patched.setattr(Pieces, "_oversee", overseen(Pieces._oversee))
        request = Request(SourceSpec(str(image)), Target.at_path(device, state=state))
        with pytest.raises(Fault, match="were not written"):
            transfer.run(request, progress, Cancel())
    assert progress.record
    return progress.record


def overseen(oversee: Callable[[Pieces[Segment]], None]) -> Callable[[Pieces[Segment]], None]:
    """With a checkpoint when all is written: how fast it was says nothing."""

    def until_then(self: Pieces[Segment]) -> None:
        oversee(self)
        self._job.checkpoint_if_due()

    return until_then


def altered(record: str, how: str) -> str:
    lines = record.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("W "))
    if how == "one number":
        lines[place] = sealed(f"W {MiB} {len(DISK)}")
    elif how == "marks added":
        lines.insert(place, sealed(f"W {2 * MiB} {len(DISK)}"))
    return "".join(line + "\n" for line in lines)


def sealed(line: str) -> str:
    return f"{line} {crc32(line.encode()):08x}"


def test_two_devices_of_one_name_have_a_journal_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the logical volumes ``root`` of two groups."""
    image, other = tmp_path / "disk.raw", tmp_path / "other.raw"
    image.write_bytes(DISK)
    other.write_bytes(DISK[: 4 * MiB])
    with loop_device(tmp_path, len(DISK)) as one, loop_device(tmp_path, len(DISK)) as two:
        for group, device in (("a", one), ("b", two)):
            (tmp_path / group).mkdir()
            (tmp_path / group / "root").symlink_to(device)
        interrupted(image, tmp_path / "a" / "root", tmp_path / "state", monkeypatch)
        second = Target.at_path(tmp_path / "b" / "root", state=tmp_path / "state")
        transfer.run(Request(SourceSpec(str(other)), second), Progress(), Cancel())
        first = Target.at_path(one, state=tmp_path / "state")  # by another name
        assert transfer.run(Request(SourceSpec(str(image)), first), Progress(), Cancel()).bytes_kept > len(DISK) // 2
        assert one.read_bytes() == DISK
