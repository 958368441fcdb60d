"""Which CDI object counts, by example."""

from __future__ import annotations

from typing import Any

import msgspec

from cdi.api.cdi import CDI
from cdi.contract.systems import active_of

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def system(name: str, created: str = NOW, phase: str = "", **metadata: Any) -> CDI:
    known = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": created, **metadata}
    return msgspec.convert({"metadata": known, "status": {"phase": phase}}, CDI)


def test_the_only_one_counts_also_when_it_is_in_error() -> None:
    only = system("a", phase="Error")
    assert active_of([only]) is only


def test_the_oldest_counts() -> None:
    older, newer = system("z", NOW), system("a", LATER)
    assert active_of([newer, older]) is older


def test_of_two_of_one_second_the_first_by_name_counts() -> None:
    first, second = system("a"), system("b")
    assert active_of([second, first]) is first


def test_one_in_error_does_not_count_beside_another() -> None:
    failed, sound = system("a", NOW, "Error"), system("b", LATER, "Deployed")
    assert active_of([failed, sound]) is sound


def test_one_that_is_being_deleted_counts_no_more() -> None:
    going = system("a", deletionTimestamp=LATER)
    assert active_of([going]) is None
    assert active_of([going, system("b", LATER)]) == system("b", LATER)
