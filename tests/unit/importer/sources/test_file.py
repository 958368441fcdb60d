from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.sources import HEAD_SIZE, SourceSpec
from importer.sources.file import FileSource

DATA = os.urandom(HEAD_SIZE + 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "disk image.img"
    path.write_bytes(DATA)
    return path


def read_all(source: FileSource, offset: int, length: int | None, piece: int = 4096) -> bytes:
    body, buffer, data = source.open(offset, length), memoryview(bytearray(piece)), b""
    while count := body.readinto(buffer):
        data += buffer[:count]
    body.close()
    return data


def test_a_file_has_ranges_a_size_and_a_validator(path: Path) -> None:
    source = FileSource(SourceSpec(str(path)))
    facts = source.probe()
    assert (facts.size, facts.ranges, facts.head) == (len(DATA), True, DATA[:HEAD_SIZE])
    assert facts.etag is not None and facts.etag.startswith('"')
    assert read_all(source, 0, None) == DATA
    assert read_all(source, 70, 5000, piece=999) == DATA[70:5070]


def test_file_urls_are_decoded(path: Path) -> None:
    source = FileSource(SourceSpec(path.as_uri()))
    assert source.probe().size == len(DATA)
    assert source.name == str(path)


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "device"])
def test_what_is_no_file_is_unreadable(tmp_path: Path, kind: str) -> None:
    place = tmp_path / kind
    if kind == "directory":
        place.mkdir()
    elif kind == "fifo":
        os.mkfifo(place)
    elif kind == "device":
        place = Path("/dev/zero")
    with pytest.raises(Fault) as caught:
        FileSource(SourceSpec(str(place))).probe()
    assert caught.value.code == "FileUnreadable"


def extents(source: FileSource) -> list[tuple[int, int]]:
    known = source.probe().extents
    assert known is not None
    return list(known())


def test_a_file_knows_what_of_it_is_data(path: Path) -> None:
    end = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(8 * MiB + 5)
        file.seek(5 * MiB)
        file.write(b"x")
    (first, second) = extents(FileSource(SourceSpec(str(path))))
    assert first[0] == 0
    assert end <= first[1] < MiB
    assert second[0] <= 5 * MiB < second[1] < 6 * MiB


def test_a_hole_is_no_data(path: Path) -> None:
    path.unlink()
    path.touch()
    os.truncate(path, 8 * MiB)
    assert extents(FileSource(SourceSpec(str(path)))) == []


def test_data_that_comes_into_a_hole_is_another_version(path: Path) -> None:
    os.truncate(path, 8 * MiB)
    source = FileSource(SourceSpec(str(path)))
    known = source.probe().extents
    assert known is not None
    (_, behind), times = next(known()), path.stat()
    with path.open("r+b") as file:
        file.seek(behind + MiB)
        file.write(b"x")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(Fault, match="SourceChanged"):
        list(known())


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Fault) as caught:
        FileSource(SourceSpec(str(tmp_path / "empty"))).probe()
    assert caught.value.code == "SourceEmpty"


def test_a_file_that_is_written_to_has_changed(path: Path) -> None:
    source = FileSource(SourceSpec(str(path)))
    source.probe()
    os.utime(path, ns=(1, 1))
    with pytest.raises(Fault) as caught:
        source.open(0, None)
    assert caught.value.code == "SourceChanged"


def test_a_file_that_shrinks_while_it_is_read_is_truncated(path: Path) -> None:
    source = FileSource(SourceSpec(str(path)))
    source.probe()
    body = source.open(0, None)
    os.truncate(path, 10)
    buffer = memoryview(bytearray(4096))
    assert body.readinto(buffer) == 10
    with pytest.raises(Fault) as caught:
        body.readinto(buffer)
    assert caught.value.code == "SourceTruncated"


def test_an_interrupted_file_is_cancelled(path: Path) -> None:
    source = FileSource(SourceSpec(str(path)))
    source.probe()
    body = source.open(0, None)
    thread = threading.Thread(target=source.interrupt)
    thread.start()
    thread.join()
    with pytest.raises(Fault) as caught:
        body.readinto(memoryview(bytearray(10)))
    assert caught.value.code == "Cancelled"
