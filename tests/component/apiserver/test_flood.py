"""A hundred of the largest objects at once: each gets its answer, and a good DataVolume beside them is admitted."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.manifests import datavolume, http, storage
from support.webhooks import Process

from cdi.kube import config
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client
from cdi.kube.errors import ApiError

LARGE = 2_900_000  # bytes; the API server takes 3 MiB
AT_ONCE = 100
# CPU seconds: ten times what was seen. A parser that backtracks takes minutes for one of these.
MOST_BEFORE_S, MOST_S = 1.0, 60.0


def repeated(unit: str) -> str:
    return unit * (LARGE // len(unit))


def large(number: int) -> dict[str, Any]:
    """One of several kinds, each as large as the API server takes it."""
    size, headers, annotations, more = "1Gi", ["a: b"], {"a": "b"}, {}
    match number % 5:
        case 0:
            size = repeated("9")
        case 1:
            size = repeated("1.") + "x"
        case 2:
            annotations = {"a": repeated("[{")}
        case 3:
            headers = [repeated("x: y, ")]
        case _:
            more = {"accessModes": None, "selector": {"matchLabels": {"a": repeated("[]")}}}  # nulls: read twice
    source = {"http": {"url": "http://h/d", "extraHeaders": headers}}
    return datavolume(f"large-{number}", source, storage=storage(size) | more, annotations=annotations)


def cpu_s(process: int) -> float:
    """Of all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def answer(client: Client, namespace: str, body: dict[str, Any]) -> tuple[int, str]:
    """Of the API server; 0 where it gave none."""
    try:
        await client.create(DATA_VOLUMES, body, namespace)
    except ApiError as error:
        return error.status, error.message
    return 201, ""


def good(number: int) -> dict[str, Any]:
    return datavolume(f"good-{number}", http("http://h/d"), storage=storage("1Gi"))


async def cpu_of_a_good_review(session: aiohttp.ClientSession, process: Process, namespace: str) -> float:
    """Seconds of CPU that the process spends on whatever else before it answers: the machine's load is not in it."""
    request = {"uid": "1", "operation": "CREATE", "namespace": namespace, "object": good(0)}
    request |= {"resource": {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"}}
    before = cpu_s(process.pid)
    review = {"apiVersion": "admission.k8s.io/v1", "request": request}
    async with session.post(f"{process.url}/datavolume-validate", json=review, ssl=False) as response:
        assert (await response.json())["response"]["allowed"]
    return cpu_s(process.pid) - before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # it is what is tried
@asynchronous
async def test_a_good_datavolume_is_admitted_beside_a_hundred_of_the_largest(
    api: ApiServer, process: Process, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [large(number) for number in range(AT_ONCE)]
    assert all(LARGE * 0.9 < len(msgspec.json.encode(body)) < 3 << 20 for body in bodies)
    access = config.load(str(api.kubeconfig()))
    async with Client(access) as client, Client(access) as other, aiohttp.ClientSession() as session:
        before, began = cpu_s(process.pid), time.monotonic()
        flood = [asyncio.create_task(answer(client, namespace, body)) for body in bodies]
        first = asyncio.create_task(answer(other, namespace, good(0)))
        reviews = []
        while not all(task.done() for task in flood):
            reviews.append(await cpu_of_a_good_review(session, process, namespace))
            await asyncio.wait(flood, timeout=0.5)
        answers, (status, said) = await asyncio.gather(*flood), await first
        spent, took = cpu_s(process.pid) - before, time.monotonic() - began
        began = time.monotonic()
        assert await answer(other, namespace, good(1)) == (201, "")
    given_up = sum(item == 0 or item >= 504 for item, _ in answers)
    with capsys.disabled():
        print(
            f"\n{AT_ONCE} objects of {LARGE:,} bytes at once: {took:.1f} s, {spent:.2f} s of CPU of cdi-apiserver, "
            f"{given_up} given up by the API server; before a good review is answered {max(reviews):.2f} s of CPU at "
            f"most ({len(reviews)} reviews); a good DataVolume afterwards {time.monotonic() - began:.2f} s; "
            f"load {os.getloadavg()[0]:.1f}"
        )
    assert max(reviews) < MOST_BEFORE_S
    assert spent < MOST_S
    # Of a machine that does much else the API server may give up what it has begun; wrong it answers none.
    assert {item for item, _ in answers} <= {0, 400, 413, 422, 429, 500, 504}
    assert status in (201, 429, 504) or status == 0, said
    assert all(len(text) < 10_000 for _, text in answers)
