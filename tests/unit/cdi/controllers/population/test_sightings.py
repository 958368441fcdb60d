from __future__ import annotations

from cdi.controllers.population.sightings import Sightings
from cdi.kube.store import Key

DISK, OTHER = Key("ns", "disk"), Key("ns", "other")


def test_an_age_is_that_of_the_state_that_is_seen_now() -> None:
    now = 100.0
    seen = Sightings(lambda: now)
    assert seen.age_s(DISK, "there") == 0
    now = 103.0
    assert (seen.age_s(DISK, "there"), seen.age_s(OTHER, "there")) == (3, 0)
    now = 104.0
    assert seen.age_s(DISK, "going") == 0
    now = 109.0
    assert (seen.age_s(DISK, "going"), seen.age_s(OTHER, "there")) == (5, 6)


def test_what_is_not_there_has_no_age_and_leaves_nothing() -> None:
    seen = Sightings(lambda: 1.0)
    seen.age_s(DISK, "there")
    assert seen.age_s(DISK, None) == 0
    assert not seen._first
