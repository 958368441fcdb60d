from __future__ import annotations

import errno
import json
import os
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.fetch import journal as module
from importer.fetch.journal import Checkpointer, Header, Journal, Kept, Marks, forget, read_journal
from importer.fetch.rangeset import RangeSet

HEADER = Header(
    source="https://host/disk.qcow2",
    resource="ab12",
    size=1000,
    etag='"v1"',
    target="12:34",
    plan="scatter qcow2",
    disk_size=100 * MiB,
    boot_id="boot-1",
)
AFTER_REBOOT = replace(HEADER, boot_id="boot-2")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "disk.img.journal"


def nothing() -> None:
    """A sync that has nothing to do."""


def reopen(path: Path, header: Header = HEADER) -> Kept:
    journal, kept = Journal.open(path, header)
    journal.close()
    return kept


def a_journal(path: Path, *marks: tuple[int, int]) -> Journal:
    journal, kept = Journal.open(path, HEADER)
    assert kept.nothing
    for start, end in marks:
        journal.written(start, end - start)
    return journal


def test_written_marks_count_after_the_death_of_the_process(path: Path) -> None:
    a_journal(path, (0, 4096), (8192, 12288))  # never closed, as after kill -9
    assert list(reopen(path).ranges) == [(0, 4096), (8192, 12288)]


def test_only_durable_marks_count_after_a_reboot(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    assert journal.durable(nothing) == 4096
    journal.written(4096, 4096)
    journal.close()
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]


def test_what_a_reboot_lost_stays_lost_for_the_process_after(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    journal.durable(nothing)
    journal.written(8192, 4096)
    journal.close()
    reopen(path, AFTER_REBOOT)
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]
    assert list(reopen(path, HEADER).ranges) == [(0, 4096)]


def test_degrees_of_certainty_survive_reopening(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    journal.durable(nothing)
    journal.written(8192, 4096)
    journal.close()
    assert reopen(path).ranges.total == 8192
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]


def test_marks_made_while_the_target_is_synced_are_not_durable(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    assert journal.durable(lambda: journal.written(4096, 4096)) == 4096
    journal.close()
    assert reopen(path).ranges.total == 8192
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]


