"""The last segment of the path by which API servers come."""

from __future__ import annotations

import base64
import datetime
import re
from typing import Any

import pytest
from support.asynchronous import asynchronous

from cdi.apiserver import entrance
from cdi.apiserver.entrance import NAME, Entrance
from cdi.kube.errors import AlreadyExists, Conflict, Unreachable
from cdi.kube.objects import Metadata, Secret

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
MINUTE, HOUR = datetime.timedelta(minutes=1), datetime.timedelta(hours=1)


class OneSecret:
    """A client of a cluster with at most one object."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] | None = None
        self.version = 0
        self.reads = 0
        self.before_write: Any = lambda: None
        self.is_down = False

    def put(self, **data: bytes) -> None:
        self.data, self.version = data, self.version + 1

    def _object(self) -> Secret:
        assert self.data is not None
        return Secret(Metadata(NAME, resource_version=str(self.version)), data=self.data)

    async def find(self, resource: Any, name: str, namespace: str) -> Secret | None:
        assert (resource.plural, name, namespace) == ("secrets", NAME, "cdi")
        self.reads += 1
        if self.is_down:
            raise Unreachable("down")
        return None if self.data is None else self._object()

    get = find

    async def create(self, resource: Any, body: dict[str, Any]) -> Secret:
        self.before_write()
        if self.data is not None:
            raise AlreadyExists(409, "AlreadyExists", "")
        return self._written(body)

    async def merge_patch(self, resource: Any, name: str, patch: dict[str, Any], namespace: str) -> Secret:
        self.before_write()
        if patch["metadata"]["resourceVersion"] != str(self.version):
            raise Conflict(409, "Conflict", "")
        return self._written(patch)

    def _written(self, body: dict[str, Any]) -> Secret:
        self.put(**{key: base64.b64decode(text) for key, text in body["data"].items()})
        return self._object()


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(entrance.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def opened(cluster: OneSecret) -> Entrance:
    return Entrance(cluster, "cdi")  # type: ignore[arg-type]


@asynchronous
async def test_it_is_a_dns_label_that_nobody_guesses_and_that_stays_for_an_hour() -> None:
    way = opened(OneSecret())
    assert not await way.admits("")
    await way.renew(NOW)
    first = way.segment
    assert re.fullmatch(r"[a-z0-9]{32,63}", first)
    await way.renew(NOW + 59 * MINUTE)
    assert way.segment == first
    await way.renew(NOW + HOUR)
    assert way.segment != first


@pytest.mark.parametrize(
    "guess", ["", "x", "0" * 40, "\udcff", "ä", "a" * 100_000, "../pvc-mutate"], ids=lambda guess: guess[:10]
)
@asynchronous
async def test_who_guesses_is_not_admitted(guess: str) -> None:
    way = opened(OneSecret())
    await way.renew(NOW)
    assert not await way.admits(guess)
    assert await way.admits(way.segment)


@asynchronous
async def test_a_process_that_starts_makes_a_new_one_and_the_former_counts_for_two_minutes(clock: Clock) -> None:
    cluster = OneSecret()
    before, after = opened(cluster), opened(cluster)
    await before.renew(NOW)
    await after.renew(NOW + MINUTE)
    assert after.segment != before.segment
    clock.now += 119
    assert await after.admits(before.segment)
    clock.now += 2
    assert not await after.admits(before.segment)


@asynchronous
async def test_what_another_process_made_is_known_at_once(clock: Clock) -> None:
    cluster = OneSecret()
    one, other = opened(cluster), opened(cluster)
    await one.renew(NOW)
    await other.renew(NOW)
    assert await one.admits(other.segment)
    assert one.segment == other.segment


@asynchronous
async def test_strangers_cost_one_request_a_second_and_an_outage_admits_nobody(clock: Clock) -> None:
    cluster = OneSecret()
    way = opened(cluster)
    await way.renew(NOW)
    before = cluster.reads
    for number in range(1000):
        assert not await way.admits(f"{number:040}")
    assert cluster.reads == before + 1
    clock.now += 1
    cluster.is_down = True
    assert not await way.admits("f" * 40)
    assert await way.admits(way.segment)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"segment": b"", "made": b"2026-01-01T00:00:00+00:00"},
        {"segment": b"short", "made": b"2026-01-01T00:00:00+00:00"},
        {"segment": b"../" + b"a" * 40, "made": b"2026-01-01T00:00:00+00:00"},
        {"segment": b"a" * 40},
        {"segment": b"a" * 40, "made": b"\xff"},
        {"segment": b"a" * 40, "made": b"2026-01-01T00:00:00"},
        {"segment": b"a" * 40, "made": b"2027-01-01T00:00:00+00:00"},
        {"segment": b"a" * 40, "made": b"9999-12-31T23:59:59+00:00"},
    ],
    ids=str,
)
@asynchronous
async def test_what_somebody_broke_is_made_anew(data: dict[str, bytes]) -> None:
    cluster = OneSecret()
    way = opened(cluster)
    await way.renew(NOW)
    cluster.put(**data)
    await way.renew(NOW)
    assert cluster.data is not None
    assert cluster.data["segment"].decode() == way.segment != "a" * 40
    assert await way.admits(way.segment)


@pytest.mark.parametrize("is_there", [False, True], ids=["created", "changed"])
@asynchronous
async def test_of_two_that_make_one_the_first_counts(is_there: bool) -> None:
    cluster, winner = OneSecret(), b"b" * 40
    if is_there:
        cluster.put(segment=b"a" * 40, made=NOW.isoformat().encode())

    def meanwhile() -> None:
        cluster.before_write = lambda: None
        cluster.put(segment=winner, made=NOW.isoformat().encode())

    cluster.before_write = meanwhile
    way = opened(cluster)
    await way.renew(NOW)
    assert way.segment == winner.decode()
