from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.memorysource import MemorySource

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.plan import Wishes, make_plan
from importer.sources import Facts
from importer.verdict import Case, Verdict

DAMAGED = Fault("CompressedDamaged", format="gzip", got=1000, cause="invalid block type")
TOO_SMALL = Fault("TargetTooSmall", contract="too small", needed="2", available="1", overhead="", suggested="1Mi")
BOMB = Fault("DecompressionBomb", source="s", limit=2, taken=1)
CASE = Case("this image", 20)
KNOWN = {"image": "this image", "room": 20, "times": 99, "at": time.time(), "code": "CompressedDamaged"}
KNOWN |= {"contract": "", "values": DAMAGED.values}


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    return Verdict(tmp_path / "verdict")


def found_twice(verdict: Verdict, case: Case, fault: Fault) -> None:
    for _ in range(2):
        verdict.remember(case, fault, verdict.check(case))


def said(verdict: Verdict, case: Case) -> str:
    with pytest.raises(Fault) as caught:
        verdict.check(case)
    return caught.value.message


def test_the_same_case_ends_in_the_same_words(verdict: Verdict) -> None:
    found_twice(verdict, CASE, DAMAGED)
    assert said(verdict, CASE) == said(verdict, Case("this image", 99)) == DAMAGED.message


def test_what_only_one_attempt_found_is_looked_for_again(verdict: Verdict) -> None:
    verdict.remember(CASE, DAMAGED)
    verdict.check(CASE)


@pytest.mark.parametrize(
    "other",
    [
        Fault("CompressedDamaged", format="gzip", got=1000 + 2 * MiB, cause="invalid block type"),
        Fault("CompressedDamaged", format="gzip", got=1000, cause="invalid distance"),
        Fault("CompressedTruncated", format="gzip", got=1000),
    ],
    ids=["elsewhere", "otherwise", "another fault"],
)
def test_two_attempts_that_found_different_things_have_found_nothing(verdict: Verdict, other: Fault) -> None:
    verdict.remember(CASE, DAMAGED)
    verdict.remember(CASE, other, verdict.check(CASE))
    verdict.check(CASE)


def test_what_a_server_without_ranges_sends_at_once_makes_no_other_thing_of_it(verdict: Verdict) -> None:
    near = Fault("CompressedDamaged", format="gzip", got=1000 + 200_000, cause="invalid block type")
    verdict.remember(CASE, DAMAGED)
    verdict.remember(CASE, near, verdict.check(CASE))
    assert said(verdict, CASE) == near.message


def test_it_expires_after_an_hour_and_after_twice_as_long_when_it_is_found_again(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_700_000_000.0
    monkeypatch.setattr(time, "time", lambda: now_s)
    found_twice(verdict, CASE, DAMAGED)
    for hours in (1, 2, 4, 8, 16, 24, 24):
        now_s += hours * 3600 - 1
        assert said(verdict, CASE) == DAMAGED.message
        now_s += 1
        verdict.remember(CASE, DAMAGED, verdict.check(CASE))


def test_a_clock_that_was_set_back_does_not_make_it_last(verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    found_twice(verdict, CASE, DAMAGED)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    verdict.check(CASE)


@pytest.mark.parametrize("other", [Case("another image", 20), Case("", 0)])
def test_another_case_is_open_and_forgets(verdict: Verdict, other: Case) -> None:
    found_twice(verdict, CASE, DAMAGED)
    verdict.check(other)
    verdict.check(CASE)


@pytest.mark.parametrize("fault", [TOO_SMALL, BOMB], ids=lambda fault: fault.code)
def test_more_room_makes_what_did_not_fit_another_case(verdict: Verdict, fault: Fault) -> None:
    found_twice(verdict, CASE, fault)
    assert said(verdict, CASE) == fault.message
    verdict.check(Case("this image", 40))


@pytest.mark.parametrize(
    "fault",
    [
        Fault("SourceStalled", source="s", seconds="60", got=1),
        Fault("SourceNotFound", source="s", status="404"),
        Fault("ChecksumMismatch", algorithm="md5", expected="a", calculated="b"),
    ],
    ids=lambda fault: fault.code,
)
def test_only_what_is_in_the_image_is_a_verdict(verdict: Verdict, fault: Fault) -> None:
    found_twice(verdict, CASE, fault)
    verdict.check(CASE)


def test_an_image_that_cannot_be_known_again_has_none(verdict: Verdict) -> None:
    found_twice(verdict, Case("", 0), DAMAGED)
    verdict.check(Case("", 0))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"image": "this image"}',
        json.dumps({"image": "this image", "code": "NoSuchCode", "values": {}}),
        json.dumps(KNOWN | {"values": {}}),
        json.dumps(KNOWN | {"at": "1e999"}),
        json.dumps(KNOWN).replace("99", "1e999"),
        json.dumps(KNOWN).replace("99", "9" * 5000),
        json.dumps(KNOWN | {"padding": " " * 100_000}),
    ],
)
def test_a_damaged_file_is_as_none(verdict: Verdict, content: str) -> None:
    assert verdict.path is not None
    verdict.path.write_text(content)
    verdict.check(CASE)


