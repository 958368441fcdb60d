"""What a real API server does too seldom to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.asynchronous import asynchronous, until
from support.oldserver import OldServer, config_map, status

from cdi.kube.backoff import Backoff
from cdi.kube.cache import Cache
from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.kube.objects import ConfigMap
from cdi.kube.resources import CONFIG_MAPS
from cdi.kube.store import Store


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many failures each wait was for, in order. The waits themselves are short."""
    found: list[int] = []

    def next_s(backoff: Backoff) -> float:
        found.append(backoff.failures)
        backoff.failures += 1
        return 0.01

    monkeypatch.setattr(Backoff, "next_s", next_s)
    return found


@asynccontextmanager
async def watching(server: OldServer) -> AsyncIterator[Store[ConfigMap]]:
    async with server, Client(Access(server.url)) as client:
        cache = Cache(client)
        store = cache.store(CONFIG_MAPS)
        task = asyncio.create_task(cache.run())
        try:
            await cache.synced()
            yield store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def names(store: Store[ConfigMap]) -> set[str]:
    return {item.metadata.name for item in store.all()}


@asynchronous
async def test_a_server_without_streamed_lists_is_asked_for_pages() -> None:
    pages = [[config_map("a", 1)], [config_map("b", 2)]]
    server = OldServer(pages, [[("ADDED", config_map("c", 101)), ("DELETED", config_map("a", 102))]])
    async with watching(server) as store:
        await until(lambda: names(store) == {"b", "c"})
    assert server.asked == ["stream", "list", "list", "watch"]


@asynchronous
async def test_a_watch_that_ended_goes_on_without_a_list() -> None:
    server = OldServer([[config_map("a", 1)]], [[("ADDED", config_map("b", 101))], [("ADDED", config_map("c", 102))]])
    async with watching(server) as store:
        await until(lambda: names(store) == {"a", "b", "c"})
    assert server.asked == ["stream", "list", "watch", "watch"]


@asynchronous
async def test_a_version_that_is_gone_is_listed_again_and_nothing_is_dropped_before() -> None:
    server = OldServer([[config_map("a", 1), config_map("b", 2)]], [[("ERROR", status(410, "Expired"))], []])
    async with watching(server) as store:
        sizes: list[int] = []
        store.subscribe(lambda old, new: sizes.append(len(store)))
        server.pages = [[config_map("b", 2), config_map("c", 103)]]
        await until(lambda: names(store) == {"b", "c"})
        assert min(sizes) >= 2
    assert server.asked.count("list") == 2


@asynchronous
async def test_what_an_outage_made_the_server_forget_is_listed_without_the_wait_of_the_outage(
    failures: list[int],
) -> None:
    gone = [("ERROR", status(410, "Expired"))]
    server = OldServer([[config_map("a", 1)]], [[], gone, []])
    async with watching(server) as store:
        server.refusal = status(503, "ServiceUnavailable")
        await until(lambda: len(failures) >= 5)
        server.pages = [[config_map("b", 103)]]
        server.refusal = None
        await until(lambda: names(store) == {"b"})
    outage = failures[: failures.index(0, 1)]
    assert outage == list(range(len(outage)))
    assert len(outage) >= 5


@asynchronous
async def test_a_list_that_is_gone_at_once_is_no_hot_loop(failures: list[int]) -> None:
    server = OldServer([[config_map("a", 1)]], [[("ERROR", status(410, "Expired"))] for _ in range(1000)])
    async with watching(server):
        await until(lambda: len(failures) >= 6)
    assert failures[:6] == [0, 1, 2, 3, 4, 5]


@asynchronous
async def test_one_strange_object_does_not_hide_the_others(caplog: pytest.LogCaptureFixture) -> None:
    strange = config_map("strange", 2) | {"data": "text"}
    server = OldServer([[config_map("a", 1), strange]], [[("MODIFIED", strange), ("ADDED", config_map("b", 101))]])
    async with watching(server) as store:
        await until(lambda: names(store) == {"a", "b"})
    assert "configmaps are incomplete: n/strange: Expected `object`, got `str` - at `$.data`" in caplog.text


@asynchronous
async def test_a_watch_that_always_ends_at_once_is_no_hot_loop() -> None:
    server = OldServer([[config_map("a", 1)]], [[] for _ in range(1000)])
    async with watching(server):
        await asyncio.sleep(3)
    assert 4 <= len(server.asked) <= 9


@asynchronous
async def test_an_overloaded_server_is_left_alone_for_as_long_as_it_asks() -> None:
    server = OldServer([[config_map("a", 1)]], [[]], refusal=status(429, "TooManyRequests"), retry_after="3600")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2), watching(server):
            pass
    assert server.asked == ["stream"]


@asynchronous
async def test_a_kind_that_is_not_there_yet_is_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdi.kube.reflector._UNKNOWN_KIND_S", 0.5)
    server = OldServer([[config_map("a", 1)]], [[]], refusal=status(404, "NotFound"))
    async with watching(server) as store:
        assert names(store) == set()
        server.refusal = None
        await until(lambda: names(store) == {"a"})


@asynchronous
async def test_of_a_kind_that_is_gone_nothing_is_left_until_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdi.kube.reflector._UNKNOWN_KIND_S", 0.1)
    server = OldServer([[config_map("a", 1), config_map("b", 2)]], [[], []])
    async with watching(server) as store:
        gone: list[str] = []
        store.subscribe(lambda old, new: gone.append(old.metadata.name) if old is not None and new is None else None)
        server.refusal = status(404, "NotFound")
        await until(lambda: names(store) == set())
        assert sorted(gone) == ["a", "b"]
        server.refusal = None
        await until(lambda: names(store) == {"a", "b"})


@asynchronous
async def test_the_first_time_that_a_version_is_gone_it_is_listed_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the server was in trouble before, and the watch began a moment ago."""
    monkeypatch.setattr(Backoff, "next_s", lambda backoff: 3600.0)
    server = OldServer([[config_map("a", 1)]], [[("ERROR", status(410, "Expired"))], []])
    async with watching(server) as store:
        server.pages = [[config_map("b", 103)]]
        await until(lambda: names(store) == {"b"})


@asynchronous
async def test_a_cache_says_what_it_cannot_watch() -> None:
    server = OldServer([[config_map("a", 1)]], [[], []])
    async with server, Client(Access(server.url)) as client:
        cache = Cache(client)
        cache.store(CONFIG_MAPS)
        task = asyncio.create_task(cache.run())
        await cache.synced()
        assert cache.blind(0.0) == []
        server.refusal = status(403, "Forbidden")
        await until(lambda: cache.blind(0.0) == ["configmaps"])
        assert cache.blind(3600.0) == []
        server.refusal = None
        await until(lambda: cache.blind(0.0) == [])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
