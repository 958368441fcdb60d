from __future__ import annotations

import itertools

from support.asynchronous import asynchronous
from support.ports import free_port

from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.kube.objects import ObjectReference
from cdi.kube.recorder import Recorder
from cdi.kube.resources import EVENTS


def data_volume(namespace: str) -> dict[str, str]:
    identity = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "dv"}
    return identity | {"namespace": namespace, "uid": "1234"}


@asynchronous
async def test_an_event_tells_whom_it_is_about(client: Client, namespace: str) -> None:
    async with client:
        recorder = Recorder(client, "cdi-test")
        recorder.event(data_volume(namespace), "Warning", "Error", "no such file")
        await recorder.flush()
        [event] = await client.list(EVENTS, namespace)
    assert (event.type, event.reason, event.message, event.count) == ("Warning", "Error", "no such file", 1)
    assert event.involved_object == ObjectReference("cdi.kubevirt.io/v1beta1", "DataVolume", namespace, "dv", "1234")


@asynchronous
async def test_what_is_repeated_all_the_time_is_written_once_a_minute(client: Client, namespace: str) -> None:
    times = [0.0]
    async with client:
        recorder = Recorder(client, "cdi-test", lambda: times[-1])
        counts = []
        for moment in (0.0, 5.0, 59.0, 61.0):
            times.append(moment)
            recorder.event(data_volume(namespace), "Warning", "Error", "again")
            await recorder.flush()
            [event] = await client.list(EVENTS, namespace)
            counts.append(event.count)
    assert counts == [1, 1, 1, 4]


@asynchronous
async def test_repeats_are_counted(client: Client, namespace: str) -> None:
    moments = itertools.count(step=60)
    async with client:
        recorder = Recorder(client, "cdi-test", lambda: next(moments))
        for _ in range(3):
            recorder.event(data_volume(namespace), "Normal", "Pending", "waiting")
        await recorder.flush()
        recorder.event(data_volume(namespace), "Normal", "Pending", "waiting")
        recorder.event(data_volume(namespace), "Normal", "Bound", "x" * 5000)
        await recorder.flush()
        found = {event.reason: event for event in await client.list(EVENTS, namespace)}
    assert {reason: event.count for reason, event in found.items()} == {"Pending": 4, "Bound": 1}
    assert len(found["Bound"].message) == 1024


@asynchronous
async def test_a_text_that_is_no_unicode_costs_its_own_event_only(client: Client, namespace: str) -> None:
    async with client:
        recorder = Recorder(client, "cdi-test")
        recorder.event(data_volume(namespace), "Normal", "\ud800", "odd")
        recorder.event(data_volume(namespace), "Normal", "Bound", "bound")
        await recorder.flush()
        assert [event.reason for event in await client.list(EVENTS, namespace)] == ["Bound"]


@asynchronous
async def test_a_text_of_others_acts_on_nobody_who_reads_the_event(client: Client, namespace: str) -> None:
    async with client:
        recorder = Recorder(client, "cdi-test")
        recorder.event(
            data_volume(namespace), "Warning", "Error", "half \ud800\n  Normal  Bound\x1b[2J" + "\u202e" * 5000
        )
        await recorder.flush()
        (event,) = await client.list(EVENTS, namespace)
    assert event.message.startswith(r"half \ud800\n  Normal  Bound\x1b[2J\u202e") and len(event.message) == 1024


@asynchronous
async def test_an_event_that_the_server_dropped_is_made_anew(client: Client, namespace: str) -> None:
    async with client:
        moments = itertools.count(step=60)
        recorder = Recorder(client, "cdi-test", lambda: next(moments))
        recorder.event(data_volume(namespace), "Normal", "Pending", "waiting")
        await recorder.flush()
        [event] = await client.list(EVENTS, namespace)
        await client.delete(EVENTS, event.metadata.name, namespace)
        recorder.event(data_volume(namespace), "Normal", "Pending", "waiting")
        await recorder.flush()
        [event] = await client.list(EVENTS, namespace)
    assert event.count == 2


@asynchronous
async def test_events_of_cluster_wide_objects_are_in_the_default_namespace(client: Client, namespace: str) -> None:
    async with client:
        recorder = Recorder(client, "cdi-test")
        profile = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "StorageProfile", "name": namespace}
        recorder.event(profile, "Normal", "Found", "a profile")
        await recorder.flush()
        [event] = await client.list(EVENTS, "default", fields=f"involvedObject.name={namespace}")
    assert event.involved_object.kind == "StorageProfile"


@asynchronous
async def test_an_api_server_that_is_down_costs_the_event_only() -> None:
    async with Client(Access(f"http://127.0.0.1:{free_port()}")) as client:
        recorder = Recorder(client, "cdi-test")
        recorder.event(data_volume("x"), "Normal", "Pending", "waiting")
        await recorder.flush()
        assert not recorder._unwritten
