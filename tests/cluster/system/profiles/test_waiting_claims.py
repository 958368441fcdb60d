"""DataVolumes that say their access modes: the claim is made at once, and waits for a class or a volume."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.kinds import Cluster, Namespace, Object
from support.manifests import claim, datavolume, storage, storage_class

BLANK: Object = {"blank": {}}
PROVISIONER = "shared.bed.test"  # the bed's: it makes volumes of every class that names it


def _spec(kind: str, class_name: str, mode: str = "ReadWriteOnce", **more: str) -> Object:
    if kind == "pvc":
        return {"pvc": claim("64Mi", mode=mode, storageClassName=class_name, **more)}
    return {"storage": storage("64Mi", accessModes=[mode], storageClassName=class_name, **more)}


def _is_pending(found: Object) -> bool:
    return bool(found["status"].get("phase") == "Pending")


@pytest.mark.parametrize("kind", ["pvc", "storage"])
def test_a_claim_waits_for_its_class(kinds: Cluster, space: Namespace, new_class: str, kind: str) -> None:
    space.create(datavolume("disk", BLANK, **_spec(kind, new_class)))
    space.wait("PersistentVolumeClaim", "disk", _is_pending)
    kinds.create(storage_class(new_class, PROVISIONER))
    space.wait_phase("disk", "Succeeded")


@pytest.mark.parametrize("of_no_class", [False, True], ids=["named", "empty"])
@pytest.mark.parametrize("kind", ["pvc", "storage"])
def test_a_claim_waits_for_a_volume_of_its_class(
    space: Namespace, new_class: str, volume_of: Callable[[str], None], kind: str, of_no_class: bool
) -> None:
    name = "" if of_no_class else new_class
    space.create(datavolume("disk", BLANK, **_spec(kind, name, "ReadOnlyMany", volumeMode="Block")))
    space.wait("PersistentVolumeClaim", "disk", _is_pending)
    volume_of(name)
    space.wait("PersistentVolumeClaim", "disk", lambda found: found["status"].get("phase") == "Bound")