def test_the_file_that_the_others_are_damaged_from_is_obeyed(verdict: Verdict) -> None:
    assert verdict.path is not None
    verdict.path.write_text(json.dumps(KNOWN))
    assert said(verdict, CASE) == DAMAGED.message


@pytest.mark.parametrize("kind", ["link", "FIFO", "link to a FIFO"])
def test_what_is_no_file_is_neither_read_nor_written_through(kind: str, verdict: Verdict, tmp_path: Path) -> None:
    assert verdict.path is not None
    other = tmp_path / "other"
    if kind == "link":
        other.write_text(json.dumps(KNOWN))
        verdict.path.symlink_to(other)
    elif kind == "FIFO":
        os.mkfifo(verdict.path)
    else:
        os.mkfifo(other)
        verdict.path.symlink_to(other)
    assert verdict.check(CASE) is None
    if kind == "link":
        verdict.path.symlink_to(other)  # it comes again while the import runs
    verdict.remember(CASE, DAMAGED)
    assert verdict.path.is_file()
    assert not verdict.path.is_symlink()
    if kind == "link":
        assert json.loads(other.read_text()) == KNOWN


def test_a_place_that_takes_no_file_is_as_none(tmp_path: Path) -> None:
    nowhere = Verdict(tmp_path / "missing" / "verdict")
    nowhere.remember(CASE, DAMAGED)
    nowhere.check(CASE)


def case_of(facts: Facts) -> Case:
    data = b"x" * 100_000
    plan = make_plan(MemorySource(data), lambda offset, length: data[offset : offset + length], Wishes())
    return Case.of(replace(plan, facts=facts), None, 5 * MiB)


FACTS = Facts("n", 1000, True, '"v1"', b"", last_modified="Mon, 01 Jan 2024 00:00:00 GMT", place="http://host/n")


def test_an_image_is_known_by_its_etag_or_its_date_and_by_where_it_came_from() -> None:
    known = case_of(FACTS)
    dated = case_of(replace(FACTS, etag=None))
    assert known.image and dated.image and known.room == 5
    others = [{"etag": '"v2"'}, {"place": "http://mirror/n"}, {"size": 1001}, {"name": "m"}]
    assert len({known.image, dated.image, *(case_of(replace(FACTS, **other)).image for other in others)}) == 6


@pytest.mark.parametrize("less", [{"etag": None, "last_modified": None}, {"size": None}], ids=["version", "size"])
def test_without_a_version_or_a_size_nothing_is_known(less: dict[str, None]) -> None:
    assert case_of(replace(FACTS, **less)) == Case("", 0)
