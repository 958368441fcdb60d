"""The file sink on real file systems: ext4, xfs, and ramfs, which has neither O_DIRECT nor fallocate."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopdev import allocated, mounted, remount
from support.sinkcontract import Bench, FullSink, SinkContract, pattern

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.sinks.file import FileSink
from importer.sinks.options import SinkOptions

# mkfs.xfs refuses less than 300 MiB; the image itself is sparse.
SIZES = {"ext4": 64 * MiB, "xfs": 320 * MiB, "ramfs": 0}


@pytest.fixture(params=["ext4", "xfs", "ramfs"], scope="module")
def volume(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(tmp_path_factory.mktemp("volumes"), request.param, SIZES[request.param]) as place:
        yield place


@pytest.fixture
def path(volume: Path) -> Iterator[Path]:
    path = volume / "disk.img"
    yield path
    path.unlink(missing_ok=True)
    path.with_name("disk.img.part").unlink(missing_ok=True)


class TestFileSink(SinkContract):
    @pytest.fixture(params=["sparse", "preallocated", "buffered"])
    def bench(self, request: pytest.FixtureRequest, path: Path) -> Bench:
        kind = request.param

        def open_(size: int, resume: bool) -> FullSink:
            direct = kind != "buffered"
            return FileSink(path, size, SinkOptions(resume=resume, preallocate=kind == "preallocated", direct=direct))

        return Bench(open_, lambda: path.read_bytes() if path.exists() else b"")


def on_ramfs(path: Path) -> bool:
    return path.parent.name.startswith("ramfs")


def test_direct_writing_is_used_where_the_file_system_has_it(path: Path) -> None:
    sink = FileSink(path, MiB)
    assert sink.align == (1 if on_ramfs(path) else 4096)
    sink.close()


def test_the_result_is_sparse_and_has_mode_0660(path: Path) -> None:
    sink = FileSink(path, 32 * MiB)
    sink.write(4 * MiB, memoryview(pattern(MiB) + bytes(4 * MiB)))
    sink.publish()
    sink.close()
    assert path.stat().st_size == 32 * MiB
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert on_ramfs(path) or allocated(path) <= MiB + 64 * KiB


def test_preallocation_takes_all_its_space(path: Path) -> None:
    sink = FileSink(path, 24 * MiB, SinkOptions(preallocate=True))
    assert on_ramfs(path) or allocated(path.with_name("disk.img.part")) >= 24 * MiB
    sink.zero(0, 24 * MiB)
    sink.publish()
    sink.close()
    assert on_ramfs(path) or allocated(path) >= 24 * MiB


def test_preallocation_survives_zeros_on_a_resume(path: Path) -> None:
    FileSink(path, 8 * MiB, SinkOptions(preallocate=True)).close()
    sink = FileSink(path, 8 * MiB, SinkOptions(preallocate=True, resume=True))
    sink.go_on()
    sink.zero(0, 8 * MiB)
    sink.publish()
    sink.close()
    assert on_ramfs(path) or allocated(path) >= 8 * MiB


@pytest.fixture(params=["ext4", "xfs"])
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path, request.param, {"ext4": 24 * MiB, "xfs": 320 * MiB}[request.param]) as place:
        yield place


def test_a_full_volume_is_said_with_the_place_and_kept_for_a_resume(small: Path) -> None:
    _leave_free(small, 8 * MiB)
    sink = FileSink(small / "disk.img", 16 * MiB)
    data = memoryview(pattern(MiB))

    def write_all() -> None:
        for start in range(0, 16 * MiB, MiB):
            sink.write(start, data)
            sink.sync()

    with pytest.raises(Fault) as caught:
        write_all()
    assert caught.value.code == "NoSpace"
    offset = caught.value.values["offset"]
    assert isinstance(offset, int)
    assert offset >= MiB
    sink.close()
    (small / "ballast").unlink()
    again = FileSink(small / "disk.img", 16 * MiB, SinkOptions(resume=True))
    again.go_on()
    assert again.read(0, MiB) == data
    again.discard()
    again.close()
    assert not (small / "disk.img.part").exists()
    assert not (small / "disk.img").exists()


def test_a_preallocated_part_that_fills_its_volume_can_be_resumed(small: Path) -> None:
    FileSink(small / "disk.img", 8 * MiB, SinkOptions(preallocate=True)).close()
    _fill(small)
    sink = FileSink(small / "disk.img", 8 * MiB, SinkOptions(preallocate=True, resume=True))
    sink.go_on()
    assert sink.align == 4096
    sink.write(0, memoryview(pattern(8 * MiB)))
    sink.publish()
    sink.close()
    assert (small / "disk.img").read_bytes() == pattern(8 * MiB)


def test_preallocation_that_cannot_fit_is_refused_before_anything_is_fetched(small: Path) -> None:
    _leave_free(small, 8 * MiB)
    with pytest.raises(Fault) as caught:
        FileSink(small / "disk.img", 64 * MiB, SinkOptions(preallocate=True))
    assert caught.value.code == "NoSpace"
    assert not (small / "disk.img.part").exists()


def test_a_volume_without_any_room_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 8 * MiB) as place:
        _fill(place)
        with pytest.raises(Fault) as caught:
            FileSink(place / "disk.img", MiB)
        assert caught.value.code == "NoSpace"
        assert not (place / "disk.img.part").exists()


def _leave_free(place: Path, size: int) -> None:
    facts = os.statvfs(place)
    ballast = os.open(place / "ballast", os.O_WRONLY | os.O_CREAT)
    os.posix_fallocate(ballast, 0, facts.f_bavail * facts.f_frsize - size)
    os.close(ballast)


def _fill(place: Path) -> None:
    with open(place / "ballast", "ab", buffering=0) as ballast:
        facts = os.statvfs(place)
        with contextlib.suppress(OSError, ValueError):  # the rest is filled block by block
            os.posix_fallocate(ballast.fileno(), ballast.tell() + 1, facts.f_bavail * facts.f_frsize - 512 * KiB)
        try:
            while ballast.write(bytes(4 * KiB)):
                pass
        except OSError:
            os.fsync(ballast.fileno())


def test_resuming_on_a_full_volume_is_refused_before_anything_is_fetched_and_keeps_the_part(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 24 * MiB) as place:
        sink = FileSink(place / "disk.img", 8 * MiB)
        sink.write(MiB, memoryview(pattern(MiB)))
        sink.close()
        _fill(place)
        again = FileSink(place / "disk.img", 8 * MiB, SinkOptions(resume=True))
        with pytest.raises(Fault) as caught:
            again.go_on()
        assert caught.value.code == "NoSpace"
        again.close()
        (place / "ballast").unlink()
        again = FileSink(place / "disk.img", 8 * MiB, SinkOptions(resume=True))
        again.go_on()
        assert not again.fresh
        assert again.read(MiB, MiB) == pattern(MiB)
        again.close()


def test_a_part_that_fills_its_volume_makes_room_for_a_larger_disk(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 24 * MiB) as place:
        sink = FileSink(place / "disk.img", 8 * MiB)
        sink.write(0, memoryview(pattern(8 * MiB)))
        sink.close()
        _fill(place)
        sink = FileSink(place / "disk.img", 16 * MiB, SinkOptions(resume=True))
        sink.start_anew()
        sink.write(8 * MiB, memoryview(pattern(MiB)))
        sink.publish()
        sink.close()
        assert (place / "disk.img").read_bytes() == bytes(8 * MiB) + pattern(MiB) + bytes(7 * MiB)


def test_a_read_only_volume_is_named(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 16 * MiB) as place:
        remount(place, "ro")
        with pytest.raises(Fault) as caught:
            FileSink(place / "disk.img", MiB)
        assert caught.value.code == "TargetReadOnly"


def test_a_directory_of_another_user_is_denied_with_uid_and_gid(tmp_path: Path) -> None:
    with mounted(tmp_path, "ext4", 16 * MiB) as place:
        os.chmod(place, 0o755)
        said = _open_as(1234, 107, place / "disk.img")
    assert said.startswith("TargetDenied")
    assert "(uid 1234, gid 107)" in said


def test_a_part_of_another_owner_with_the_right_mode_can_be_resumed_by_the_group(tmp_path: Path) -> None:
    """What fsGroup makes of a volume: every file group 107 and writable for it, the owner of some earlier pod."""
    with mounted(tmp_path, "ext4", 16 * MiB) as place:
        os.chown(place, 0, 107)
        os.chmod(place, 0o2775)
        sink = FileSink(place / "disk.img", MiB)
        sink.write(0, memoryview(pattern(MiB)))
        sink.close()
        assert _open_as(1234, 107, place / "disk.img") == "opened"


_OPEN = """
import os, sys
sys.path.insert(0, sys.argv[4])
from pathlib import Path
from cdi.base.faults import Fault
from importer.sinks.file import FileSink
from importer.sinks.options import SinkOptions
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
try:
    sink = FileSink(Path(sys.argv[3]), 1 << 20, SinkOptions(resume=True))
    sink.go_on()
    sink.close()
    print("opened")
except Fault as fault:
    print(fault.code, fault.what)
"""


def _open_as(uid: int, gid: int, path: Path) -> str:
    """What opening the sink says to another user: in a process of its own, which can give up root."""
    for directory in path.parents:
        if directory != path.parent and directory.stat().st_uid == os.getuid() and directory.name.startswith("pytest"):
            os.chmod(directory, 0o755)  # pytest keeps its directories to itself
    for directory in list(path.parent.parents)[:2]:
        os.chmod(directory, directory.stat().st_mode | 0o011)
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", _OPEN, str(uid), str(gid), str(path), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
