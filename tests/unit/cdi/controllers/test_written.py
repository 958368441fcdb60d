from __future__ import annotations

import pytest

from cdi.controllers.written import Written
from cdi.kube.objects import Metadata


def at(version: str) -> Metadata:
    return Metadata(uid="u", resource_version=version)


def test_what_we_wrote_is_waited_for_until_a_store_shows_it_or_a_later_version() -> None:
    written = Written()
    written.note(at("10"))
    assert [written.is_seen(at(version)) for version in ("9", "8", "11", "9")] == [False, False, True, True]


@pytest.mark.parametrize("version", ["", "abc", "\u0661\u0662", "9" * 5000, "-1", "1_0"])
def test_versions_that_are_no_numbers_are_not_waited_for(version: str) -> None:
    written = Written()
    written.note(at(version))
    assert written.is_seen(at(version))
