"""Following the logs of workers: every line counts at once, and no end of a log is the end of what is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from support.virtualtime import run

from cdi.controllers.population.plan import Follow
from cdi.controllers.population.progress import Followers
from cdi.kube.client import LogOptions
from cdi.kube.errors import ApiError
from cdi.kube.store import Key

WORKER = Follow("ns", "importer-disk", "u1", "disk")


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
