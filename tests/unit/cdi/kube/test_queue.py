from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import virtualtime

from cdi.kube.queue import LONGEST_RETRY_S, Closed, Queue


def now() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_is_queued_once() -> None:
    async def body() -> None:
        queue = Queue[str]()
        for key in "aba":
            queue.add(key)
        assert len(queue) == 2
        assert [await queue.get(), await queue.get()] == ["a", "b"]

    virtualtime.run(body())


def test_what_is_added_while_it_is_worked_on_comes_once_more_afterwards() -> None:
    async def body() -> None:
        queue = Queue[str]()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    virtualtime.run(body())


def test_the_earliest_wish_holds() -> None:
    async def body() -> None:
        queue = Queue[str]()
        queue.add_after("a", 60)
        queue.add_after("a", 10)
        queue.add_after("a", 30)
        await queue.get()
        assert now() == pytest.approx(10)

    virtualtime.run(body())


def test_getting_a_key_fulfils_all_wishes_for_it() -> None:
    async def body() -> None:
        queue = Queue[str]()
        queue.add_after("a", 10)
        queue.add("a")
        queue.done(await queue.get())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await queue.get()

    virtualtime.run(body())


def test_retries_come_later_and_later_until_it_goes_well() -> None:
    async def body() -> None:
        queue = Queue[str]()
        waits = [queue.retry("a") for _ in range(20)]
        assert all(later > earlier * 0.99 for earlier, later in zip(waits, waits[2:], strict=False) if later < 30)
        assert LONGEST_RETRY_S / 2 <= waits[-1] <= LONGEST_RETRY_S
        queue.forget("a")
        assert queue.retry("a") < 0.1
        assert queue.retry("b", at_least_s=7) == 7

    virtualtime.run(body())


def test_a_closed_queue_gives_nothing_more() -> None:
    async def body() -> None:
        queue = Queue[str]()
        waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        queue.close()
        queue.add("a")
        queue.add_after("a", 1)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [Closed] * 3

    virtualtime.run(body())


def test_a_worker_that_is_cancelled_when_it_is_woken_loses_nothing() -> None:
    async def body() -> None:
        queue = Queue[str]()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        assert await second == "a"
        assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError

    virtualtime.run(body())


@dataclass
class Workers:
    """Three of them; ``failures`` of the attempts at a key go wrong."""

    failures: dict[str, int]
    queue: Queue[str] = field(default_factory=Queue)
    at_work: set[str] = field(default_factory=set)
    began: dict[str, list[float]] = field(default_factory=dict)

    async def work(self) -> None:
        while True:
            key = await self.queue.get()
            assert key not in self.at_work, "two workers on one key"
            self.at_work.add(key)
            self.began.setdefault(key, []).append(now())
            await asyncio.sleep(0.7)
            if self.failures.get(key, 0) > 0:
                self.failures[key] -= 1
                self.queue.retry(key)
            else:
                self.queue.forget(key)
            self.at_work.discard(key)
            self.queue.done(key)


KEYS = st.sampled_from("abcde")
ADDED = st.lists(st.tuples(KEYS, st.integers(0, 20), st.integers(0, 5)), min_size=1, max_size=30)


@given(ADDED, st.dictionaries(KEYS, st.integers(0, 6)))
def test_nothing_is_lost_and_no_key_has_two_workers(
    added: list[tuple[str, int, int]], failures: dict[str, int]
) -> None:
    """``added``: key, when it is said, and how much later it is wanted."""

    async def body() -> None:
        workers = Workers(dict(failures))
        tasks = [asyncio.create_task(workers.work()) for _ in range(3)]
        for key, at, after in sorted(added, key=lambda each: each[1]):
            await asyncio.sleep(max(0.0, at - now()))
            if after:
                workers.queue.add_after(key, after)
            else:
                workers.queue.add(key)
        await asyncio.sleep(3600)
        assert not any(task.done() for task in tasks), "a worker ended"
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key, at, _after in added:
            assert any(began > at - 0.01 for began in workers.began[key]), f"{key} of {at} was never looked at"
            assert workers.failures.get(key, 0) == 0, f"{key} was given up"

    virtualtime.run(body())


def test_every_lane_has_its_turn() -> None:
    async def body() -> list[str]:
        queue = Queue[str](lambda key: key[0])
        for number in range(100):
            queue.add(f"a{number}")
        queue.add("b0")
        queue.add("c0")
        assert len(queue) == 102
        got = []
        for _ in range(6):
            got.append(await queue.get())
            queue.done(got[-1])
        assert len(queue) == 96
        return got

    assert asyncio.run(body()) == ["a0", "b0", "c0", "a1", "a2", "a3"]
