from __future__ import annotations

import json
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


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    return Verdict(tmp_path / "verdict")


def said(verdict: Verdict, case: Case) -> str:
    with pytest.raises(Fault) as caught:
        verdict.check(case)
    return caught.value.message


def test_the_same_case_ends_in_the_same_words(verdict: Verdict) -> None:
    verdict.remember(CASE, DAMAGED)
    assert said(verdict, CASE) == said(verdict, Case("this image", 99)) == DAMAGED.message


@pytest.mark.parametrize("other", [Case("another image", 20), Case("", 0)])
def test_another_case_is_open_and_forgets(verdict: Verdict, other: Case) -> None:
    verdict.remember(CASE, DAMAGED)
    verdict.check(other)
    verdict.check(CASE)


@pytest.mark.parametrize("fault", [TOO_SMALL, BOMB], ids=lambda fault: fault.code)
def test_more_room_makes_what_did_not_fit_another_case(verdict: Verdict, fault: Fault) -> None:
    verdict.remember(CASE, fault)
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
    verdict.remember(CASE, fault)
    verdict.check(CASE)


def test_an_image_that_cannot_be_known_again_has_none(verdict: Verdict) -> None:
    verdict.remember(Case("", 0), DAMAGED)
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
        json.dumps({"image": "this image", "code": "CompressedDamaged", "contract": "", "values": {}}),
    ],
)
def test_a_damaged_file_is_as_none(verdict: Verdict, content: str) -> None:
    assert verdict.path is not None
    verdict.path.write_text(content)
    verdict.check(CASE)


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
