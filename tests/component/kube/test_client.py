from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from support.apiserver import NOBODY, ApiServer
from support.asynchronous import asynchronous
from support.link import Link
from support.ports import free_port

from cdi.kube import errors
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client, LogOptions, Selection, WatchEvent, WatchFrom
from cdi.kube.config import Access, load
from cdi.kube.resources import CLAIMS, CONFIG_MAPS, PODS, SECRETS, SERVICES


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "labels": {"app": "test"}}, "data": data}


@asynchronous
async def test_an_object_is_created_read_and_deleted(client: Client, namespace: str) -> None:
    async with client:
        made = await client.create(CONFIG_MAPS, config_map("one", namespace, a="1"))
        assert made.data == {"a": "1"} and made.metadata.uid and made.metadata.resource_version
        assert await client.get(CONFIG_MAPS, "one", namespace) == made
        await client.delete(CONFIG_MAPS, "one", namespace, uid=made.metadata.uid)
        assert await client.find(CONFIG_MAPS, "one", namespace) is None
        with pytest.raises(errors.NotFound):
            await client.get(CONFIG_MAPS, "one", namespace)
        await client.delete(CONFIG_MAPS, "one", namespace)  # counts as success


@asynchronous
async def test_another_object_of_that_name_is_not_deleted(client: Client, namespace: str) -> None:
    async with client:
        await client.create(CONFIG_MAPS, config_map("one", namespace))
        with pytest.raises(errors.Conflict):
            await client.delete(CONFIG_MAPS, "one", namespace, uid="00000000-0000-0000-0000-000000000000")
        assert await client.find(CONFIG_MAPS, "one", namespace)


@asynchronous
async def test_a_taken_name_is_no_conflict(client: Client, namespace: str) -> None:
    async with client:
        await client.create(CONFIG_MAPS, config_map("one", namespace))
        with pytest.raises(errors.AlreadyExists):
            await client.create(CONFIG_MAPS, config_map("one", namespace))


@asynchronous
async def test_a_list_is_selected_and_comes_in_pages(client: Client, namespace: str) -> None:
    async with client, asyncio.TaskGroup() as group:
        for number in range(501):
            group.create_task(client.create(SECRETS, config_map(f"s{number}", namespace)))
    async with client:
        await client.create(SECRETS, {"metadata": {"name": "other", "namespace": namespace}})
        assert len(await client.list(SECRETS, namespace)) == 502
        assert len(await client.list(SECRETS, namespace, labels="app=test")) == 501
        [found] = await client.list(SECRETS, fields=f"metadata.name=other,metadata.namespace={namespace}")
        assert found.metadata.name == "other"
        pages = [page async for page in client.pages(SECRETS, Selection(namespace))]
        assert [len(page.items or ()) for page in pages] == [500, 2]


@asynchronous
async def test_what_is_invalid_names_the_field(client: Client, namespace: str) -> None:
    claim = {"metadata": {"name": "c", "namespace": namespace}, "spec": {"accessModes": ["Nonsense"]}}
    async with client:
        with pytest.raises(errors.Invalid) as caught:
            await client.create(CLAIMS, claim)
    assert "spec.accessModes" in {cause.field for cause in caught.value.causes}


@asynchronous
async def test_applying_owns_fields_and_gives_them_up(client: Client, namespace: str) -> None:
    async with client:
        await client.apply(CONFIG_MAPS, config_map("one", namespace, a="1", b="1"), manager="first")
        applied = await client.apply(CONFIG_MAPS, config_map("one", namespace, a="1"), manager="first")
        assert applied.data == {"a": "1"}
        again = await client.apply(CONFIG_MAPS, config_map("one", namespace, a="1"), manager="first")
        assert again == applied  # nothing changed: the same resourceVersion


@asynchronous
async def test_another_managers_field_is_a_conflict_unless_forced(client: Client, namespace: str) -> None:
    async with client:
        await client.apply(CONFIG_MAPS, config_map("one", namespace, a="1"), manager="first")
        theirs = config_map("one", namespace, a="2")
        with pytest.raises(errors.Conflict) as caught:
            await client.apply(CONFIG_MAPS, theirs, manager="second", force=False)
        assert [(cause.reason, cause.field) for cause in caught.value.causes] == [("FieldManagerConflict", ".data.a")]
        assert (await client.apply(CONFIG_MAPS, theirs, manager="second")).data == {"a": "2"}


@asynchronous
async def test_a_status_is_patched_apart_from_the_object(client: Client, namespace: str) -> None:
    volume = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume"}
    volume |= {"metadata": {"name": "dv", "namespace": namespace}, "spec": {"contentType": "kubevirt"}}  # type: ignore[dict-item]
    async with client:
        await client.create(DATA_VOLUMES, volume)
        patch = {"status": {"phase": "Pending"}, "spec": {"contentType": "archive"}}
        patched = await client.merge_patch(DATA_VOLUMES, "dv", patch, namespace=namespace, subresource="status")
        assert (patched.status.phase, patched.spec.content_type) == ("Pending", "kubevirt")


