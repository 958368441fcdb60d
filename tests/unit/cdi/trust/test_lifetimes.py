from __future__ import annotations

import datetime
import re
import time
from typing import Any

import msgspec
import pytest

from cdi.api.cdi import CDI
from cdi.trust.lifetimes import CA, SERVER, Lifetime, Lifetimes, duration_of, lifetimes

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
H = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)


def configured(**sections: Any) -> Lifetimes:
    return lifetimes(msgspec.convert({"spec": {"certConfig": sections}}, CDI))


def section(duration: str, renew_before: str) -> dict[str, str]:
    return {"duration": duration, "renewBefore": renew_before}


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("48h0m0s", 48 * 60), ("20m", 20), ("1h30m", 90), ("1.5h", 90), (".5h", 30), ("90s", 1.5), ("60000ms", 1)],
)
def test_durations_are_written_as_in_go(text: str, minutes: float) -> None:
    assert duration_of(text) == minutes * MINUTE


@pytest.mark.parametrize("text", ["", "48", "h", "-1h", "1 h", "1d", "1h+", "1000000h", "1h 2m", "\u0661h", "1h\n"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        duration_of(text)


def test_without_a_configuration_the_defaults_count() -> None:
    assert lifetimes(None) == lifetimes(CDI()) == configured() == Lifetimes(CA, SERVER, "")
    assert str(CA) == '{"lifetime":"48h0m0s","refresh":"24h0m0s"}'
    assert str(SERVER) == '{"lifetime":"24h0m0s","refresh":"12h0m0s"}'


def test_each_section_is_for_its_own_certificates() -> None:
    found = configured(ca=section("20m", "10m"), server=section("5m", "2m"), client=section("6m", "2m"))
    lives = [Lifetime(minutes * MINUTE, refresh * MINUTE) for minutes, refresh in ((20, 10), (5, 3), (6, 4))]
    assert [found.ca, found.server, found.client] == lives and not found.complaint
    assert str(found.server) == '{"lifetime":"5m0s","refresh":"3m0s"}'
    assert str(configured(server=section("90m30.5s", "1h")).server) == '{"lifetime":"1h30m30.5s","refresh":"30m30.5s"}'


def test_half_a_section_is_none() -> None:
    assert configured(ca={"duration": "20m"}, server={"renewBefore": "2m"}) == Lifetimes()


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (section("20m", "20m"), "renewBefore 20m is not between 1m and duration 20m"),
        (section("20m", "30m"), "renewBefore 30m is not between 1m and duration 20m"),
        (section("20m", "30s"), "renewBefore 30s is not between 1m and duration 20m"),
        (section("often", "1m"), "'often' is not a duration such as 48h or 1h30m"),
        (section("20m", "-1m"), "'-1m' is not a duration such as 48h or 1h30m"),
    ],
)
def test_what_cannot_be_counts_as_the_default_and_is_complained_of(said: dict[str, str], text: str) -> None:
    found = configured(ca=section("72h", "24h"), server=said)
    assert (found.ca.duration, found.server) == (72 * H, SERVER)
    assert found.complaint == f"certConfig.server: {text}: {SERVER} counts"


def test_a_certificate_is_replaced_when_it_is_due_or_has_lived_most_of_its_life() -> None:
    assert not CA.is_over(T0, T0 + 48 * H, T0 + 23 * H)
    assert CA.is_over(T0, T0 + 48 * H, T0 + 24 * H)
    late = Lifetime(10 * H, 10 * H - MINUTE)
    assert not late.is_over(T0, T0 + 10 * H, T0 + 8 * H - MINUTE)
    assert late.is_over(T0, T0 + 10 * H, T0 + 8 * H)


@pytest.mark.parametrize("text", ["1", ".", "1.", "1h", "9" * 400 + "h"])
def test_a_duration_of_any_length_takes_no_time_and_is_cut_short_in_the_complaint(text: str) -> None:
    began = time.process_time()
    for end in ("", "x", "h"):
        found = configured(server=section(text * (1_000_000 // len(text)) + end, "1m"))
        assert found.server == SERVER and len(found.complaint) < 500
    assert time.process_time() - began < 0.5
