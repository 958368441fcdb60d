"""Tests on a real cluster: the bed (``make cluster-up``), or the one that CDI_TEST_KUBECONFIG names.

The bed's API server and pods are in a network namespace. Each test here runs inside it, from the set-up of its
fixtures to their end: what it starts is there too, and nothing outside can be reached. Other tests of the same process
run outside. Hence servers of these tests are fixtures of this directory, listening on ``cluster.address``.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from support.cluster import Cluster, Namespace

from tests.cluster.bed import bed, netns, place, storage

_OTHER = os.environ.get("CDI_TEST_KUBECONFIG")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if _OTHER or not netns.PATH.exists():
        return (yield)
    with netns.entered():
        return (yield)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if _OTHER:
        return _other(Path(_OTHER))
    if os.geteuid() != 0:
        pytest.skip("the bed needs root: network namespaces, mounts, containers")
    if not bed.is_up():
        remedy = "make cluster-up, or CDI_TEST_KUBECONFIG=path of another cluster"
        pytest.fail(f"the test cluster is not up (not running: {', '.join(bed.dead())}): {remedy}", pytrace=False)
    return Cluster(place.KUBECONFIG, place.NODE_ADDRESS)


def _other(kubeconfig: Path) -> Cluster:
    """The address of ours that packets to its API server come from is one that its pods may know a way to."""
    server = urlsplit(Cluster(kubeconfig, "").client.configuration.host)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname, server.port or 443))  # sends nothing
        return Cluster(kubeconfig, probe.getsockname()[0])


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A new one that takes only restricted pods; ready for them."""
    name = f"test-{secrets.token_hex(4)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    try:
        made = Namespace(cluster, name)
        # Pods are refused before their service account is there.
        cluster.wait(made.path("serviceaccounts", "default"), lambda _: True)
        yield made
    finally:
        cluster.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def static_volume(cluster: Cluster, namespace: Namespace) -> Iterator[Callable[[Literal["Filesystem", "Block"]], str]]:
    """Makes a volume of 1 GiB of class ``manual``; the name is for a claim's ``volumeName``. It goes after the test."""
    if _OTHER:
        pytest.skip("a static volume is a directory or device of the node, which only the bed's tests can make")
    made: list[str] = []

    def make(mode: Literal["Filesystem", "Block"]) -> str:
        name = f"{namespace.name}-{len(made)}"
        storage.static_volume(name, 1 << 30, mode)
        made.append(name)
        return name

    yield make
    # Its claims go first: a volume in use stays.
    cluster.kubectl("delete", "pods,persistentvolumeclaims", "--all", "-n", namespace.name, "--wait")
    for name in made:
        storage.remove_static_volume(name)
