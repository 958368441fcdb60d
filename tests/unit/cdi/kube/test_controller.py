from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support import virtualtime

from cdi.kube.controller import Controller, Key
from cdi.kube.errors import Conflict, Forbidden, TooManyRequests, Unreachable
from cdi.kube.store import Store

A, B = Key("n", "a"), Key("n", "b")


class Reconciler:
    """Notes when it was called; ``outcome`` decides what an attempt gives."""

    def __init__(self, outcome: Callable[[int], float | None] = lambda attempt: None) -> None:
        self.calls: list[tuple[Key, float]] = []
        self._outcome = outcome

    async def __call__(self, key: Key) -> float | None:
        self.calls.append((key, asyncio.get_running_loop().time()))
        return self._outcome(len(self.calls))

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.calls]


def run_for(seconds: float, controller: Controller) -> None:
    async def body() -> None:
        controller.enqueue(A)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await controller.run()

    virtualtime.run(body())


def failing(error: Exception, times: int) -> Callable[[int], float | None]:
    def outcome(attempt: int) -> float | None:
        if attempt <= times:
            raise error
        return None

    return outcome


def test_changes_make_it_look_at_the_keys_of_before_and_after() -> None:
    async def body() -> None:
        store = Store[str]()
        reconcile = Reconciler()
        controller = Controller("test", reconcile)
        controller.watches(store, lambda owner: [Key("n", owner)])
        store.put(Key("n", "pod"), "a", "1")
        store.put(Key("n", "pod"), "b", "2")
        running = asyncio.create_task(controller.run())
        await asyncio.sleep(1)
        assert [key for key, _ in reconcile.calls] == [A, B]
        controller.stop()
        await running

    virtualtime.run(body())


def test_it_looks_again_when_the_reconciler_says_so() -> None:
    reconcile = Reconciler(lambda attempt: 60.0 if attempt < 3 else None)
    run_for(3600, Controller("test", reconcile))
    assert reconcile.times == pytest.approx([0, 60, 120])


@pytest.mark.parametrize("error", [Unreachable("no answer"), Conflict(409, "Conflict", "changed"), KeyError("bug")])
def test_an_outage_of_ten_minutes_costs_few_attempts(error: Exception) -> None:
    reconcile = Reconciler(failing(error, 10**9))
    run_for(600, Controller("test", reconcile))
    assert 15 <= len(reconcile.calls) <= 35


def test_after_success_the_backoff_begins_anew() -> None:
    outcomes: list[Exception | float | None] = [*[Unreachable("x")] * 8, 1000.0, Unreachable("x"), None]

    def outcome(attempt: int) -> float | None:
        result = outcomes[attempt - 1]
        if isinstance(result, Exception):
            raise result
        return result

    reconcile = Reconciler(outcome)
    run_for(3600, Controller("test", reconcile))
    assert reconcile.times[-1] - reconcile.times[-2] < 0.1


def test_a_server_that_asks_for_peace_gets_it() -> None:
    error = TooManyRequests(429, "TooManyRequests", "slow down", retry_after_s=20)
    reconcile = Reconciler(failing(error, 1))
    run_for(60, Controller("test", reconcile))
    assert reconcile.times == pytest.approx([0, 20])


def test_a_bug_is_logged_with_its_traceback_and_an_outage_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    run_for(0.01, Controller("test", Reconciler(failing(KeyError("oops"), 1))))
    run_for(0.01, Controller("test", Reconciler(failing(Unreachable("no answer"), 1))))
    bug, outage = caplog.records
    assert bug.exc_info and "test n/a: a bug" in bug.getMessage()
    assert not outage.exc_info and "test n/a: no answer; again in 0.0" in outage.getMessage()


def test_stopping_finishes_what_was_begun() -> None:
    async def body() -> None:
        finished = []

        async def reconcile(key: Key) -> None:
            await asyncio.sleep(5)
            finished.append(key)

        controller = Controller("test", reconcile)
        controller.enqueue(A)
        running = asyncio.create_task(controller.run(workers=1))
        await asyncio.sleep(1)
        controller.enqueue(B)
        controller.stop()
        await running
        assert finished == [A]

    virtualtime.run(body())


def test_many_keys_that_need_nothing_leave_turns_to_everybody_else() -> None:
    """As to the renewal of a lease: between any two keys."""

    async def body() -> int:
        looked = 0

        async def reconcile(key: Key) -> None:
            nonlocal looked
            looked += 1

        controller = Controller("test", reconcile)
        for number in range(1000):
            controller.enqueue(Key("", str(number)))
        running = asyncio.create_task(controller.run(1))
        turns = 0
        while looked < 1000:
            await asyncio.sleep(0)
            turns += 1
        controller.stop()
        await running
        return turns

    assert asyncio.run(body()) >= 1000


def test_what_a_rule_refuses_is_tried_ever_more_seldom() -> None:
    reconcile = Reconciler(failing(Forbidden(403, "Forbidden", "a policy says no"), 10**9))
    run_for(3600, Controller("test", reconcile))
    assert 20 <= len(reconcile.calls) <= 40
