"""A VHDX whose log bears a GUID is read when nothing in it is whole, as qemu-img reads it; and refused when it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.images import reader
from support.vhdx import LOG, LOG_ID, SECTOR, MiB, entry, image

from cdi.base.faults import Fault
from importer.formats.registry import open_image

WHOLE = entry(b"what was written" * (SECTOR // 16))
TORN = WHOLE[:-1] + b"?"


def ours(data: bytes) -> bytes | None:
    """None when it is refused for its log."""
    try:
        found = open_image("vhdx", reader(data), len(data))
    except Fault as fault:
        if "a log that must be replayed" in fault.message:
            return None
        raise
    disk = bytearray(found.virtual_size)
    for extent in found.extents():
        disk[extent.guest : extent.guest + extent.length] = data[extent.host : extent.host + extent.length]
    return bytes(disk)


def theirs(data: bytes, folder: Path) -> bytes | None:
    path, plain = folder / "image", folder / "plain"
    path.write_bytes(data)
    command = ["qemu-img", "convert", "-f", "vhdx", "-O", "raw", path, plain]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        assert "contains a log that needs to be replayed" in done.stderr
        return None
    return plain.read_bytes()


@pytest.mark.parametrize(
    "log",
    [
        {},
        {LOG: TORN},
        {LOG: WHOLE[:SECTOR]},
        {LOG: entry(name=bytes(16))},
        {LOG: entry(name=LOG_ID[::-1])},
        {LOG: entry(sequence=0)},
        {LOG: entry(length=1)},
        {LOG: entry(length=SECTOR + 512)},
        {LOG: entry(length=2 * MiB)},
        {LOG: entry(length=(1 << 32) - SECTOR)},
        {LOG + 512: WHOLE},
        {LOG + MiB - SECTOR: TORN[:SECTOR], LOG: TORN[SECTOR:]},
        {LOG + at: TORN for at in range(0, MiB, 2 * SECTOR)},
    ],
    ids=[
        "empty", "torn", "its last sector is missing", "without a GUID", "of another log", "not numbered",
        "of one byte", "of no whole sectors", "longer than the log", "of nearly 4 GiB", "not at a sector",
        "torn, around the end", "all torn",
    ],
)  # fmt: skip
def test_a_log_without_a_whole_entry_is_as_good_as_none(log: dict[int, bytes], tmp_path: Path) -> None:
    data = bytes(image(log, log_id=LOG_ID))

    assert ours(data) == theirs(data, tmp_path) == b"block..." * (MiB // 8)


@pytest.mark.parametrize(
    "log",
    [
        {LOG: WHOLE},
        {LOG: entry()},
        {LOG + 17 * SECTOR: WHOLE},
        {LOG + MiB - SECTOR: entry()},
        {LOG + MiB - SECTOR: WHOLE[:SECTOR], LOG: WHOLE[SECTOR:]},
        {LOG: TORN, LOG + 2 * SECTOR: WHOLE},
    ],
    ids=["first", "of one sector", "in the middle", "last", "around the end", "behind a torn one"],
)
def test_a_whole_entry_must_be_replayed(log: dict[int, bytes], tmp_path: Path) -> None:
    data = bytes(image(log, log_id=LOG_ID))

    assert ours(data) is None
    assert theirs(data, tmp_path) is None


def test_what_a_log_holds_does_not_matter_when_the_header_names_none(tmp_path: Path) -> None:
    data = bytes(image({LOG: WHOLE}))

    assert ours(data) == theirs(data, tmp_path) == b"block..." * (MiB // 8)


def test_a_log_of_no_length_holds_nothing(tmp_path: Path) -> None:
    data = bytes(image({}, log_id=LOG_ID, log=(LOG, 0)))

    assert ours(data) == theirs(data, tmp_path) == b"block..." * (MiB // 8)


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ((5 * MiB, MiB), "ImageTableOutside"),
        ((0, MiB), "ImageTableOutside"),
        ((LOG, 17 * MiB), "ImageUnsupported"),
        ((1 << 63, 1), "ImageTableOutside"),
    ],
    ids=["behind the end", "over the header", "too long", "nowhere"],
)
def test_a_log_that_cannot_be_read_is_refused(log: tuple[int, int], code: str) -> None:
    data = bytes(image({}, log_id=LOG_ID, log=log))

    with pytest.raises(Fault) as caught:
        open_image("vhdx", reader(data), len(data))
    assert caught.value.code == code
