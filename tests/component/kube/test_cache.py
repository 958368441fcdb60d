from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.apiserver import ADMIN, NOBODY, ApiServer
from support.asynchronous import asynchronous, until
from support.link import Link

from cdi.kube.cache import Cache
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.objects import ConfigMap
from cdi.kube.resources import CONFIG_MAPS, CUSTOM_RESOURCES, SNAPSHOTS
from cdi.kube.store import Store


def config_map(name: str, namespace: str, value: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": {"value": value}}


def values(store: Store[ConfigMap]) -> dict[str, str]:
    return {item.metadata.name: item.data["value"] for item in store.all() if item.data.keys() == {"value"}}


@asynccontextmanager
async def running(cache: Cache) -> AsyncIterator[None]:
    task = asyncio.create_task(cache.run())
    try:
        await cache.synced()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def behind_a_link(api: ApiServer, token: str = ADMIN) -> AsyncIterator[tuple[Link, Client]]:
    async with Link(api.port) as link:
        url = f"https://127.0.0.1:{link.port}"
        async with Client(load(str(api.kubeconfig(token, url)))) as client:
            yield link, client


@asynchronous
async def test_a_store_has_what_is_there_and_what_happens(client: Client, namespace: str) -> None:
    async with client:
        for name in "ab":
            await client.create(CONFIG_MAPS, config_map(name, namespace, "1"))
        cache = Cache(client)
        store = cache.store(CONFIG_MAPS, namespace=namespace)
        async with running(cache):
            assert values(store) == {"a": "1", "b": "1"}
            await client.merge_patch(CONFIG_MAPS, "a", {"data": {"value": "2"}}, namespace=namespace)
            await client.delete(CONFIG_MAPS, "b", namespace)
            await client.create(CONFIG_MAPS, config_map("c", namespace, "3"))
            await until(lambda: values(store) == {"a": "2", "c": "3"})


@asynchronous
async def test_a_store_is_shared_by_those_who_ask_for_the_same(client: Client) -> None:
    async with client:
        cache = Cache(client)
        store = cache.store(CONFIG_MAPS, labels="a=b")
        assert cache.store(CONFIG_MAPS, labels="a=b") is store
        assert cache.store(CONFIG_MAPS) is not store
        async with running(cache):
            with pytest.raises(RuntimeError, match="configmaps must be made before"):
                cache.store(CONFIG_MAPS, labels="c=d")


@asynchronous
async def test_objects_that_leave_the_selection_leave_the_store(client: Client, namespace: str) -> None:
    async with client:
        labelled = config_map("a", namespace)
        labelled["metadata"]["labels"] = {"app": namespace}
        await client.create(CONFIG_MAPS, labelled)
        cache = Cache(client)
        store = cache.store(CONFIG_MAPS, labels=f"app={namespace}")
        async with running(cache):
            assert len(store) == 1
            await client.merge_patch(CONFIG_MAPS, "a", {"metadata": {"labels": None}}, namespace=namespace)
            await until(lambda: len(store) == 0)


@asynchronous
async def test_nothing_that_happens_during_an_outage_is_missed(api: ApiServer, namespace: str, client: Client) -> None:
    async with client, behind_a_link(api) as (link, linked):
        for name in ("stays", "goes", "changes", "again"):
            await client.create(CONFIG_MAPS, config_map(name, namespace, "before"))
        cache = Cache(linked)
        store = cache.store(CONFIG_MAPS, namespace=namespace)
        async with running(cache):
            heard: list[tuple[str, str | None, str | None]] = []
            store.subscribe(lambda old, new: heard.append(change(old, new)))
            heard.clear()
            link.cut()
            await change_them_all(client, namespace)
            assert len(store) == 4, "an outage must not empty the store"
            link.restore()
            await until(lambda: "new" in values(store))
            assert values(store) == {"stays": "before", "changes": "after", "again": "after", "new": "after"}
            assert {each for each in heard if each[1] == "before"} >= {
                ("goes", "before", None),
                ("changes", "before", "after"),
            }
            assert not [each for each in heard if each[0] == "stays"]


def change(old: ConfigMap | None, new: ConfigMap | None) -> tuple[str, str | None, str | None]:
    some = new or old
    assert some
    return some.metadata.name, old and old.data["value"], new and new.data["value"]


async def change_them_all(client: Client, namespace: str) -> None:
    await client.delete(CONFIG_MAPS, "goes", namespace)
    await client.merge_patch(CONFIG_MAPS, "changes", {"data": {"value": "after"}}, namespace=namespace)
    await client.delete(CONFIG_MAPS, "again", namespace)
    await client.create(CONFIG_MAPS, config_map("again", namespace, "after"))
    await client.create(CONFIG_MAPS, config_map("new", namespace, "after"))


@asynchronous
async def test_versions_that_the_server_forgot_are_listed_again(
    api: ApiServer, namespace: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """410 Gone: while we are away, etcd is compacted, and the API server restarts, which empties its watch cache."""
    caplog.set_level("INFO")
    async with client, behind_a_link(api) as (link, linked):
        for name in ("stays", "goes", "changes", "again"):
            await client.create(CONFIG_MAPS, config_map(name, namespace, "before"))
        cache = Cache(linked)
        store = cache.store(CONFIG_MAPS, namespace=namespace)
        async with running(cache):
            link.cut()
            await change_them_all(client, namespace)
            await asyncio.to_thread(api.compact)
            api.kill()
            api.start()
            sizes: list[int] = []
            store.subscribe(lambda old, new: sizes.append(len(store)))
            link.restore()
            after = {"stays": "before", "changes": "after", "again": "after", "new": "after"}
            await until(lambda: values(store) == after)
            assert min(sizes) >= 4
    assert "configmaps: listing again" in caplog.text


@asynchronous
async def test_a_killed_api_server_is_watched_again_when_it_is_back(
    api: ApiServer, namespace: str, client: Client
) -> None:
    async with client:
        await client.create(CONFIG_MAPS, config_map("a", namespace, "1"))
        cache = Cache(client)
        store = cache.store(CONFIG_MAPS, namespace=namespace)
        async with running(cache):
            api.kill()
            api.start()
            async with Client(load(str(api.kubeconfig()))) as another:  # the first has connections to what was killed
                await another.merge_patch(CONFIG_MAPS, "a", {"data": {"value": "2"}}, namespace=namespace)
            await until(lambda: values(store) == {"a": "2"})


@asynchronous
async def test_an_api_server_that_is_down_is_asked_seldom(
    api: ApiServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind_a_link(api) as (link, linked):
        cache = Cache(linked)
        cache.store(CONFIG_MAPS, namespace=namespace)
        async with running(cache):
            before = link.connections
            link.cut()
            await asyncio.sleep(4)  # the outage
            assert 1 <= link.connections - before <= 8
    assert sum("cannot watch configmaps" in line for line in caplog.messages) <= 3


@asynchronous
async def test_a_kind_that_is_not_installed_is_empty(client: Client) -> None:
    async with client:
        cache = Cache(client)
        store = cache.store(SNAPSHOTS)
        async with running(cache):
            assert store.all() == []


@asynchronous
async def test_without_the_right_to_look_nothing_is_synced(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    async with behind_a_link(api, NOBODY) as (_link, linked):
        cache = Cache(linked)
        cache.store(CUSTOM_RESOURCES)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), running(cache):
                pass
    assert "customresourcedefinitions.apiextensions.k8s.io is forbidden" in caplog.text
