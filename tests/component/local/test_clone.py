"""Cloning a local disk: sparse, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cloner.local import Result, clone
from importer.cancel import Cancel
from importer.progress import Progress

MiB = 1024 * 1024


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.img"
    with path.open("wb") as file:
        file.write(os.urandom(2 * MiB))
        file.seek(40 * MiB)
        file.write(os.urandom(MiB))
        file.truncate(64 * MiB)
    return path


def test_a_clone_has_the_same_bytes_and_the_same_holes(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.img"
    clone(source, target, Result(80 * MiB), Progress(), Cancel())
    assert target.stat().st_size == 80 * MiB
    assert target.read_bytes() == source.read_bytes() + bytes(16 * MiB)
    assert target.stat().st_blocks * 512 <= 4 * MiB
    assert target.stat().st_mode & 0o777 == 0o660
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.img", "target.img"]


def test_a_stopped_clone_leaves_no_disk(source: Path, tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.request()
    with pytest.raises(Fault) as caught:
        clone(source, tmp_path / "target.img", Result(0), Progress(), cancel)
    assert caught.value.code == "Cancelled"
    assert not (tmp_path / "target.img").exists()


def test_a_preallocated_clone_has_all_its_blocks(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.img"
    clone(source, target, Result(64 * MiB, preallocation=True), Progress(), Cancel())
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_blocks * 512 >= 64 * MiB
