"""How a claim comes out of ``spec.storage`` and the profile of its class."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.kinds import Cluster, Namespace, Object, condition
from support.manifests import claim, datavolume, storage, storage_class

BLANK = {"blank": {}}


def _claim_of(space: Namespace, name: str = "disk") -> Object:
    return space.wait("PersistentVolumeClaim", name, lambda _: True)


def test_modes_come_from_the_profile(kinds: Cluster, space: Namespace, new_class: str) -> None:
    kinds.create(storage_class(new_class, "rook-ceph.rbd.csi.ceph.com"))
    kinds.wait("StorageProfile", new_class, lambda found: bool(found.get("status", {}).get("claimPropertySets")))
    space.create(datavolume("disk", BLANK, storage=storage("1Gi", new_class)))
    spec = _claim_of(space)["spec"]
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteMany"], "Block")
    assert spec["resources"]["requests"]["storage"] == "1Gi"


def test_a_mode_that_is_given_stays(kinds: Cluster, space: Namespace, new_class: str) -> None:
    kinds.create(storage_class(new_class, "rook-ceph.rbd.csi.ceph.com"))
    kinds.wait("StorageProfile", new_class, lambda found: bool(found.get("status", {}).get("claimPropertySets")))
    space.create(datavolume("once", BLANK, storage=storage("1Gi", new_class, accessModes=["ReadWriteOnce"])))
    space.create(datavolume("file", BLANK, storage=storage("1Gi", new_class, volumeMode="Filesystem")))
    once, file = _claim_of(space, "once")["spec"], _claim_of(space, "file")["spec"]
    assert (once["accessModes"], once["volumeMode"]) == (["ReadWriteOnce"], "Block")
    assert (file["accessModes"], file["volumeMode"]) == (["ReadWriteOnce"], "Filesystem")


def test_a_filesystem_gets_room_for_itself_and_a_device_does_not(space: Namespace) -> None:
    space.create(datavolume("file", BLANK, storage=storage("500Mi", "csi", volumeMode="Filesystem")))
    space.create(datavolume("device", BLANK, storage=storage("500Mi", "csi", volumeMode="Block")))
    space.create(datavolume("literal", BLANK, pvc=claim("500Mi", "csi")))
    assert _claim_of(space, "file")["spec"]["resources"]["requests"]["storage"] == "555745280"
    assert _claim_of(space, "device")["spec"]["resources"]["requests"]["storage"] == "500Mi"
    assert _claim_of(space, "literal")["spec"]["resources"]["requests"]["storage"] == "500Mi"


def test_an_unknown_provisioner_gets_the_default_of_the_gate(kinds: Cluster, space: Namespace, new_class: str) -> None:
    kinds.create(storage_class(new_class, "nobody.example.org/knows"))
    kinds.wait("StorageProfile", new_class, lambda found: "status" in found)
    space.create(datavolume("disk", BLANK, storage=storage("64Mi", new_class)))
    spec = _claim_of(space)["spec"]
    assert spec["accessModes"] == ["ReadWriteOnce"]
    assert spec.get("volumeMode", "Filesystem") == "Filesystem"


def test_a_profile_that_a_person_filled_in_wins(kinds: Cluster, space: Namespace, new_class: str) -> None:
    kinds.create(storage_class(new_class, "nobody.example.org/knows"))
    kinds.wait("StorageProfile", new_class, lambda _: True)
    sets = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]
    kinds.patch("StorageProfile", new_class, {"spec": {"claimPropertySets": sets}})
    kinds.wait("StorageProfile", new_class, lambda found: found.get("status", {}).get("claimPropertySets") == sets)
    space.create(datavolume("disk", BLANK, storage=storage("64Mi", new_class)))
    spec = _claim_of(space)["spec"]
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteMany"], "Block")


def test_a_class_that_comes_later_is_waited_for(kinds: Cluster, space: Namespace, new_class: str) -> None:
    space.create(datavolume("disk", BLANK, storage=storage("64Mi", new_class)))
    held = space.wait("DataVolume", "disk", lambda dv: condition(dv, "Bound").get("reason") == "ErrClaimNotValid")
    text = "PVC spec is missing accessMode and no storageClass to choose profile"
    assert text in condition(held, "Bound")["message"]
    space.wait_event("disk", "ErrClaimNotValid")
    assert space.find("PersistentVolumeClaim", "disk") is None

    kinds.create(storage_class(new_class, "rook-ceph.rbd.csi.ceph.com"))
    assert _claim_of(space)["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize("of_no_class", [False, True], ids=["named", "empty"])
def test_a_volume_of_a_class_without_an_object_is_waited_for(
    space: Namespace, new_class: str, volume_of: Callable[[str], None], of_no_class: bool
) -> None:
    name = "" if of_no_class else new_class
    space.create(datavolume("disk", BLANK, storage=storage("64Mi", storageClassName=name)))
    space.wait_event("disk", "ErrClaimNotValid")
    assert space.find("PersistentVolumeClaim", "disk") is None

    volume_of(name)
    spec = _claim_of(space)["spec"]
    assert (spec["accessModes"], spec["volumeMode"], spec["storageClassName"]) == (["ReadOnlyMany"], "Block", name)


def test_a_class_has_a_profile_while_it_exists(kinds: Cluster, new_class: str) -> None:
    kinds.create(storage_class(new_class, "rook-ceph.rbd.csi.ceph.com"))
    profile = kinds.wait("StorageProfile", new_class, lambda found: "status" in found)
    assert profile["status"]["provisioner"] == "rook-ceph.rbd.csi.ceph.com"
    assert profile["status"]["storageClass"] == new_class
    assert profile["status"]["claimPropertySets"][0] == {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
    assert profile["metadata"]["labels"]["app"] == "containerized-data-importer"
    kinds.delete("StorageClass", new_class)
    kinds.wait_gone("StorageProfile", new_class)
