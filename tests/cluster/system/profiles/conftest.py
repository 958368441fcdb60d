"""Storage classes and volumes of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.kinds import Cluster, Namespace, Object


@pytest.fixture
def new_class(kinds: Cluster, space: Namespace) -> Iterator[str]:
    """The name of a class of this test, which the test may create."""
    name = f"class-{space.name}"
    yield name
    kinds.delete("StorageClass", name)


@pytest.fixture
def volume_of(kinds: Cluster, space: Namespace) -> Iterator[Callable[[str], None]]:
    """Makes a volume of a class, kept for the claim ``disk``, ReadOnlyMany and Block."""
    name = f"by-hand-{space.name}"

    def made(class_name: str) -> None:
        spec: Object = {"accessModes": ["ReadOnlyMany"], "volumeMode": "Block", "capacity": {"storage": "1Gi"}}
        spec |= {"storageClassName": class_name, "claimRef": {"namespace": space.name, "name": "disk"}}
        somewhere = {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [somewhere]}}
        spec |= {"local": {"path": f"/dev/{name}"}, "persistentVolumeReclaimPolicy": "Retain"}
        kinds.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})

    yield made
    kinds.delete("PersistentVolume", name)
