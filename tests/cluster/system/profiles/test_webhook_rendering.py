"""Claims that ask for it are completed by the webhook, whoever makes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.kinds import Cluster, Namespace, Object, Refused, condition
from support.manifests import datavolume, storage, storage_class

ASKS = {"cdi.kubevirt.io/applyStorageProfile": "true"}
MISSING = "PVC spec is missing accessMode and no storageClass to choose profile"
KNOWN = "rook-ceph.rbd.csi.ceph.com"  # its profile begins with ReadWriteMany, Block


def _claim(size: str, class_name: str | None, **spec: object) -> Object:
    metadata = {"name": "disk", "labels": ASKS}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
    return {**kind, "spec": storage(size, class_name, **spec)}


@pytest.fixture
def known_class(kinds: Cluster, new_class: str) -> str:
    kinds.create(storage_class(new_class, KNOWN))
    kinds.wait("StorageProfile", new_class, lambda found: bool(found.get("status", {}).get("claimPropertySets")))
    return new_class


def test_a_claim_gets_what_it_leaves_out(space: Namespace, known_class: str) -> None:
    # Without any mode the API server itself puts Filesystem there before a webhook is asked.
    spec = space.create(_claim("100Mi", known_class, volumeMode="FromStorageProfile"))["spec"]
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteMany"], "Block")
    assert spec["resources"]["requests"]["storage"] == "104857600"


def test_a_filesystem_gets_room_for_itself(space: Namespace, known_class: str) -> None:
    spec = space.create(_claim("500Mi", known_class, volumeMode="Filesystem"))["spec"]
    assert spec["accessModes"] == ["ReadWriteOnce"]
    assert spec["resources"]["requests"]["storage"] == "555745280"


def test_a_claim_without_a_class_gets_the_default_one(space: Namespace) -> None:
    assert space.create(_claim("64Mi", None))["spec"]["storageClassName"] == "csi"


def test_what_cannot_be_completed_is_refused(space: Namespace) -> None:
    with pytest.raises(Refused, match=MISSING):
        space.create(_claim("64Mi", "nobody-has-it"))
    assert space.find("PersistentVolumeClaim", "disk") is None


def test_a_claim_that_does_not_ask_is_left_as_it_is(space: Namespace) -> None:
    asks = _claim("64Mi", "nobody-has-it")
    with pytest.raises(Refused, match="at least 1 access mode is required"):
        space.create({**asks, "metadata": {"name": "disk"}})


def test_a_datavolume_that_asks_waits_for_its_class(kinds: Cluster, space: Namespace, new_class: str) -> None:
    space.create(datavolume("disk", {"blank": {}}, labels=ASKS, storage=storage("64Mi", new_class)))
    assert "No PVC found" in space.wait_event("disk", "NotFound")
    assert MISSING in space.wait_event("disk", "ErrClaimNotValid")
    held = space.get("DataVolume", "disk")
    assert condition(held, "Bound")["reason"] == "NotFound"
    assert (condition(held, "Ready")["status"], condition(held, "Ready").get("reason", "")) == ("False", "")
    assert space.find("PersistentVolumeClaim", "disk") is None

    kinds.create(storage_class(new_class, KNOWN))
    spec = space.wait("PersistentVolumeClaim", "disk", lambda _: True)["spec"]
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteMany"], "Block")


@pytest.mark.parametrize("of_no_class", [False, True], ids=["named", "empty"])
def test_a_datavolume_that_asks_waits_for_a_volume(
    space: Namespace, new_class: str, volume_of: Callable[[str], None], of_no_class: bool
) -> None:
    name = "" if of_no_class else new_class
    space.create(datavolume("disk", {"blank": {}}, labels=ASKS, storage=storage("64Mi", storageClassName=name)))
    assert "No PVC found" in space.wait_event("disk", "NotFound")
    assert MISSING in space.wait_event("disk", "ErrClaimNotValid")
    assert space.find("PersistentVolumeClaim", "disk") is None

    volume_of(name)
    spec = space.wait("PersistentVolumeClaim", "disk", lambda _: True)["spec"]
    assert (spec["accessModes"], spec["volumeMode"], spec["storageClassName"]) == (["ReadOnlyMany"], "Block", name)


@pytest.mark.alone
def test_a_datavolume_that_asks_waits_for_its_profile(
    kinds: Cluster, space: Namespace, new_class: str, configure: Callable[[Object], None]
) -> None:
    configure({"featureGates": ["HonorWaitForFirstConsumer"]})
    kinds.create(storage_class(new_class, "nobody.example.org/knows"))
    kinds.wait("StorageProfile", new_class, lambda found: "status" in found)
    space.create(datavolume("disk", {"blank": {}}, labels=ASKS, storage=storage("64Mi", new_class)))
    assert "No PVC found" in space.wait_event("disk", "NotFound")
    sets = [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}]
    kinds.patch("StorageProfile", new_class, {"spec": {"claimPropertySets": sets}})
    spec = space.wait("PersistentVolumeClaim", "disk", lambda _: True)["spec"]
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteOnce"], "Block")


def test_a_datavolume_that_asks_is_filled(space: Namespace) -> None:
    space.create(datavolume("disk", {"blank": {}}, labels=ASKS, storage=storage("64Mi", "csi")))
    space.wait_phase("disk", "Succeeded")
    assert space.get("PersistentVolumeClaim", "disk")["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.alone
def test_rendering_that_is_switched_off_is_left_to_the_controller(
    space: Namespace, configure: Callable[[Object], None]
) -> None:
    configure({"webhookPvcRendering": "Disabled"})
    with pytest.raises(Refused, match="at least 1 access mode is required"):
        space.create(_claim("64Mi", "csi"))
    space.create(datavolume("disk", {"blank": {}}, labels=ASKS, storage=storage("64Mi", "csi")))
    space.wait_phase("disk", "Succeeded")
