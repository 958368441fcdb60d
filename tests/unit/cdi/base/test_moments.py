from __future__ import annotations

import datetime

import pytest

from cdi.base.moments import moment, written

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-01T12:00:00Z", "2026-01-01T13:30:00+01:30", "2026-01-01T12:00:00.000000000Z"]
)
def test_a_time_with_its_zone_is_a_moment(text: str) -> None:
    assert moment(text) == NOON
    assert written(NOON) == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-01", "2026-01-01T12:00:00", "2026-13-01T00:00:00Z", "2026-01-01T12:00:00Z" * 3),
        *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T00:00:00-12:00", "1" * 100_000),
    ],
)
def test_what_is_none_or_has_no_day_beside_it_is_none(text: str) -> None:
    assert moment(text) is None
