from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer

from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.resources import CUSTOM_RESOURCES, NAMESPACES

# Just enough of ours: `make crds` and its tests are about the real one.
_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_DATA_VOLUMES = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "datavolumes.cdi.kubevirt.io"},
    "spec": {
        "group": "cdi.kubevirt.io",
        "scope": "Namespaced",
        "names": {"kind": "DataVolume", "plural": "datavolumes", "singular": "datavolume"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": _ANYTHING},
            }
        ],
    },
}


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tmp_path_factory.mktemp("api")) as server:
        asyncio.run(_install(server))
        yield server


async def _install(server: ApiServer) -> None:
    async with Client(load(str(server.kubeconfig()))) as client:
        await client.create(CUSTOM_RESOURCES, _DATA_VOLUMES)
        async with asyncio.timeout(30):
            while True:
                found = await client.get(CUSTOM_RESOURCES, "datavolumes.cdi.kubevirt.io")
                if any(c.type == "Established" and c.status == "True" for c in found.status.conditions):
                    return
                await asyncio.sleep(0.02)  # one object, once: not worth a watch


_numbers = itertools.count()


@pytest.fixture
def client(api: ApiServer) -> Client:
    """Not open yet: the test does that on its own event loop."""
    return Client(load(str(api.kubeconfig())))


@pytest.fixture
def namespace(api: ApiServer) -> str:
    name = f"test-{next(_numbers)}"

    async def create() -> None:
        async with Client(load(str(api.kubeconfig()))) as client:
            await client.create(NAMESPACES, {"metadata": {"name": name}})

    asyncio.run(create())
    return name
