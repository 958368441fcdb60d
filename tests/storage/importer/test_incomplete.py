"""Whatever goes wrong inside: a disk of which something was never written gets neither its name nor its head, and one
that has them is a guest's, with which no import goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopdev import loop_device

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.fetch.journal import Journal
from importer.progress import Progress
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
