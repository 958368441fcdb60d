"""A block device as the source of an import."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from importer.sources import HEAD_SIZE, SourceSpec
from importer.sources.file import FileSource

DATA = os.urandom(1 << 20)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "disk").write_bytes(DATA)
    made = subprocess.run(
        ["losetup", "--find", "--show", "--read-only", tmp_path / "disk"], check=True, capture_output=True, text=True
    )
    name = made.stdout.strip()
    yield name
    subprocess.run(["losetup", "--detach", name], check=True)


def test_a_block_device_is_read_like_a_file(device: str) -> None:
    source = FileSource(SourceSpec(device))
    facts = source.probe()
    assert (facts.size, facts.ranges, facts.head) == (len(DATA), True, DATA[:HEAD_SIZE])
    buffer = memoryview(bytearray(len(DATA)))
    assert source.open(4096, None).readinto(buffer) == len(DATA) - 4096
    assert buffer[: len(DATA) - 4096] == DATA[4096:]
    source.close()


def test_of_a_device_nothing_tells_whether_it_was_written_to_since(device: str) -> None:
    source = FileSource(SourceSpec(device))
    assert source.probe().etag is None
    source.close()


def test_of_a_device_nobody_knows_what_is_data(device: str) -> None:
    assert FileSource(SourceSpec(device)).probe().extents is None