@asynchronous
async def test_a_patch_with_a_version_is_a_compare_and_swap(client: Client, namespace: str) -> None:
    async with client:
        made = await client.create(CONFIG_MAPS, config_map("one", namespace, a="1", b="2"))
        patch = {"metadata": {"resourceVersion": made.metadata.resource_version}, "data": {"a": None}}
        assert (await client.merge_patch(CONFIG_MAPS, "one", patch, namespace=namespace)).data == {"b": "2"}
        with pytest.raises(errors.Conflict):
            await client.merge_patch(CONFIG_MAPS, "one", patch, namespace=namespace)


@asynchronous
async def test_replacing_erases_what_is_left_out(client: Client, namespace: str) -> None:
    async with client:
        await client.create(CONFIG_MAPS, config_map("one", namespace, a="1"))
        replaced = await client.replace(CONFIG_MAPS, config_map("one", namespace, b="2"))
        assert replaced.data == {"b": "2"}


@asynchronous
async def test_a_watch_tells_what_happens(client: Client, namespace: str) -> None:
    async with client:
        made = await client.create(CONFIG_MAPS, config_map("one", namespace))
        await client.delete(CONFIG_MAPS, "one", namespace)
        start = WatchFrom(made.metadata.resource_version, timeout_s=1)
        async with aclosing(client.watch(CONFIG_MAPS, Selection(namespace), start)) as events:
            assert [event.type async for event in events if event.type != "BOOKMARK"] == ["DELETED"]


@asynchronous
async def test_a_watch_that_the_server_does_not_end_is_unreachable(client: Client, namespace: str) -> None:
    start = WatchFrom(initial_events=True, timeout_s=2, grace_s=-1.5)
    async with client:
        with pytest.raises(errors.Unreachable):
            async for _event in client.watch(CONFIG_MAPS, Selection(namespace), start):
                pass


@asynchronous
async def test_logs_of_a_pod_that_has_no_node_are_refused(client: Client, namespace: str) -> None:
    pod = {"metadata": {"name": "p", "namespace": namespace}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    async with client:
        await client.create(PODS, pod)
        lines = [line async for line in client.log_lines(namespace, "p", LogOptions("c", follow=False))]
        assert lines == []
        with pytest.raises(errors.BadRequest):
            async for _line in client.log_lines(namespace, "p", LogOptions("other")):
                pass


@asynchronous
async def test_who_may_nothing_is_told_so(api: ApiServer, namespace: str) -> None:
    async with Client(load(str(api.kubeconfig(NOBODY)))) as client:
        with pytest.raises(errors.Forbidden):
            await client.list(SERVICES, namespace)


@asynchronous
async def test_a_wrong_token_is_unauthorized(api: ApiServer) -> None:
    async with Client(load(str(api.kubeconfig("wrong")))) as client:
        with pytest.raises(errors.Unauthorized):
            await client.get_raw("/api")


@asynchronous
async def test_nobody_there_is_unreachable() -> None:
    async with Client(Access(f"http://127.0.0.1:{free_port()}")) as client:
        with pytest.raises(errors.Unreachable, match=r"GET http://127\.0\.0\.1:\d+/version: "):
            await client.get_raw("/version")


@asynchronous
async def test_a_cut_connection_ends_a_watch_as_unreachable(api: ApiServer, namespace: str) -> None:
    async with (
        Link(api.port) as link,
        Client(load(str(api.kubeconfig(url=f"https://127.0.0.1:{link.port}")))) as client,
    ):
        await client.create(CONFIG_MAPS, config_map("one", namespace))
        async with aclosing(client.watch(CONFIG_MAPS, Selection(namespace), WatchFrom(initial_events=True))) as events:
            assert (await anext(events)).type == "ADDED"
            link.cut()
            with pytest.raises(errors.Unreachable):
                [event async for event in events]


@asynchronous
async def test_an_untrusted_server_is_unreachable(api: ApiServer) -> None:
    import ssl

    async with Client(Access(api.url, ssl.create_default_context)) as client:
        with pytest.raises(errors.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get_raw("/version")


@asynchronous
async def test_whatever_lasts_takes_no_connection_from_what_is_answered_at_once(client: Client, namespace: str) -> None:
    """A lease that is not renewed in time is lost, and 200 followed logs once held all connections."""

    async def change(watch: AsyncGenerator[WatchEvent, None]) -> str:
        """The first one: the API server sends bookmarks whenever it likes."""
        while (event := await anext(watch)).type == "BOOKMARK":
            pass
        return event.type

    async with client:
        watches = [client.watch(CONFIG_MAPS, Selection(namespace)) for _ in range(250)]
        first = [asyncio.ensure_future(change(watch)) for watch in watches]
        await client.create(CONFIG_MAPS, config_map("one", namespace))
        async with asyncio.timeout(30):
            assert set(await asyncio.gather(*first)) == {"ADDED"}
            assert await client.find(CONFIG_MAPS, "one", namespace)
        for watch in watches:
            await watch.aclose()
