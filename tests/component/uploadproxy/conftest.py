from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.controller import install
from support.receiver import Conduct, Receiver
from support.sessions import Holder
from support.uploadproxy import Claims, Installed, ProxyProcess, Trust
from support.webhooks import Kubectl

_numbers = itertools.count()


@pytest.fixture(scope="module")
def kubectl(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    made = Kubectl(api, tmp_path_factory.mktemp("kubectl"))
    install(made)
    return made


@pytest.fixture(scope="module")
def trust(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Trust:
    made = Trust(tmp_path_factory.mktemp("trust"))
    made.publish(kubectl)
    return made


@pytest.fixture(scope="module")
def _receiver(trust: Trust) -> Iterator[Receiver]:
    # One for all upload servers of the module; the name of each is the first label's.
    with Receiver(trust.servers, trust.clients, "DNS:*.uploads.svc") as made:
        yield made


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.conduct = Conduct()
    _receiver.taken.clear()
    return _receiver


@pytest.fixture(scope="module")
def proxy(api: ApiServer, kubectl: Kubectl, trust: Trust, _receiver: Receiver) -> Iterator[ProxyProcess]:
    with ProxyProcess(api, kubectl, trust, _receiver.port) as made:
        yield made


@pytest.fixture(scope="module")
def claims(kubectl: Kubectl) -> Claims:
    kubectl.done("create", "namespace", "uploads")
    return Claims(kubectl, "uploads")


@pytest.fixture
def name() -> str:
    return f"disk-{next(_numbers)}"


@pytest.fixture(scope="module")
def installed(trust: Trust) -> Installed:
    return Installed(trust)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume" / "disk.img"


@pytest.fixture
def holder(trust: Trust, claims: Claims, name: str) -> Holder:
    return Holder(("uploads", name, claims.make(name)), trust.keys)
