"""Events are written at a bounded pace, ever more seldom when they repeat, and whoever has many makes nobody wait who
has one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from support.virtualtime import run

from cdi.kube.client import Client
from cdi.kube.recorder import Recorder
from cdi.kube.resources import Resource

IN_TEN_SECONDS = 250


class ApiServer:
    """Notes when it was asked to write which event, and how often that one was seen."""

    def __init__(self) -> None:
        self.written: list[tuple[float, str, int]] = []

    async def create(self, _resource: Resource[Any], body: Mapping[str, Any]) -> None:
        self.written.append((asyncio.get_running_loop().time(), body["metadata"]["namespace"], body["count"]))

    async def merge_patch(self, _resource: object, _name: str, patch: Mapping[str, Any], namespace: str) -> None:
        self.written.append((asyncio.get_running_loop().time(), namespace, patch["count"]))

    def of(self, namespace: str) -> list[float]:
        return [at for at, where, _ in self.written if where == namespace]


def recorded(work: Callable[[Recorder], Awaitable[None]], seconds: float) -> ApiServer:
    """``work`` is done while the recorder runs; what was written in so many ``seconds``."""

    async def started() -> ApiServer:
        api = ApiServer()
        recorder = Recorder(cast(Client, api), "cdi-test", asyncio.get_running_loop().time)
        running = asyncio.create_task(recorder.run())
        await asyncio.sleep(0)
        await work(recorder)
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return api

    return run(started())


def warn(recorder: Recorder, namespace: str, number: int = 0) -> None:
    about = {"kind": "PersistentVolumeClaim", "name": f"disk-{number}", "namespace": namespace}
    recorder.event(about, "Warning", "ErrExceededQuota", "exceeded quota")


def test_one_event_is_written_at_once() -> None:
    async def work(recorder: Recorder) -> None:
        warn(recorder, "vms")

    assert recorded(work, 0.5).of("vms") == [0.0]


def test_a_crowd_of_events_is_written_at_a_bounded_pace_and_to_its_end() -> None:
    async def work(recorder: Recorder) -> None:
        for number in range(500):
            warn(recorder, "vms", number)

    found = recorded(work, 60.0).of("vms")
    assert len(found) == 500
    assert max(Counter(int(at / 10) for at in found).values()) <= IN_TEN_SECONDS


def test_many_namespaces_share_the_pace() -> None:
    async def work(recorder: Recorder) -> None:
        for number in range(1_000):
            warn(recorder, f"crowd-{number % 50}", number)

    found = [at for at, _, _ in recorded(work, 90.0).written]
    assert len(found) == 1_000
    assert max(Counter(int(at / 10) for at in found).values()) <= IN_TEN_SECONDS


def test_an_event_of_another_namespace_does_not_wait_for_a_crowd() -> None:
    async def work(recorder: Recorder) -> None:
        for number in range(500):
            warn(recorder, "crowd", number)
        await asyncio.sleep(10.0)
        warn(recorder, "quiet")

    [at] = recorded(work, 60.0).of("quiet")
    assert at <= 10.5


def test_what_is_repeated_while_it_waits_is_one_write() -> None:
    async def work(recorder: Recorder) -> None:
        for _ in range(3):
            for number in range(100):
                warn(recorder, "vms", number)

    found = recorded(work, 60.0).written
    assert [count for _, _, count in found] == [3] * 100


def test_what_goes_on_for_a_day_is_written_ever_more_seldom() -> None:
    async def work(recorder: Recorder) -> None:
        for _ in range(24 * 360):
            warn(recorder, "vms")
            await asyncio.sleep(10)

    assert 48 <= len(recorded(work, 60.0).written) <= 60  # the API server drops an event after an hour


def test_a_crowd_in_one_namespace_loses_nobody_elses_events_and_makes_none_wait() -> None:
    async def work(recorder: Recorder) -> None:
        for number in range(5_000):
            warn(recorder, "crowd", number)
        warn(recorder, "quiet")

    found = [namespace for _, namespace, _ in recorded(work, 120.0).written]
    assert "quiet" in found[:2]
    assert len(found) <= 600
