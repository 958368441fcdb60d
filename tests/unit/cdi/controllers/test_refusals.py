"""What was refused is asked again: ever more seldom, at a bounded pace, at once when it may be granted."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.virtualtime import run

from cdi.controllers.refusals import FIRST_S, LONGEST_S, NAMESPACE_S, Refusals, Refused
from cdi.kube.errors import ApiError, Conflict, Forbidden
from cdi.kube.objects import Metadata, QuotaStatus, ResourceQuota
from cdi.kube.store import Key

NO_ROOM = "exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3"


class Cluster:
    """Grants as many requests as it has ``room`` for; notes when each was made."""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.message = NO_ROOM
        self.asked: list[tuple[float, Key]] = []
        self.granted: list[Key] = []
        self.refusals = Refusals()

    async def _call(self, key: Key) -> str:
        self.asked.append((asyncio.get_running_loop().time(), key))
        if not self.room:
            raise Forbidden(403, "Forbidden", self.message)
        self.room -= 1
        self.granted.append(key)
        return "made"

    async def ask(self, key: Key, request: Any = "the same") -> str:
        return await self.refusals.ask(key, {"request": request}, lambda: self._call(key))

    async def refused(self, key: Key, request: Any = "the same") -> Refused:
        with pytest.raises(Refused) as found:
            await self.ask(key, request)
        return found.value

    async def follow(self, key: Key, until: float) -> None:
        """As a controller does: looks again when it is told to, or when it is woken."""
        loop = asyncio.get_running_loop()
        woken = self._woken.setdefault(key, asyncio.Event())
        while loop.time() < until:
            woken.clear()
            try:
                await self.ask(key)
            except Refused as refused:
                try:
                    async with asyncio.timeout(refused.again_s):
                        await woken.wait()
                except TimeoutError:
                    pass
            else:
                return

    async def watch(self, keys: list[Key], until: float) -> None:
        self._woken: dict[Key, asyncio.Event] = {}
        self.refusals.on_turn(lambda key: self._woken[key].set())
        await asyncio.gather(*(self.follow(key, until) for key in keys))


def in_cluster(work: Callable[[Cluster], Awaitable[None]], room: int = 0) -> Cluster:
    async def started() -> Cluster:
        made = Cluster(room)
        await work(made)
        return made

    return run(started())


def keys(number: int, namespace: str = "vms") -> list[Key]:
    return [Key(namespace, f"disk-{index}") for index in range(number)]


def test_one_request_is_repeated_ever_more_seldom() -> None:
    found = in_cluster(lambda cluster: cluster.watch(keys(1), 4 * 3600.0))
    times = [at for at, _ in found.asked]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    for number, wait in enumerate(waits):
        ceiling = min(LONGEST_S, FIRST_S * 2**number)
        assert ceiling / 2 <= wait <= ceiling


def test_ten_thousand_in_one_namespace_are_repeated_at_a_bounded_pace() -> None:
    found = in_cluster(lambda cluster: cluster.watch(keys(10_000), 500.0))
    first_round, repeated = found.asked[:10_000], found.asked[10_000:]
    assert {at for at, _ in first_round} == {0.0}
    per_second = Counter(int(at) for at, _ in repeated)
    assert max(per_second.values()) < 25
    assert len(repeated) >= 1_000


def test_many_namespaces_share_the_pace_and_none_waits_for_a_crowd_in_another() -> None:
    async def work(cluster: Cluster) -> None:
        crowds = [key for number in range(20) for key in keys(100, f"crowd-{number}")]
        await cluster.watch([*crowds, Key("quiet", "disk")], 300.0)

    found = in_cluster(work)
    in_ten_seconds = Counter(int(at / 10) for at, _ in found.asked if at > 0)
    assert max(in_ten_seconds.values()) < 500
    quiet = [at for at, key in found.asked if key.namespace == "quiet"]
    assert quiet[1] <= FIRST_S
    assert len(quiet) >= 6


def test_what_piled_up_while_the_controller_was_busy_is_not_repeated_all_at_once() -> None:
    async def work(cluster: Cluster) -> None:
        many = keys(2_000)
        for key in many:
            await cluster.refused(key)
        await asyncio.sleep(2_000 * NAMESPACE_S + FIRST_S)
        await cluster.watch(many, asyncio.get_running_loop().time() + 2_000)

    found = in_cluster(work)
    repeated = found.asked[2_000:]
    assert max(Counter(int(at) for at, _ in repeated).values()) < 25
    assert {key for _, key in repeated} == set(keys(2_000))


def test_what_waits_longer_for_its_turn_is_still_asked_for_when_there_is_room() -> None:
    async def work(cluster: Cluster) -> None:
        many = keys(100)
        for key in many:
            await cluster.refused(key)
        await asyncio.sleep(LONGEST_S)
        for key in many:
            await cluster.refused(key)
        woken: list[Key] = []
        cluster.refusals.on_turn(woken.append)
        for _ in range(len(many) // 2):
            cluster.refusals.wake("vms")
        assert set(woken) == set(many)
        cluster.room = len(many)
        assert [await cluster.ask(key) for key in many] == ["made"] * len(many)

    in_cluster(work)


def test_a_refusal_that_stands_is_told_once_and_told_again_when_it_says_something_else() -> None:
    async def work(cluster: Cluster) -> None:
        key = Key("vms", "disk")
        assert (await cluster.refused(key)).is_news
        assert (await cluster.refused(key)).is_news  # nobody could be told
        cluster.refusals.told(key)
        again = await cluster.refused(key)
        assert (again.is_news, str(again), len(cluster.asked)) == (False, NO_ROOM, 1)
        await asyncio.sleep(again.again_s)
        assert not (await cluster.refused(key)).is_news
        cluster.message = "exceeded quota: other"
        await asyncio.sleep(LONGEST_S)
        assert (await cluster.refused(key)).is_news
        assert len(cluster.asked) == 3

    in_cluster(work)


def test_another_request_for_the_same_object_is_made_at_once() -> None:
    async def work(cluster: Cluster) -> None:
        key = Key("vms", "disk")
        await cluster.refused(key, {"size": 2})
        await cluster.refused(key, {"size": 1})
        assert len(cluster.asked) == 2
        cluster.room = 1
        assert await cluster.ask(key, {"size": 0}) == "made"

    in_cluster(work)


def test_what_is_no_refusal_is_the_callers_to_retry() -> None:
    async def work(_: Cluster) -> None:
        async def changed() -> str:
            raise Conflict(409, "Conflict", "changed")

        refusals = Refusals()
        for _attempt in range(2):
            with pytest.raises(Conflict):
                await refusals.ask(Key("vms", "disk"), {}, changed)

    in_cluster(work)


def quota(used: str, hard: str = "3") -> ResourceQuota:
    return ResourceQuota(Metadata(name="small", namespace="vms"), QuotaStatus({"pods": hard}, {"pods": used}))


@pytest.mark.parametrize(
    ("old", "new", "is_asked"),
    [
        (quota("3"), quota("2"), True),
        (quota("3"), quota("3", "4"), True),
        (quota("3"), None, True),
        (quota("3"), quota("none of ours"), True),
        (quota("2"), quota("3"), False),
        (None, quota("3"), False),
    ],
)
def test_room_in_a_quota_is_taken_at_once(old: ResourceQuota | None, new: ResourceQuota | None, is_asked: bool) -> None:
    async def work(cluster: Cluster) -> None:
        woken: list[Key] = []
        cluster.refusals.on_turn(woken.append)
        here, elsewhere = Key("vms", "disk"), Key("others", "disk")
        await cluster.refused(here)
        await cluster.refused(elsewhere)
        cluster.refusals.quota_changed(old, new)
        assert woken == ([here] if is_asked else [])
        await cluster.refused(here)
        assert len(cluster.asked) == 2 + is_asked

    in_cluster(work)


def test_room_for_one_costs_few_requests_however_many_wait() -> None:
    async def work(cluster: Cluster) -> None:
        async def later() -> None:
            await asyncio.sleep(600)
            before = len(cluster.asked)
            cluster.room = 1
            cluster.refusals.wake("vms")
            await asyncio.sleep(0.001)
            assert len(cluster.granted) == 1
            assert len(cluster.asked) - before <= 4

        await asyncio.gather(cluster.watch(keys(1000), 601.0), later())

    in_cluster(work)


def test_when_the_hindrance_is_gone_all_begin_at_once_after_the_first_that_was_granted() -> None:
    async def work(cluster: Cluster) -> None:
        async def later() -> None:
            await asyncio.sleep(600)
            cluster.room = 10_000
            cluster.refusals.wake("vms")

        await asyncio.gather(cluster.watch(keys(1000), 700.0), later())

    found = in_cluster(work)
    assert len(found.granted) == 1000
    assert len(set(found.granted)) == 1000
    assert max(at for at, _ in found.asked) <= 600


def test_a_lifted_refusal_is_asked_again_in_its_turn() -> None:
    async def work(cluster: Cluster) -> None:
        many = keys(100)
        for key in many:
            await cluster.refused(key)
        for key in many:
            cluster.refusals.lift(key)
        waits = [(await cluster.refused(key)).again_s for key in many]
        assert len(cluster.asked) <= 101
        assert max(waits) <= 200 * NAMESPACE_S
        assert len(waits) == len(set(waits))

    in_cluster(work)


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    async def work(cluster: Cluster) -> None:
        key = Key("vms", "disk")
        await cluster.refused(key)
        cluster.refusals.forget(key)
        await cluster.refused(key)
        assert len(cluster.asked) == 2

    in_cluster(work)


def test_a_cause_keeps_nothing_of_its_caller_alive() -> None:
    async def work(cluster: Cluster) -> None:
        await cluster.refused(Key("vms", "disk"))
        error: ApiError = (await cluster.refused(Key("vms", "disk"))).cause
        assert error.__traceback__ is None

    in_cluster(work)
