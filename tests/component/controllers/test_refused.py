"""What a quota refuses, against a real API server: how many requests it costs while it waits, and that it begins when
there is room. (Nothing counts what a quota has used here: the test says it, as the quota's controller would.)"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer
from support.asynchronous import until

from cdi.contract import annotations as a
from cdi.kube import cdi_resources as ours
from cdi.kube.cache import Cache
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CLAIMS, CUSTOM_RESOURCES, NAMESPACES, PODS, RESOURCE_QUOTAS, STORAGE_CLASSES
from cdi.kube.store import Store

REPOSITORY = Path(__file__).parents[3]
PER_S = 50  # requests of all kinds together
WINDOW_S = 15
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>.*)\} (?P<count>\S+)$", re.MULTILINE)


def claim(number: int) -> dict[str, Any]:
    """One that asks for an import without waiting for a consumer."""
    asks = {a.SOURCE: "http", a.ENDPOINT: f"http://192.0.2.1/{number}.img", a.IMMEDIATE: "true"}
    metadata = {"name": f"disk-{number}", "namespace": "vms", "annotations": asks}
    resources = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "late", "resources": resources}
    return {"metadata": metadata, "spec": spec}


def data_volume(number: int) -> dict[str, Any]:
    resources = {"requests": {"storage": "1Gi"}}
    pvc = {"accessModes": ["ReadWriteOnce"], "storageClassName": "late", "resources": resources}
    spec = {"source": {"http": {"url": f"http://192.0.2.1/{number}.img"}}, "pvc": pvc}
    return {"metadata": {"name": f"disk-{number}", "namespace": "vms"}, "spec": spec}


def worker_is_refused(item: Any) -> bool:
    annotations = item.metadata.annotations
    return annotations.get(a.RUNNING_REASON) == "ErrExceededQuota" and annotations.get(a.POD_PHASE) == "Failed"


def claim_is_refused(item: Any) -> bool:
    return any((each.type, each.reason) == ("Bound", "ErrExceededQuota") for each in item.status.conditions)


@dataclass(frozen=True)
class Case:
    """What is made, how it looks when it is refused, and what the quota counts: of which all are made in the end."""

    asked: Any
    body: Callable[[int], dict[str, Any]]
    is_refused: Callable[[Any], bool]
    counted: Any


CASES = {
    "workers": Case(CLAIMS, claim, worker_is_refused, PODS),
    "claims": Case(ours.DATA_VOLUMES, data_volume, claim_is_refused, CLAIMS),
}


class Cluster:
    def __init__(self, client: Client, cache: Cache, case: Case) -> None:
        self.client = client
        self.case = case
        self.configs = cache.store(ours.CDI_CONFIGS)
        self.asked: Store[Any] = cache.store(case.asked)
        self.made: Store[Any] = cache.store(case.counted)

    async def install(self) -> None:
        for kind in yaml.safe_load_all((REPOSITORY / "deploy/crds.yaml").read_text()):
            await self.client.create(CUSTOM_RESOURCES, kind)
        for namespace in ("cdi", "vms"):
            await self.client.create(NAMESPACES, {"metadata": {"name": namespace}})
        late = {"provisioner": "csi.test", "volumeBindingMode": "WaitForFirstConsumer"}
        await self.client.create(STORAGE_CLASSES, {"metadata": {"name": "late"}, **late})
        hard = {self.case.counted.plural: "0"}
        await self.client.create(
            RESOURCE_QUOTAS, {"metadata": {"name": "small", "namespace": "vms"}, "spec": {"hard": hard}}
        )
        await self.allow(0)

    async def allow(self, number: int) -> None:
        name = self.case.counted.plural
        status = {"hard": {name: str(number)}, "used": {name: str(len(self.made))}}
        spec = {"hard": {name: str(number)}}
        await self.client.merge_patch(RESOURCE_QUOTAS, "small", {"spec": spec}, namespace="vms")
        await self.client.merge_patch(
            RESOURCE_QUOTAS, "small", {"status": status}, namespace="vms", subresource="status"
        )

    async def create(self, number: int) -> None:
        async def some() -> None:
            for index in left:
                await self.client.create(self.case.asked, self.case.body(index))

        left = iter(range(number))
        await asyncio.gather(*(some() for _ in range(16)))

    def refused(self) -> int:
        return sum(map(self.case.is_refused, self.asked.all()))

    async def requests(self) -> tuple[int, int]:
        """Of all kinds but watches; and of those that create what the quota counts."""
        every = created = 0
        for found in _REQUESTS.finditer((await self.client.get_raw("/metrics")).decode()):
            labels, count = found["labels"], int(float(found["count"]))
            if 'verb="WATCH"' not in labels:
                every += count
            if f'resource="{self.case.counted.plural}"' in labels and 'verb="POST"' in labels:
                created += count
        return every, created


@contextmanager
def controller(kubeconfig: Path, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "cdi.controllers.process", "--kubeconfig", str(kubeconfig)]
    command += ["--health-port", "0", "--metrics-port", "0"]
    environ = {**os.environ, "POD_NAMESPACE": "cdi", "IMPORTER_IMAGE": "cdi:test"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(30)


@asynccontextmanager
async def cluster(folder: Path, case: Case) -> AsyncIterator[Cluster]:
    with ApiServer(folder / "api") as api:
        kubeconfig = api.kubeconfig()
        async with Client(load(str(kubeconfig))) as client:
            cache = Cache(client)
            made = Cluster(client, cache, case)
            await made.install()
            watching = asyncio.create_task(cache.run())
            try:
                with controller(kubeconfig, folder / "log"):
                    await until(lambda: any(each.status.filesystem_overhead for each in made.configs.all()), 60)
                    yield made
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "number"), [("workers", 60), ("claims", 60), ("workers", 10_000), ("claims", 10_000)])
def test_what_is_refused_costs_few_requests_and_begins_when_there_is_room(
    tmp_path: Path, kind: str, number: int
) -> None:
    async def test() -> None:
        async with cluster(tmp_path, CASES[kind]) as found:
            await found.create(number)
            await until(lambda: found.refused() == number, 600)
            before, since = await found.requests(), time.monotonic()
            versions = {item.metadata.name: item.metadata.resource_version for item in found.asked.all()}
            assert before[1] >= number

            await asyncio.sleep(WINDOW_S)
            after, lasted_s = await found.requests(), time.monotonic() - since
            assert (after[0] - before[0]) / lasted_s < PER_S
            assert 0 < (after[1] - before[1]) / lasted_s < PER_S / 2
            assert versions == {item.metadata.name: item.metadata.resource_version for item in found.asked.all()}

            room = min(number, 100)
            await found.allow(room)
            await until(lambda: len(found.made) == room, 60)

    asyncio.run(test())
