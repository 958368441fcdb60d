"""Following the logs of workers: every line counts at once, and no end of a log is the end of what is known."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable

import pytest
from support.virtualtime import run

from cdi.controllers.population.plan import Follow
from cdi.controllers.population.progress import Followers
from cdi.kube.client import LogOptions
from cdi.kube.errors import ApiError
from cdi.kube.store import Key

WORKER = Follow("ns", "importer-disk", "u1", Key("ns", "disk"), "importer")


class Logs:
    """Answers every call with the next of ``scripts``; an exception in a script is raised there."""

    def __init__(self, *scripts: list[bytes | ApiError]) -> None:
        self.scripts = list(scripts)
        self.calls = 0

    async def log_lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncGenerator[bytes, None]:
        script = self.scripts[self.calls]
        self.calls += 1
        for line in script:
            if isinstance(line, ApiError):
                raise line
            yield line


class Decider:
    """Asks for the worker whenever it is told of a change, as the reconciler does while the worker runs."""

    def __init__(self, *scripts: list[bytes | ApiError]) -> None:
        self.logs = Logs(*scripts)
        self.told: list[Key] = []
        self.heard, self.idle = asyncio.Event(), asyncio.Event()
        self.followers = Followers(self.logs, self._changed)

    def _changed(self, key: Key) -> None:
        self.told.append(key)
        self.heard.set()
        if self.logs.calls < len(self.logs.scripts):
            self.followers.follow(WORKER)
        else:
            self.idle.set()


def follow(*scripts: list[bytes | ApiError], until: Callable[[Decider], bool]) -> Decider:
    async def work() -> Decider:
        decider = Decider(*scripts)
        decider.followers.follow(WORKER)
        while not until(decider):
            decider.idle.clear()
            await decider.idle.wait()
        return decider

    return run(work())


def percent(found: Decider) -> float | None:
    latest = found.followers.latest("u1")
    return latest.percent if latest else None


def test_a_log_that_is_cut_is_read_again() -> None:
    cut: list[bytes | ApiError] = [b'{"percent": 10}', ApiError(0, "Unreachable", "reset", ())]
    found = follow(cut, [b'{"percent": 60}'], until=lambda d: percent(d) == 60)
    assert found.logs.calls == 2


def test_a_log_that_ends_while_the_worker_runs_is_read_again() -> None:
    found = follow([b'{"percent": 10}'], [b'{"percent": 20}'], until=lambda d: percent(d) == 20)
    assert found.logs.calls == 2


def test_what_is_no_progress_is_passed_over() -> None:
    lines: list[bytes | ApiError] = [b"hello", b"{broken", b'{"percent": "ten"}', b'{"percent": 30, "new": 1}']
    found = follow(lines, until=lambda d: percent(d) == 30)
    assert found.told[0] == Key("ns", "disk")


def test_a_worker_that_is_gone_is_forgotten() -> None:
    async def work() -> tuple[int, object]:
        decider = Decider([b'{"percent": 10}'], [])
        decider.followers.follow(WORKER)
        await decider.heard.wait()
        decider.followers.forget("u1")
        await asyncio.sleep(10)  # of virtual time: longer than any pause of a follower
        return decider.logs.calls, decider.followers.latest("u1")

    assert run(work()) == (1, None)


class Flood:
    """A log without an end, as fast as it is read. ``line``: of the number of it."""

    def __init__(self, line: Callable[[int], bytes]) -> None:
        self.line = line
        self.bytes = 0

    async def log_lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncGenerator[bytes, None]:
        for number in itertools.count():
            line = self.line(number)
            self.bytes += len(line)
            yield line


FLOODS = {
    "progress": lambda number: b'{"bytesDone": %d}' % number,
    "words": lambda number: b"w",
    "long lines": lambda number: b"{" + b" " * 60_000,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_worker_that_prints_without_an_end_costs_little(kind: str) -> None:
    async def work() -> tuple[int, int]:
        told: list[Key] = []
        flood = Flood(FLOODS[kind])
        followers = Followers(flood, told.append)
        followers.follow(WORKER)
        await asyncio.sleep(100)
        followers.forget(WORKER.uid)
        return flood.bytes, len(told)

    read, told = run(work())
    assert read <= (128 << 10) + 101 * (16 << 10)
    assert told <= 51


def test_what_is_decided_on_is_what_was_passed_on() -> None:
    """Whoever looks more often, as after every write of their own, finds nothing new to write."""

    async def work() -> set[int]:
        flood = Flood(FLOODS["progress"])
        followers = Followers(flood, lambda key: None)
        followers.follow(WORKER)
        seen = set()
        for _ in range(1000):
            await asyncio.sleep(0.01)
            latest = followers.latest("u1")
            seen.add(latest.bytes_done if latest else -1)
        followers.forget(WORKER.uid)
        return seen

    assert len(run(work())) <= 6


def test_the_last_line_before_a_log_ends_is_passed_on() -> None:
    lines: list[bytes | ApiError] = [b'{"record": "first"}', b'{"record": "last"}']

    async def work() -> list[str]:
        records: list[str] = []
        followers = Followers(Logs(lines), lambda key: records.append(record(followers)))
        followers.follow(WORKER)
        await asyncio.sleep(30)
        return records

    def record(followers: Followers) -> str:
        latest = followers.latest("u1")
        return latest.record if latest else ""

    assert run(work()) == ["first", "last", ""]


def test_a_log_that_ends_at_once_is_read_ever_more_seldom() -> None:
    async def work() -> int:
        decider = Decider(*([] for _ in range(1000)))
        decider.followers.follow(WORKER)
        await asyncio.sleep(3600)
        decider.followers.forget(WORKER.uid)
        return decider.logs.calls

    assert run(work()) < 150


BOUNDS = [
    b'{"bytesDone": 9223372036854775808}',
    b'{"bytesDone": -1}',
    b'{"rateBps": 1e300}',
    b'{"percent": 1e9}',
    b'{"etaSeconds": 1e300}',
    b'{"stage": "%s"}' % (b"x" * 65),
    b'{"record": "%s"}' % (b"x" * 8193),
    b'{"stage": "%s"}' % (b"x" * 20_000),
    b'{"bytesDone": %s}' % (b"9" * 5000),
    b'{"new": %s1%s}' % (b"[" * 4000, b"]" * 4000),
    b'{"stage": "\xff"}',
]


@pytest.mark.parametrize("line", BOUNDS, ids=lambda line: line[:24].decode(errors="replace"))
def test_what_no_status_could_hold_is_passed_over(line: bytes) -> None:
    found = follow([line, b'{"percent": 30}'], until=lambda d: percent(d) == 30)
    assert found.logs.calls == 1
