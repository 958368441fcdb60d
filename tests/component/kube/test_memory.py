"""10,000 DataVolumes and their claims in one process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from support.apiserver import ApiServer
from support.asynchronous import asynchronous

from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client
from cdi.kube.resources import CLAIMS, Resource

NUMBER = 10_000
LIMIT_MIB = 200  # of the 300 MiB that the controller may have in all

# Prints how many objects the stores have, and the process' peak in KiB.
READER = r"""
import asyncio, re, sys
from pathlib import Path
from cdi.kube.cache import Cache
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CLAIMS

async def main():
    async with Client(load(sys.argv[1])) as client:
        cache = Cache(client)
        stores = [cache.store(each, namespace=sys.argv[2]) for each in (DATA_VOLUMES, CLAIMS)]
        running = asyncio.create_task(cache.run())
        await cache.synced()
        # Not ru_maxrss: that begins with the peak of whoever started this process.
        print(*map(len, stores), re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

asyncio.run(main())
"""


def data_volume(number: int, namespace: str) -> dict[str, Any]:
    http = {"url": f"https://images.example.com/disk-{number}.qcow2", "checksum": "sha256:" + "ab" * 32}
    condition = {"status": "False", "reason": "Pending", "message": "PVC disk Pending", "lastTransitionTime": "2026"}
    owner = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": f"vm-{number}", "uid": f"{number:036}"}
    return {
        "metadata": {
            "name": f"disk-{number}",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/component": "storage", "vm": f"vm-{number}"},
            "annotations": {"cdi.kubevirt.io/storage.usePopulator": "true"},
            "ownerReferences": [owner],
        },
        "spec": {"source": {"http": http}, "storage": {"resources": {"requests": {"storage": "30Gi"}}}},
        "status": {
            "phase": "PendingPopulation",
            "progress": "N/A",
            "conditions": [{"type": each, **condition} for each in ("Ready", "Bound", "Running")],
        },
    }


def claim(number: int, namespace: str) -> dict[str, Any]:
    kind = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": f"volume-import-source-{number}"}
    marks = {f"cdi.kubevirt.io/storage.{name}": f"value {number}" for name in ("pod.phase", "import.source", "size")}
    owner = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "disk", "uid": f"{number:036}"}
    return {
        "metadata": {
            "name": f"disk-{number}",
            "namespace": namespace,
            "annotations": marks,
            "ownerReferences": [owner],
        },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "30Gi"}},
            "storageClassName": "csi-wffc",
            "volumeMode": "Block",
            "dataSourceRef": kind,
        },
    }


@pytest.mark.slow
@asynchronous
async def test_ten_thousand_data_volumes_are_small(api: ApiServer, client: Client, namespace: str) -> None:
    numbers = iter(range(NUMBER))

    async def create() -> None:
        pairs: list[tuple[Resource[Any], Any]] = [(DATA_VOLUMES, data_volume), (CLAIMS, claim)]
        for number in numbers:
            for resource, body in pairs:
                await client.create(resource, body(number, namespace))

    async with client:
        await asyncio.gather(*(create() for _ in range(8)))
    reader = [sys.executable, "-c", READER, str(api.kubeconfig()), namespace]
    answer = await asyncio.to_thread(subprocess.run, reader, check=True, capture_output=True, text=True)
    volumes, claims, peak_kib = map(int, answer.stdout.split())
    assert (volumes, claims) == (NUMBER, NUMBER)
    assert peak_kib < LIMIT_MIB * 1024
