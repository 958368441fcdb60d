"""The system as ``make install`` brings it, and objects by kind and name."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import support.cluster
from support.corpus import Corpus, build_corpus
from support.kinds import Cluster, Namespace, Object
from support.nginx import Nginx

from tests.cluster.bed import bed, place


@pytest.fixture(scope="session")
def installed(cluster: support.cluster.Cluster) -> support.cluster.Cluster:
    """The cluster with this clone's system in it. On a cluster of somebody's own it is there already."""
    if not os.environ.get("CDI_TEST_KUBECONFIG"):
        bed.install(alone=bed.is_free())
    return cluster


@pytest.fixture(scope="session")
def host(cluster: support.cluster.Cluster) -> str:
    """Where the servers of the tests listen: an address of this machine that pods reach."""
    return cluster.address


@pytest.fixture(scope="session")
def kinds(installed: support.cluster.Cluster) -> Cluster:
    return Cluster(installed.client)


@pytest.fixture
def space(kinds: Cluster, namespace: support.cluster.Namespace) -> Namespace:
    """A new namespace that takes only restricted pods."""
    return Namespace(kinds, namespace.name)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return build_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def web(corpus: Corpus, host: str) -> Iterator[Nginx]:
    with Nginx(corpus.files, host) as server:
        yield server


@pytest.fixture
def configured(kinds: Cluster) -> Iterator[Object]:
    """The config of the CDI object; what a test changes of it goes back afterwards. One at a time on a bed: what
    another run has changed for a moment must not be taken for what was there before."""
    with Path(f"/run/lock/{place.NAME}-config.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = kinds.get("CDI", "cdi")["spec"]["config"]
        yield before
        after = kinds.get("CDI", "cdi")["spec"]["config"]
        kinds.patch("CDI", "cdi", {"spec": {"config": {**dict.fromkeys(after), **before}}})
        kinds.wait("CDIConfig", "config", lambda found: _said(found["spec"]) == _said(before))


@pytest.fixture
def supervised() -> Iterator[None]:
    """For tests that kill the API server: what ends because of it is started again."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(1):
            bed.revive()

    thread = threading.Thread(target=look, name="supervisor")
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def configure(configured: Object, kinds: Cluster) -> Callable[[Object], None]:
    """Changes members of the config, and waits until all can see it; None takes one away."""

    def change(members: Object) -> None:
        wanted = kinds.patch("CDI", "cdi", {"spec": {"config": members}})["spec"]["config"]
        kinds.wait("CDIConfig", "config", lambda found: _said(found["spec"]) == _said(wanted))

    return change


def _said(config: Object) -> Object:
    return {key: value for key, value in config.items() if value}
