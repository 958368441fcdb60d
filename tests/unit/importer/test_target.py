"""What a target does with what earlier imports have left, and where it keeps a device's journal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support.memorysource import MemorySource

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.blank import make_blank
from importer.plan import Plan, Wishes, make_plan
from importer.sinks.file import FileSink
from importer.target import Target

DATA = b"x" * 64 * KiB
JOURNAL = "disk.img.journal"


def planned(*, ranges: bool = True) -> Plan:
    source = MemorySource(DATA, ranges=ranges)
    return make_plan(source, lambda offset, length: DATA[offset : offset + length], Wishes())


@pytest.fixture
def as_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    """Its journal is not beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(Target, "is_device", property(lambda self: True))
    return Target(Path("/dev/sdx"))


def test_the_journals_of_devices_are_in_a_private_directory(as_device: Target, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = as_device._journal_path()
    finally:
        os.umask(before)
    assert path == tmp_path / f"cdi-journal-{os.geteuid()}" / "sdx.journal"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert as_device._journal_path() == path


@pytest.mark.parametrize("kind", ["open to others", "somebody else's", "a link"])
def test_a_directory_that_others_may_write_in_holds_no_journal(kind: str, as_device: Target, tmp_path: Path) -> None:
    directory = tmp_path / f"cdi-journal-{os.geteuid()}"
    if kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        directory.symlink_to(tmp_path / "elsewhere")
    else:
        directory.mkdir()
        directory.chmod(0o777 if kind == "open to others" else 0o755)
        os.chown(directory, 1234 if kind == "somebody else's" else -1, -1)
    with pytest.raises(Fault) as caught:
        as_device._journal_path()
    assert caught.value.message == (
        f"[StateUnsafe] {directory} belongs to somebody else, or others may write there. "
        "The journal of an import is kept in it and believed: it could name bytes that were never written. "
        "Try: remove it, or name a directory of your own with --state."
    )


def test_what_is_named_with_state_is_the_user_s_choice(
    tmp_path: Path, as_device: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    target = Target(Path("/dev/sdx"), state=tmp_path / "shared")
    assert target._journal_path() == tmp_path / "shared" / "sdx.journal"


def left_by_an_import(directory: Path, data: bytes = DATA) -> None:
    """An unfinished disk and its journal."""
    site = Target.at_path(directory / "disk.img").prepare(planned(), None)
    site.sink.write(0, memoryview(data))
    site.journal.written(0, len(data))
    site.close()
    assert {JOURNAL, "disk.img.part"} <= {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("how", ["an import that cannot go on", "a blank disk"])
def test_the_journal_goes_before_the_part_is_started_anew(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_by_an_import(tmp_path)
    seen: list[bool] = []
    start_anew = FileSink.start_anew

    def noting(self: FileSink) -> None:
        seen.append((tmp_path / JOURNAL).exists())
        start_anew(self)

    monkeypatch.setattr(FileSink, "start_anew", noting)
    if how == "a blank disk":
        make_blank(Target.at_path(tmp_path / "disk.img", size=MiB))
        assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]
    else:
        site = Target.at_path(tmp_path / "disk.img").prepare(planned(ranges=False), None)
        site.sink.close()
        site.journal.close()
    assert seen == [False]


@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_in_use_is_left_alone(ranges: bool, tmp_path: Path) -> None:
    """The disk of an earlier import, too, goes only when nobody else is making the next one."""
    (tmp_path / "disk.img").write_bytes(DATA)
    target = Target(tmp_path / "disk.img", overwrite=True, is_own=True)
    first = target.prepare(planned(), None)
    assert not (tmp_path / "disk.img").exists()
    (tmp_path / "disk.img").write_bytes(DATA)
    journal = (tmp_path / JOURNAL).read_bytes()
    for second in (lambda: target.prepare(planned(ranges=ranges), None), lambda: target.made_anew(MiB).__enter__()):
        with pytest.raises(Fault, match="TargetBusy"):
            second()
    assert (tmp_path / "disk.img").read_bytes() == DATA
    assert (tmp_path / JOURNAL).read_bytes() == journal
    first.sink.close()
    first.journal.close()


def test_the_room_of_a_directory_is_its_own_file_system_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {tmp_path: 5 * MiB, tmp_path.parent: 9 * MiB}
    monkeypatch.setattr("importer.target.free_bytes", free.__getitem__)
    assert Target.at_path(tmp_path, archive=True).limit(None) == 5 * MiB
    assert Target.at_path(tmp_path, archive=True, size=MiB).limit(None) == MiB
    assert Target.at_path(tmp_path, archive=True, size=7 * MiB).limit(None) == 5 * MiB
    assert Target.at_path(tmp_path / "disk.img").limit(None) == 5 * MiB


@pytest.mark.parametrize(("missing", "fits"), [(0, True), (512, True), (513, False)])
def test_a_disk_that_may_end_in_a_footer_fits_without_it_and_is_told_with_it(
    missing: int, fits: bool, tmp_path: Path
) -> None:
    target = Target.at_path(tmp_path / "disk.img", size=len(DATA) - missing)
    if fits:
        target.check_fits(planned(ranges=False))
        return
    with pytest.raises(Fault) as caught:
        target.check_fits(planned(ranges=False))
    assert caught.value.contract.startswith(f"virtual image size {len(DATA)} is larger than the reported available ")


@pytest.mark.parametrize(
    ("asked", "available", "virtual", "block", "published"),
    [
        (None, None, 1_500_001, 512, 1_500_160),
        (None, None, 1_500_001, 4096, 1_503_232),
        (None, None, 24 * MiB, 4096, 24 * MiB),
        (2_000_001, None, 1_500_001, 512, 2 * MiB),
        (100_000_000, None, 1_500_001, 4096, 96 * MiB),
        (100_000_000, 100_000_000, 1_500_001, 4096, 95 * MiB),  # a volume of so many bytes holds no 96 MiB
        (100_000_000, 100_000_000, 100_000_000, 4096, 100_003_840),
        (MiB, None, 3 * MiB + 1, 512, 3 * MiB + 512),
    ],
)
def test_a_disk_ends_at_a_block_of_its_volume(
    asked: int | None, available: int | None, virtual: int, block: int, published: int
) -> None:
    assert Target(Path("disk.img"), asked, available).final_size(virtual, block) == published


@pytest.mark.parametrize(
    ("asked", "virtual", "block", "published"),
    [
        (None, 1_500_001, 512, 1_500_160),
        (None, 1_500_001, 4096, 1_503_232),
        (2_000_001, 1_500_001, 4096, 2_002_944),
        (9 * MiB, 1_500_001, 4096, 8 * MiB),
    ],
)
def test_what_is_said_of_a_device_ends_at_a_block_too(
    asked: int | None, virtual: int, block: int, published: int, as_device: Target
) -> None:
    assert Target(as_device.path, asked, 8 * MiB).final_size(virtual, block) == published
