from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator

import pytest
from support.apiserver import ApiServer
from support.webhooks import Kubectl, Process, install


@pytest.fixture(scope="module")
def kubectl(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(api, tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="module")
def process(api: ApiServer, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Installed and running."""
    made = Process(api, kubectl, tmp_path_factory.mktemp("process"))
    install(kubectl, made.url)
    with made:
        yield made


@pytest.fixture(scope="module")
def configure(kubectl: Kubectl) -> Callable[..., None]:
    config = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDIConfig", "metadata": {"name": "config"}, "spec": {}}
    kubectl.done("create", "-f", "-", objects=config)

    def patched(**spec: object) -> None:
        kubectl.done("patch", "cdiconfig", "config", "--type=merge", "-p", json.dumps({"spec": spec}))

    return patched


_numbers = itertools.count()


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    name = f"team-{next(_numbers)}"
    kubectl.done("create", "namespace", name)
    return name
