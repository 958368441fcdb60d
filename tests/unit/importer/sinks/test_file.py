from __future__ import annotations

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.sinks import direct, kernel
from importer.sinks.file import FileSink, free_bytes
from importer.sinks.memory import MemorySink
from importer.sinks.options import SinkOptions
from importer.sinks.registry import open_sink

SIZE = 4 * MiB


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "disk.img"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


def test_nothing_bears_the_final_name_before_publication(path: Path) -> None:
    sink = FileSink(path, SIZE)
    sink.write(0, memoryview(os.urandom(MiB)))
    sink.sync()
    assert names(path) == ["disk.img.part"]
    sink.publish()
    sink.close()
    assert names(path) == ["disk.img"]


def test_the_mode_is_0660_whatever_the_umask(path: Path) -> None:
    before = os.umask(0o077)
    try:
        sink = FileSink(path, SIZE)
        sink.publish()
        sink.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_a_discarded_disk_leaves_no_file(path: Path) -> None:
    sink = FileSink(path, SIZE)
    sink.write(0, memoryview(os.urandom(MiB)))
    sink.discard()
    sink.close()
    assert names(path) == []


def test_discarding_after_publication_keeps_the_disk(path: Path) -> None:
    sink = FileSink(path, SIZE)
    sink.publish()
    sink.discard()
    sink.close()
    assert names(path) == ["disk.img"]


def test_closing_keeps_the_part_for_a_resume(path: Path) -> None:
    sink = FileSink(path, SIZE)
    data = os.urandom(MiB)
    sink.write(MiB, memoryview(data))
    first = sink.identity()
    sink.close()
    again = FileSink(path, SIZE, SinkOptions(resume=True))
    assert not again.fresh
    assert again.identity() == first
    again.go_on()
    assert again.read(MiB, MiB) == data
    again.close()


def test_a_resume_without_a_part_is_fresh_and_leaves_none_while_nothing_has_begun(path: Path) -> None:
    sink = FileSink(path, SIZE, SinkOptions(resume=True))
    assert sink.fresh
    sink.close()
    assert names(path) == []
    sink = FileSink(path, SIZE, SinkOptions(resume=True))
    sink.start_anew()
    sink.close()
    assert names(path) == ["disk.img.part"]


def test_opened_for_a_resume_it_is_only_locked(path: Path) -> None:
    part = path.with_name("disk.img.part")
    part.write_bytes(b"x" * 5000)
    sink = FileSink(path, SIZE, SinkOptions(resume=True))
    with pytest.raises(Fault, match="TargetBusy"):
        FileSink(path, SIZE, SinkOptions(resume=True))
    assert part.read_bytes() == b"x" * 5000
    sink.close()


@pytest.mark.parametrize("way", ["sync", "write-back"])
def test_a_failure_about_earlier_writes_leaves_the_sink_in_doubt(
    path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: int) -> None:
        if way == "sync" or arguments[-1] == kernel.WAIT_FOR_WRITEBACK:
            raise OSError(errno.EIO, "Input/output error")

    sink = FileSink(path, SIZE, SinkOptions(direct=False))
    monkeypatch.setattr(direct, "_BEHIND", 1)
    monkeypatch.setattr(*((os, "fdatasync") if way == "sync" else (kernel, "sync_file_range")), fails)
    data = memoryview(os.urandom(256 * KiB))

    def write_all() -> None:
        for offset in range(0, SIZE, len(data)):
            sink.write(offset, data)
        sink.sync()

    with pytest.raises(Fault, match="TargetFailed"):
        write_all()
    assert sink.in_doubt
    monkeypatch.undo()
    with pytest.raises(Fault, match="TargetFailed"):
        sink.sync()  # the kernel has said it once, and takes this for a success
    sink.close()


