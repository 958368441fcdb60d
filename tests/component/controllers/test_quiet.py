"""The controller process against a real API server without nodes: many DataVolumes that wait for a consumer."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apiserver import ApiServer
from support.asynchronous import asynchronous, until

from cdi.kube import cdi_resources as ours
from cdi.kube.cache import Cache
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CLAIMS, CSI_DRIVERS, CUSTOM_RESOURCES, NAMESPACES, PODS, STORAGE_CLASSES
from cdi.kube.store import Store

REPOSITORY = Path(__file__).parents[3]
MEMORY_LIMIT = 300 << 20  # of the controller, with 10,000 DataVolumes
AT_ONCE = 16  # DataVolumes created side by side
DRIVER = "rook-ceph.rbd.csi.ceph.com"


async def install(client: Client) -> None:
    for kind in yaml.safe_load_all((REPOSITORY / "deploy/crds.yaml").read_text()):
        await client.create(CUSTOM_RESOURCES, kind)
    for namespace in ("cdi", "vms"):
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
    await client.create(CSI_DRIVERS, {"metadata": {"name": DRIVER}, "spec": {"attachRequired": False}})
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    late = {"provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer"}
    await client.create(STORAGE_CLASSES, {"metadata": {"name": "late", "annotations": default}, **late})


@contextmanager
def controller(kubeconfig: Path, log: Path) -> Iterator[int]:
    """Its process id."""
    command = [sys.executable, "-m", "cdi.controllers.process", "--kubeconfig", str(kubeconfig)]
    command += ["--health-port", "0", "--metrics-port", "0"]
    environ = {**os.environ, "POD_NAMESPACE": "cdi", "IMPORTER_IMAGE": "cdi:test"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, cwd=REPOSITORY, stdout=output, stderr=output)
    try:
        yield process.pid
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(30)


def data_volume(number: int) -> dict[str, Any]:
    source = {"http": {"url": f"http://192.0.2.1/{number}.qcow2"}}
    spec = {"source": source, "storage": {"resources": {"requests": {"storage": "1Gi"}}}}
    return {"metadata": {"name": f"disk-{number}", "namespace": "vms"}, "spec": spec}


def all_wait(store: Store[Any], number: int) -> bool:
    return len(store) == number and all(each.status.phase == "PendingPopulation" for each in store.all())


def versions(*stores: Store[Any]) -> list[dict[Any, str]]:
    return [dict(store._versions) for store in stores]


def peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


async def create(client: Client, numbers: Iterable[int]) -> None:
    async def some() -> None:
        for number in left:
            await client.create(ours.DATA_VOLUMES, data_volume(number))

    left = iter(numbers)
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [200, 10_000])
@asynchronous
async def test_waiting_data_volumes_cost_no_writes_also_after_the_api_server_was_killed(
    tmp_path: Path, number: int
) -> None:
    with ApiServer(tmp_path / "api") as api:
        kubeconfig = api.kubeconfig()
        async with Client(load(str(kubeconfig))) as client:
            await install(client)
            with controller(kubeconfig, tmp_path / "log") as pid:
                cache = Cache(client)
                volumes, claims = cache.store(ours.DATA_VOLUMES), cache.store(CLAIMS)
                configs, profiles = cache.store(ours.CDI_CONFIGS), cache.store(ours.STORAGE_PROFILES)
                watching = asyncio.create_task(cache.run())
                await until(lambda: any(each.spec.feature_gates for each in configs.all()) and len(profiles) == 1)
                await create(client, range(number))
                await until(lambda: all_wait(volumes, number), 300)

                await asyncio.sleep(2)  # what follows the last status
                before = versions(volumes, claims)
                api.kill()
                api.start()
                async with Client(load(str(kubeconfig))) as fresh:
                    await fresh.create(ours.DATA_VOLUMES, data_volume(number))
                await until(lambda: all_wait(volumes, number + 1), 60)

                after = versions(volumes, claims)
                changed = [key for old, new in zip(before, after, strict=True) for key in old if new[key] != old[key]]
                assert changed == []
                assert await client.list(PODS) == []
                assert peak_memory(pid) < MEMORY_LIMIT
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
