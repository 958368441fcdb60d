from __future__ import annotations

import itertools
from collections.abc import Iterator

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


_numbers = itertools.count()


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    name = f"team-{next(_numbers)}"
    kubectl.done("create", "namespace", name)
    return name