def test_a_write_that_is_refused_is_about_no_other(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    sink = FileSink(path, SIZE)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(Fault, match="NoSpace"):
        sink.write(0, memoryview(os.urandom(MiB)))
    assert not sink.in_doubt
    sink.close()


def test_a_stale_part_is_emptied_when_nothing_is_resumed(path: Path) -> None:
    path.with_name("disk.img.part").write_bytes(os.urandom(2 * SIZE))
    sink = FileSink(path, SIZE)
    sink.publish()
    sink.close()
    assert path.read_bytes() == bytes(SIZE)


def test_a_part_made_again_has_another_identity(path: Path) -> None:
    """ext4 gives the inode number of a removed file to the next one: the birth time tells them apart."""
    seen = set()
    for _ in range(3):
        sink = FileSink(path, SIZE)
        seen.add(sink.identity())
        sink.discard()
        sink.close()
        # File systems stamp with the kernel's coarse clock: go on when it has moved by a whole tick.
        _one_tick_passes(path.parent)
    assert len(seen) == 3


def _one_tick_passes(directory: Path) -> None:
    probe = directory / "tick"
    probe.touch()
    first = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns == first:
        probe.touch()
    probe.unlink()


def test_a_second_importer_is_refused_while_the_first_holds_the_target(path: Path) -> None:
    first = FileSink(path, SIZE)
    with pytest.raises(Fault) as caught:
        FileSink(path, SIZE)
    assert caught.value.code == "TargetBusy"
    assert names(path) == ["disk.img.part"]
    first.close()
    second = FileSink(path, SIZE)
    second.close()


def test_the_lock_of_a_published_disk_does_not_block_the_next_import(path: Path) -> None:
    first = FileSink(path, SIZE)
    first.publish()
    second = FileSink(path, SIZE)
    second.publish()
    first.close()
    second.close()
    assert names(path) == ["disk.img"]


def test_holes_stay_holes(path: Path) -> None:
    sink = FileSink(path, 64 * MiB)
    sink.write(0, memoryview(bytes(8 * MiB)))
    sink.write(8 * MiB, memoryview(os.urandom(MiB) + bytes(MiB)))
    sink.zero(16 * MiB, 8 * MiB)
    sink.publish()
    sink.close()
    assert MiB <= path.stat().st_blocks * 512 <= MiB + 64 * KiB
    assert path.stat().st_size == 64 * MiB


def test_preallocation_reserves_every_byte_at_once(path: Path) -> None:
    sink = FileSink(path, 16 * MiB, SinkOptions(preallocate=True))
    part = path.with_name("disk.img.part")
    assert part.stat().st_blocks * 512 >= 16 * MiB
    sink.zero(0, 8 * MiB)
    sink.write(8 * MiB, memoryview(bytes(MiB)))
    sink.grow(20 * MiB)
    sink.publish()
    sink.close()
    assert path.stat().st_blocks * 512 >= 20 * MiB
    assert path.read_bytes() == bytes(20 * MiB)


def test_a_misaligned_write_inside_a_direct_disk_is_a_bug_and_not_a_corrupt_disk(path: Path) -> None:
    sink = FileSink(path, SIZE)
    assert sink.align == 4096
    for offset, length in ((100, 4096), (0, 5000)):
        with pytest.raises(ValueError, match="not aligned"):
            sink.write(offset, memoryview(os.urandom(length)))
    sink.close()


def test_clusters_of_512_bytes_can_be_written_when_asked_for(path: Path) -> None:
    sink = FileSink(path, MiB, SinkOptions(unaligned=True))
    assert sink.align == 1
    data = os.urandom(64 * KiB)
    for offset in range(0, len(data), 512):
        sink.write(offset, memoryview(data)[offset : offset + 512])
    sink.publish()
    sink.close()
    assert path.read_bytes() == data.ljust(MiB, b"\0")


def test_a_buffered_writer_keeps_the_page_cache_small(path: Path) -> None:
    sink = FileSink(path, 64 * MiB, SinkOptions(direct=False))
    data = memoryview(os.urandom(MiB))
    for offset in range(0, 64 * MiB, MiB):
        sink.write(offset, data)
    cached = _cached_bytes(path.with_name("disk.img.part"))
    sink.close()
    assert cached <= 34 * MiB


def test_a_direct_writer_leaves_nothing_in_the_page_cache(path: Path) -> None:
    sink = FileSink(path, 16 * MiB)
    sink.write(0, memoryview(os.urandom(16 * MiB)))
    cached = _cached_bytes(path.with_name("disk.img.part"))
    sink.close()
    assert cached <= 64 * KiB


def _cached_bytes(path: Path) -> int:
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_a_missing_directory_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        FileSink(tmp_path / "gone" / "disk.img", SIZE)
    assert caught.value.code == "TargetMissing"


def test_a_link_in_place_of_the_part_is_not_followed(path: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path.with_name("disk.img.part").symlink_to(victim)
    with pytest.raises(Fault) as caught:
        FileSink(path, SIZE)
    assert caught.value.code == "TargetFailed"
    assert victim.read_bytes() == b"precious"


def test_the_chooser_takes_a_file_for_everything_that_is_no_device(path: Path) -> None:
    sink = open_sink(path, SIZE)
    assert isinstance(sink, FileSink)
    sink.close()


def test_free_bytes_are_what_the_file_system_says(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0
    with pytest.raises(Fault) as caught:
        free_bytes(tmp_path / "gone")
    assert caught.value.code == "TargetMissing"


def test_a_disk_in_memory_is_only_for_tests() -> None:
    with pytest.raises(ValueError, match="for tests"):
        MemorySink(2 * 1024 * MiB)


def test_a_late_write_does_not_meet_the_file_that_has_the_descriptor_s_number_now(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "disk.img", MiB)
    late = sink._channel.put
    number = sink._fd
    sink.close()
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    again = os.dup2(other, number)  # the same one, when it was the lowest that was free
    try:
        with pytest.raises(Fault, match="TargetFailed"):
            late(0, memoryview(b"late".ljust(4096, b"!")))
    finally:
        for each in {other, again}:
            os.close(each)
    assert (tmp_path / "other").read_bytes() == b""
