"""What is tried when a source cannot be read as planned: pure decisions."""

from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.another_way import Seen, may_be_alike, next_way
from importer.sources import Facts, SourceSpec

SPEC = SourceSpec("http://h/x")
ONE = SourceSpec("http://h/x", one_answer=True)


def looks(*etags: str, head: bytes = b"same", size: int = 10) -> tuple[Facts, ...]:
    return tuple(Facts("x", size, True, f'"{etag}"', head) for etag in etags)


def change(alike: bool = True) -> Fault:
    return Fault("SourceChanged", source="x", before='10 bytes "a"', after='10 bytes "b"', alike=alike)


def seen(*found: Facts, earlier: frozenset[str] = frozenset()) -> Seen:
    return Seen('10 bytes "a"', '10 bytes "b"', found, earlier)


@pytest.mark.parametrize(
    ("known", "comes_and_goes"),
    [
        (seen(), False),
        (seen(*looks("b", "b", "b")), False),
        (seen(*looks("b", "a", "b")), True),  # what was gone is back
        (seen(*looks("c", "d", "e")), True),  # the same bytes, named anew each time
        (seen(*looks("c", "d", head=b"1"), *looks("e", head=b"2")), False),  # a file that changes and changes
        (seen(*looks("b"), *looks("a", size=11)), False),
        (seen(earlier=frozenset({'10 bytes "b"'})), True),
        (seen(earlier=frozenset({'10 bytes "a"'})), True),
        (seen(earlier=frozenset({'10 bytes "z"'})), False),
    ],
)
def test_versions_that_come_and_go_are_names_of_one_file(known: Seen, comes_and_goes: bool) -> None:
    assert known.comes_and_goes is comes_and_goes


def test_a_first_change_is_read_again_and_a_second_one_is_a_fault() -> None:
    way = next_way(SPEC, change(), seen(), first=True)
    assert way is not None
    assert way.spec == SPEC
    assert way.note.startswith("SourceChanged: ")
    assert next_way(SPEC, change(), seen(*looks("b", "b", "b")), first=False) is None


def test_names_that_come_and_go_are_left_for_one_answer_once() -> None:
    known = seen(*looks("a", "b", "a"))
    way = next_way(SPEC, change(), known, first=False)
    assert way is not None
    assert way.spec == ONE
    assert next_way(ONE, change(), known, first=False) is None


def test_ranges_that_are_given_no_more_are_left_for_one_answer_once() -> None:
    fault = Fault("RangesWithdrawn", source="x", status="200 OK", detail="ignored", as_stream=True)
    way = next_way(SPEC, fault, None, first=False)
    assert way is not None
    assert way.spec == ONE
    assert next_way(ONE, fault, None, first=True) is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault("RangesWithdrawn", source="x", status="416 No", detail="refused", as_stream=False),
        Fault("SourceNotFound", source="x", status=404),
    ],
    ids=["refused", "gone"],
)
def test_other_faults_stand(fault: Fault) -> None:
    assert next_way(SPEC, fault, None, first=True) is None


def test_only_names_may_be_alike() -> None:
    assert may_be_alike(change())
    assert not may_be_alike(change(alike=False))
    assert not may_be_alike(Fault("SourceChanged", source="x", before="a", after="b"))
