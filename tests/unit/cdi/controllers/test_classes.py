from __future__ import annotations

import msgspec
import pytest

from cdi.api.storageprofile import MINIMUM_SIZE, StorageProfile
from cdi.controllers.classes import is_assumed, profile
from cdi.controllers.cluster import DEFAULT_CLAIM_PROPERTIES, Cluster


@pytest.mark.parametrize(("said", "size"), [("4Gi", 4 << 30), ("10 GB", 0), ("", 0)])
def test_a_minimum_that_is_no_size_stops_no_volume(said: str, size: int) -> None:
    document = {"metadata": {"name": "fast", "annotations": {MINIMUM_SIZE: said}}, "status": {"provisioner": "x"}}
    assert profile(msgspec.convert(document, StorageProfile), Cluster()).minimum_size == size


@pytest.mark.parametrize(
    ("provisioner", "assumed"), [("csi.test", True), ("kubernetes.io/no-provisioner", False), ("", False)]
)
def test_of_volumes_that_people_make_nothing_is_assumed(provisioner: str, assumed: bool) -> None:
    document = {"metadata": {"name": "manual"}, "status": {"provisioner": provisioner}}
    gate = Cluster(gates=frozenset({DEFAULT_CLAIM_PROPERTIES}))
    assert is_assumed(msgspec.convert(document, StorageProfile), gate) is assumed
