"""A hundred of the largest objects at once: each gets its answer, and a good DataVolume beside them is admitted."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
import yaml
from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.manifests import datavolume, http, storage
from support.webhooks import Process

from cdi.kube import config
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.kube.errors import ApiError
from cdi.kube.resources import CUSTOM_RESOURCES, NAMESPACES

REPOSITORY = Path(__file__).parents[3]
LARGE = 2_900_000  # bytes; the API server takes 3 MiB
AT_ONCE = 100
# CPU seconds: ten times what was seen. A parser that backtracks takes minutes for one of these.
MOST_BEFORE_S, MOST_AT_ONCE_S, MOST_S = 1.0, 12.0, 60.0


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


@dataclass(frozen=True)
class Outcome:
    """Of a flood: what each of the large ones was answered, what the good one beside them, and seconds of wall time."""

    answers: list[tuple[int, str]]
    good: tuple[int, str]
    good_s: float
    took_s: float

    def __str__(self) -> str:
        given_up = sum(status == 0 or status >= 504 for status, _ in self.answers)
        good = f"a good one {self.good[0]} in {self.good_s:.2f} s"
        return f"{self.took_s:.1f} s, {given_up} given up by the API server, {good}"


async def flood(access: Access, namespace: str) -> Outcome:
    async with Client(access) as client, Client(access) as other:
        began = time.monotonic()
        all_of_them = asyncio.gather(*(answer(client, namespace, large(number)) for number in range(AT_ONCE)))
        await asyncio.sleep(0)  # they are on their way
        found = await answer(other, namespace, good(0))
        good_s = time.monotonic() - began
        return Outcome(await all_of_them, found, good_s, time.monotonic() - began)


def review_of(body: dict[str, Any], namespace: str) -> bytes:
    request = {"uid": "1", "operation": "CREATE", "namespace": namespace, "object": body}
    request |= {"resource": {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"}}
    return msgspec.json.encode({"apiVersion": "admission.k8s.io/v1", "request": request})


async def is_allowed(session: aiohttp.ClientSession, process: Process, review: bytes) -> bool:
    kind = {"Content-Type": "application/json"}
    url = f"{process.url}/datavolume-validate"
    async with session.post(url, data=review, headers=kind, ssl=False) as response:
        return bool((await response.json())["response"]["allowed"])


async def cpu_before_good_answers(
    session: aiohttp.ClientSession, process: Process, namespace: str, until: Sequence[asyncio.Future[Any]]
) -> list[float]:
    """Seconds of CPU that the process spends on whatever else before it answers a good review, each: the machine's load
    is not in them."""
    found, review = [], review_of(good(0), namespace)
    while not all(task.done() for task in until):
        before = cpu_s(process.pid)
        assert await is_allowed(session, process, review)
        found.append(cpu_s(process.pid) - before)
        await asyncio.wait(until, timeout=0.5)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # it is what is tried
@asynchronous
async def test_a_hundred_of_the_largest_reviews_at_once_are_little_work(process: Process, namespace: str) -> None:
    """Of our server alone: a good review behind all of them waits for no more than that."""
    reviews = [review_of(large(number), namespace) for number in range(AT_ONCE)]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        before = cpu_s(process.pid)
        many = [asyncio.create_task(is_allowed(session, process, review)) for review in reviews]
        spent = await cpu_before_good_answers(session, process, namespace, many)
        allowed = await asyncio.gather(*many)
        total = cpu_s(process.pid) - before
    assert max(spent) <= total < MOST_AT_ONCE_S
    assert not any(allowed[number] for number in range(AT_ONCE) if number % 5 < 2)  # what is no size


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
@asynchronous
async def test_a_flood_through_the_api_server_and_one_without_our_webhooks(
    api: ApiServer, process: Process, namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the API server does with such a flood by itself is seen beside it, not judged."""
    bodies = [len(msgspec.json.encode(large(number))) for number in range(AT_ONCE)]
    assert all(LARGE * 0.9 < size < 3 << 20 for size in bodies)
    with ApiServer(tmp_path / "bare") as bare:
        access = config.load(str(bare.kubeconfig()))
        async with Client(access) as client:
            for kind in yaml.safe_load_all((REPOSITORY / "deploy/crds.yaml").read_text()):
                await client.create(CUSTOM_RESOURCES, kind)
            await client.create(NAMESPACES, {"metadata": {"name": namespace}})
            await until_served(client, namespace)
        alone = await flood(access, namespace)

    before = cpu_s(process.pid)
    access = config.load(str(api.kubeconfig()))
    async with aiohttp.ClientSession() as session:
        flooding = asyncio.create_task(flood(access, namespace))
        reviews = await cpu_before_good_answers(session, process, namespace, [flooding])
        ours = await flooding
    spent = cpu_s(process.pid) - before
    async with Client(access) as client:
        assert await answer(client, namespace, good(1)) == (201, "")
    with capsys.disabled():
        print(f"\n{AT_ONCE} objects of {LARGE:,} bytes at once, load {os.getloadavg()[0]:.1f}:")
        print(f"without our webhooks: {alone}\nwith them: {ours}; {spent:.2f} s of CPU of cdi-apiserver,")
        print(f"{max(reviews):.2f} s at most before a good review is answered ({len(reviews)} reviews)")
    assert max(reviews) < MOST_BEFORE_S
    assert spent < MOST_S
    # Of a machine that does much else the API server may give up what it has begun; wrong it answers none.
    assert {status for status, _ in ours.answers} <= {0, 400, 413, 422, 429, 500, 504}
    assert ours.good[0] in (0, 201, 429, 504), ours.good[1]
    assert all(len(text) < 10_000 for _, text in ours.answers)


async def until_served(client: Client, namespace: str) -> None:
    for _ in range(600):
        if (await answer(client, namespace, good(9)))[0] == 201:
            return
        await asyncio.sleep(0.1)  # a new resource has no event
    pytest.fail("DataVolumes are not served")
