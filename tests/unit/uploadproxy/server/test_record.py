"""What is remembered of a session, and what of it counts in another process."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from cdi.base.wire.extents.frames import START, Mark
from importer.sinks.identity import boot_id
from uploadproxy.server.record import Record, Remembered

MARK = Mark(1000, 4096, 512, bytes(range(32)))
LATER = Mark(3000, 8192, 900, bytes(range(32, 64)))


def remembered(**members: object) -> Remembered:
    told = {"hashed": "a" * 64, "kind": "sparse", "length": None, "size": 8192, "ends": time.time() + 60}
    return Remembered(**{**told, "boot": boot_id(), **members})  # type: ignore[arg-type]


def test_another_process_reads_what_was_written(tmp_path: Path) -> None:
    record = Record(tmp_path / "disk.session")
    record.begin(remembered())
    record.keep_head(0, memoryview(b"head"))
    record.marked(MARK, durable=True)
    record.marked(LATER)
    found = Record(tmp_path / "disk.session")
    assert found.read() == remembered(mark=LATER, durable=MARK, ends=found.read().ends)  # type: ignore[union-attr]
    assert found.head(100) == b"head"
    assert found.head(2) == b"he"


def test_only_what_was_flushed_survives_another_boot() -> None:
    assert remembered(mark=LATER, durable=MARK).trusted == LATER
    assert remembered(mark=LATER, durable=MARK, boot="another").trusted == MARK
    assert remembered(mark=LATER, boot="").trusted == START


def test_what_is_forgotten_or_over_is_not_there(tmp_path: Path) -> None:
    record = Record(tmp_path / "disk.session")
    assert record.read() is None
    record.begin(remembered(ends=time.time() - 1))
    assert Record(tmp_path / "disk.session").read() is None
    record.begin(remembered())
    record.keep_head(0, memoryview(b"head"))
    record.forget()
    assert list(tmp_path.iterdir()) == []
    record.marked(MARK)  # of a session that is not remembered
    assert list(tmp_path.iterdir()) == []


WRONG = [("hashed", "a"), ("kind", "odd"), ("length", -1), ("size", "x"), ("mark", "1 2 3"), ("mark", "1 2 3 zz")]
WRONG += [("mark", "1 2 3 00"), ("mark", "-1 2 3 " + "00" * 32), ("ends", True), ("boot", "x" * 200)]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_we_did_not_write_is_nothing(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "disk.session"
    Record(path).begin(remembered())
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert Record(path).read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff" * 10_000, b'{"kind": ' * 400])
def test_what_is_no_record_is_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "disk.session").write_bytes(content)
    assert Record(tmp_path / "disk.session").read() is None
    (tmp_path / "link.session").symlink_to(tmp_path / "disk.session")
    assert Record(tmp_path / "link.session").read() is None
