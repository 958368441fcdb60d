"""Only a journal of ours is taken for one, read, or written over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from importer.fetch.claim import target_of, vacate
from importer.fetch.journal import Header, Journal, fresh_of

NOTES = b"what I had for breakfast\n"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "disk.img.journal"


def of_an_import(journal: Path) -> bytes:
    header = Header(source="s", resource="r", size=1, etag='"e"', target="inode:birth", plan="p")
    Journal.open(journal, header)[0].close()
    return journal.read_bytes()


def test_a_journal_of_ours_stays_and_names_its_target(journal: Path) -> None:
    content = of_an_import(journal)
    vacate(journal, is_own=False)
    assert journal.read_bytes() == content
    assert target_of(journal) == "inode:birth"


@pytest.mark.parametrize("content", [NOTES, b"H {}\n", b"H nothing 00000000\n", os.urandom(1 << 17)])
@pytest.mark.parametrize("fresh", [False, True])
def test_somebody_else_s_file_is_refused_and_left(content: bytes, fresh: bool, journal: Path) -> None:
    path = fresh_of(journal) if fresh else journal
    path.write_bytes(content)
    with pytest.raises(Fault, match="TargetForeign") as caught:
        vacate(journal, is_own=False)
    assert caught.value.values["name"] == str(path)
    assert path.read_bytes() == content


def test_a_journal_that_was_being_written_anew_is_ours(journal: Path) -> None:
    content = of_an_import(journal)
    for length in (0, 20, len(content)):
        fresh_of(journal).write_bytes(content[:length])
        vacate(journal, is_own=False)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_is_no_file_is_neither_opened_nor_followed(kind: str, journal: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    content = of_an_import(other)
    if kind == "link":
        journal.symlink_to(other)
    elif kind == "fifo":
        os.mkfifo(journal)
    else:
        journal.mkdir()
    with pytest.raises(Fault, match=r"Target(Foreign|Failed)"):
        vacate(journal, is_own=False)
    assert os.path.lexists(journal)
    if kind != "directory":
        vacate(journal, is_own=True)
        assert not os.path.lexists(journal)
    assert other.read_bytes() == content


def test_where_only_imports_write_it_is_removed(journal: Path) -> None:
    journal.write_bytes(NOTES)
    fresh_of(journal).write_bytes(NOTES)
    vacate(journal, is_own=True)
    assert list(journal.parent.iterdir()) == []