def test_the_record_of_a_sync_is_written_after_the_sync(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    seen: list[list[bytes]] = []
    journal.durable(lambda: seen.append(path.read_bytes().splitlines()))
    journal.close()
    kinds = [line[:1] for line in seen[0]]
    assert kinds[-2:] == [b"W", b"S"]
    assert path.read_bytes().splitlines()[-1].startswith(b"D ")


def test_a_failed_sync_makes_nothing_durable(path: Path) -> None:
    journal = a_journal(path, (0, 4096))

    def fails() -> None:
        raise Fault("TargetFailed", target="t", offset=0, cause="Input/output error")

    with pytest.raises(Fault):
        journal.durable(fails)
    journal.close()
    assert reopen(path, AFTER_REBOOT).nothing


def refused() -> None:
    raise Fault("TargetFailed", target="t", offset=0, cause="Input/output error")


def test_a_failed_sync_takes_back_what_was_only_written(path: Path) -> None:
    """The kernel says it once: the next sync would find nothing wrong."""
    journal = a_journal(path, (0, 4096))
    journal.durable(nothing)
    journal.written(8192, 4096)
    with pytest.raises(Fault):
        journal.durable(refused)
    journal.written(16384, 4096)  # by another thread, which was in the middle of a write
    journal.frame(500, 4096)
    assert journal.gap(20480) == (4096, 20480)
    journal.close()
    kept = reopen(path)
    assert (list(kept.ranges), kept.frame) == ([(0, 4096)], None)


def test_a_failed_sync_is_no_less_so_where_the_journal_cannot_be_written_either(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = a_journal(path, (0, 4096))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_all", full)
    with pytest.raises(Fault, match="Input/output error"):
        journal.durable(refused)
    assert not path.exists()
    journal.close()


def test_a_link_in_place_of_the_new_journal_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    path.with_name(f"{path.name}.new").symlink_to(tmp_path / "precious")
    a_journal(path, (0, 4096)).close()
    assert (tmp_path / "precious").read_text() == "mine"
    assert reopen(path).ranges.total == 4096


@pytest.mark.parametrize("what", ["link", "dangling link", "FIFO", "huge"])
def test_what_is_no_journal_is_not_read(what: str, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    if what == "link":
        a_journal(other, (0, 4096)).close()
    if what == "FIFO":
        os.mkfifo(path)
    elif what == "huge":
        a_journal(path, (0, 4096)).close()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to(other)
    before = other.read_bytes() if other.exists() else None
    assert reopen(path).nothing
    assert path.is_file()
    assert not path.is_symlink()
    assert (other.read_bytes() if other.exists() else None) == before


def test_a_frame_is_kept_with_everything_before_it(path: Path) -> None:
    journal = a_journal(path)
    journal.frame(500, 2 * MiB)
    journal.durable(nothing)
    journal.frame(700, 3 * MiB)
    journal.close()
    assert reopen(path).frame == (700, 3 * MiB)
    assert reopen(path).ranges.reach(0) == 3 * MiB
    assert reopen(path, AFTER_REBOOT).frame == (500, 2 * MiB)


def test_what_the_sink_holds_in_memory_is_never_kept(path: Path) -> None:
    journal, _ = Journal.open(path, HEADER, volatile=[(0, MiB)])
    journal.written(0, 4 * MiB)
    journal.frame(700, 3 * MiB)
    assert journal.durable(nothing) == 3 * MiB
    journal.close()
    again, kept = Journal.open(path, HEADER, volatile=[(0, MiB)])
    again.close()
    assert list(kept.ranges) == [(MiB, 4 * MiB)]
    assert (kept.frame, kept.head) == ((700, 3 * MiB), MiB)  # the head can be made again from the first bytes


@pytest.mark.parametrize(
    "changed",
    [
        replace(HEADER, size=1001),
        replace(HEADER, etag='"v2"'),
        replace(HEADER, target="12:35"),
        replace(HEADER, plan="stream raw"),
        replace(HEADER, disk_size=99 * MiB),
    ],
)
def test_a_journal_of_another_import_is_started_anew(path: Path, changed: Header) -> None:
    a_journal(path, (0, 4096)).close()
    assert reopen(path, changed).nothing
    assert reopen(path, HEADER).nothing


@pytest.mark.parametrize("etag", [None, "", 'W/"v1"'])
def test_without_a_strong_validator_nothing_is_kept(path: Path, etag: str | None) -> None:
    header = replace(HEADER, etag=etag)
    journal, _ = Journal.open(path, header)
    journal.written(0, 4096)
    journal.close()
    assert reopen(path, header).nothing


def test_another_host_may_serve_the_same_bytes(path: Path) -> None:
    a_journal(path, (0, 4096)).close()
    assert reopen(path, replace(HEADER, source="https://mirror/disk.qcow2")).ranges.total == 4096


def test_an_etag_says_nothing_about_another_resource_unless_a_checksum_does(path: Path) -> None:
    other = replace(HEADER, source="https://host/other.qcow2", resource="cd34")
    a_journal(path, (0, 4096)).close()
    assert reopen(path, replace(other, verified=True)).ranges.total == 4096
    a_journal(path, (0, 4096)).close()
    assert reopen(path, other).nothing


def test_an_unknown_boot_counts_as_another(path: Path) -> None:
    hidden = replace(HEADER, boot_id="")
    journal, _ = Journal.open(path, hidden)
    journal.written(0, 4096)
    journal.close()
    assert reopen(path, hidden).nothing


def test_what_is_forgotten_is_not_kept(path: Path) -> None:
    a_journal(path, (0, 4096)).close()
    forget(path)
    assert reopen(path).nothing
    forget(path.with_name("never there"))


def test_the_target_is_made_ready_before_the_journal_says_what_it_holds(path: Path) -> None:
    seen: list[tuple[bool, bool]] = []

    def ready(kept: Kept) -> str:
        seen.append((kept.nothing, path.exists()))
        return "56:78" if kept.nothing else HEADER.target

    a_journal(path, (0, 4096)).close()
    for header in (HEADER, replace(HEADER, etag='"v2"')):
        journal, _ = Journal.open(path, header, ready=ready)
        journal.written(0, 4096)
        journal.close()
    assert seen == [(False, True), (True, False)]
    assert reopen(path, replace(HEADER, etag='"v2"', target="56:78")).ranges.total == 4096


def test_a_torn_tail_is_ignored_and_the_journal_goes_on(path: Path) -> None:
    a_journal(path, (0, 4096), (8192, 12288)).close()
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in range(last, len(whole)):
        path.write_bytes(whole[:cut])
        journal, kept = Journal.open(path, HEADER)
        assert list(kept.ranges) == [(0, 4096)]
        journal.written(16384, 4096)
        journal.close()
        assert list(reopen(path).ranges) == [(0, 4096), (16384, 20480)]


def test_a_damaged_line_ends_the_reading(path: Path) -> None:
    a_journal(path, (0, 4096), (8192, 12288), (16384, 20480)).close()
    damaged = path.read_bytes().replace(b"W 8192", b"W 8193")
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    assert list(reopen(path).ranges) == [(0, 4096)]


def test_a_mark_outside_the_disk_is_a_bug(path: Path) -> None:
    journal = a_journal(path)
    with pytest.raises(ValueError, match="outside the disk"):
        journal.written(100 * MiB - 1, 2)
    journal.written(0, 0)
    journal.close()
    assert reopen(path).nothing


def test_the_file_stays_small_however_long_the_import(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 8 * KiB)
    journal = a_journal(path, (0, 4096))
    journal.durable(nothing)
    largest = 0
    for block in range(1, 2000):
        journal.written(block * 4096, 4096)
        largest = max(largest, path.stat().st_size)
    journal.close()
    assert largest < 9 * KiB
    assert list(reopen(path).ranges) == [(0, 2000 * 4096)]
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]


def test_a_compaction_in_the_middle_of_a_sync_loses_and_adds_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COMPACT_AT", 1 * KiB)
    journal = a_journal(path, (0, 4096))

    def many_marks() -> None:
        for block in range(1, 500):
            journal.written(block * 4096, 4096)

    assert journal.durable(many_marks) == 4096
    journal.close()
    assert reopen(path).ranges.total == 500 * 4096
    assert list(reopen(path, AFTER_REBOOT).ranges) == [(0, 4096)]


def test_marks_of_many_threads_are_all_kept(path: Path) -> None:
    journal = a_journal(path)

    def mark_every_fourth(first: int) -> None:
        for block in range(first, 2000, 4):
            journal.written(block * 4096, 4096)

    threads = [threading.Thread(target=mark_every_fourth, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert list(reopen(path).ranges) == [(0, 2000 * 4096)]


def test_removing_leaves_no_file(path: Path) -> None:
    journal = a_journal(path, (0, 4096))
    journal.remove()
    journal.close()
    assert list(path.parent.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        Journal.open(tmp_path / "gone" / "journal", HEADER)
    assert caught.value.code == "TargetMissing"


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_exception(content: bytes) -> None:
    assert read_journal(content, HEADER) is None


LINES = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda kind, fields: f"{kind} {fields}".encode(),
        st.sampled_from("HWFSDX"),
        st.text("09 -.,x\0\xe9", max_size=30),
    ),
    st.builds(
        lambda kind, numbers: " ".join([kind, *map(str, numbers)]).encode(),
        st.sampled_from("WFSD"),
        st.lists(st.one_of(st.integers(), st.integers(0, 110 * MiB)), max_size=3),
    ),
)


@given(st.lists(LINES, max_size=12))
def test_any_sealed_lines_keep_no_byte_outside_the_disk(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    head = _content_of_an_empty_journal()
    marks = read_journal(head + b"".join(map(module._sealed, lines)), HEADER)
    assert marks is not None
    kept = marks.kept(same_boot=True)
    assert all(0 <= start < end <= 100 * MiB for start, end in kept.ranges)
    assert kept.frame is None or kept.ranges.covers(0, kept.frame[1])


@given(st.binary(max_size=60))
def test_any_header_is_read_without_an_exception(fields: bytes) -> None:
    assert read_journal(module._sealed(b"H " + fields), HEADER) is None


@given(st.lists(st.tuples(st.sampled_from("WWWFSD"), st.integers(0, 50), st.integers(1, 20)), max_size=40))
def test_the_shortest_journal_has_the_same_state(steps: list[tuple[str, int, int]]) -> None:
    marks = Marks(1000)
    for kind, start, length in steps:
        marks.apply(kind, [start, start + length] if kind in "WF" else [])
    again = Marks(1000)
    for line in marks.lines():
        kind, _, fields = line.decode().rpartition(" ")[0].partition(" ")
        assert again.apply(kind, [int(word) for word in fields.split()])
    for same_boot in (True, False):
        assert again.kept(same_boot) == marks.kept(same_boot)


def _content_of_an_empty_journal() -> bytes:
    return module._sealed(b"H " + json.dumps(asdict(HEADER)).encode())


def test_a_checkpoint_is_due_after_so_many_bytes_or_so_much_time() -> None:
    checkpointer = Checkpointer(step=100, interval_s=10)
    assert not checkpointer.due(0, now=1000)
    assert not checkpointer.due(99, now=1009)
    assert checkpointer.due(100, now=1009)
    assert not checkpointer.due(150, now=1018)
    assert checkpointer.due(150, now=1019)
    assert not checkpointer.due(150, now=2000)
    assert checkpointer.due(151, now=2000)


def test_nothing_kept_is_said_so() -> None:
    assert Kept().nothing
    assert not Kept(RangeSet([(0, 1)])).nothing


def test_a_disk_is_whole_when_every_byte_has_a_mark(path: Path) -> None:
    journal = a_journal(path, (0, 4096), (8192, 12288))
    assert journal.gap(12288) == (4096, 8192)
    journal.durable(nothing)
    journal.written(4096, 4096)
    assert journal.gap(12288) is None
    assert journal.gap(12289) == (12288, 12289)


@given(
    marks=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.sampled_from("WWWSD"))),
    size=st.integers(0, 60),
    head=st.integers(0, 20),
)
def test_a_gap_is_the_first_part_without_a_mark_of_whatever_certainty(
    marks: list[tuple[int, int, str]], size: int, head: int
) -> None:
    known, written = Marks(100, [(0, head)] if head else ()), set[int]()
    for start, length, kind in marks:
        assert known.apply(kind, [start, start + length] if kind == "W" else [])
        written |= set(range(start, start + length)) if kind == "W" else set()
    missing = [at for at in range(size) if at not in written]
    gap = known.gap(size)
    assert known.reach == max(written, default=-1) + 1
    assert (gap is None) is (not missing)
    if gap:
        first = missing[0]
        assert gap == (first, next((at for at in range(first, size) if at in written), size))


def test_the_head_that_an_earlier_process_held_is_missing(path: Path) -> None:
    head = [(0, MiB)]
    journal, _ = Journal.open(path, HEADER, volatile=head)
    journal.written(0, 2 * MiB)
    assert journal.gap(2 * MiB) is None
    journal.close()
    after, _ = Journal.open(path, HEADER, volatile=head)
    assert after.gap(2 * MiB) == (0, MiB)
    after.written(0, MiB)
    assert after.gap(2 * MiB) is None


# As the version of 2026-11-30 (commit 9cc7a2a) wrote it: an import that was running at an upgrade goes on.
RECORDED = """\
H {"source": "https://host/disk.qcow2", "resource": "ab12", "size": 1000, "etag": "\\"v1\\"", "target": "12:34", \
"plan": "scatter qcow2", "disk_size": 104857600, "verified": false, "boot_id": "boot-1"} 3f2f1671
S 2060efc3
D a3b36a04
S 2060efc3
W 0 4096 aadba6c6
W 8192 12288 8b0781fa
S 2060efc3
D a3b36a04
W 1048576 2097152 7d71e375
"""


def test_a_journal_of_the_version_before_counts(path: Path) -> None:
    durable = [(0, 4096), (8192, 12288)]
    path.write_text(RECORDED)
    assert list(reopen(path).ranges) == [*durable, (MiB, 2 * MiB)]
    path.write_text(RECORDED)
    assert list(reopen(path, AFTER_REBOOT).ranges) == durable
