from __future__ import annotations

from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cdi.api.cdi import CDI
from cdi.api.datavolume import DataVolume
from cdi.api.storageprofile import StorageProfile
from cdi.controllers.metrics import Abilities, ControllerMetrics, Stores, labels_of, pending, readiness
from cdi.kube.storage import CsiDriver, StorageClass, VolumeSnapshotClass
from cdi.kube.store import Key, Store

DRIVER = "csi.test"
ABLE = Abilities({DRIVER}, {DRIVER})


def storage_class(provisioner: str = DRIVER, **annotations: str) -> StorageClass:
    keys = {"default": "storageclass.kubernetes.io/is-default-class"}
    keys["virt"] = "storageclass.kubevirt.io/is-default-virt-class"
    metadata = {"name": "fast", "annotations": {keys[key]: value for key, value in annotations.items()}}
    return msgspec.convert({"metadata": metadata, "provisioner": provisioner}, StorageClass)


def profile(*sets: tuple[str, str], strategy: str | None = "csi-clone") -> StorageProfile:
    listed = [{"accessModes": [mode] if mode else [], "volumeMode": volume} for mode, volume in sets]
    status: dict[str, Any] = {"claimPropertySets": listed, "cloneStrategy": strategy}
    return msgspec.convert({"metadata": {"name": "fast"}, "status": status}, StorageProfile)


def told(found: StorageProfile, of: StorageClass | None = None, cluster: Abilities = ABLE) -> dict[str, str]:
    names = ("complete", "default", "virtdefault", "rwx", "smartclone", "degraded")
    return dict(zip(names, labels_of(found, of or storage_class(), cluster)[2:], strict=True))


def system(**conditions: str) -> CDI:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return msgspec.convert({"metadata": {"name": "cdi"}, "status": {"conditions": listed}}, CDI)


def volume(phase: str, **target: str) -> DataVolume:
    found = {"metadata": {"name": "disk"}, "spec": {"storage": target}, "status": {"phase": phase}}
    return msgspec.convert(found, DataVolume)


SHARED = ("ReadWriteMany", "Block")
SINGLE = ("ReadWriteOnce", "Filesystem")


def test_a_shared_class_that_clones_lacks_nothing() -> None:
    found = told(profile(SINGLE, SHARED))
    assert found["complete"] == found["rwx"] == found["smartclone"] == "true"
    assert found["degraded"] == "false"


@pytest.mark.parametrize(
    ("found", "complete"), [(profile(), "false"), (profile(SINGLE, ("", "Block")), "false"), (profile(SINGLE), "true")]
)
def test_a_profile_is_complete_when_every_set_is_filled(found: StorageProfile, complete: str) -> None:
    assert told(found)["complete"] == complete


def test_nobody_is_told_that_the_profile_of_a_bucket_class_is_incomplete() -> None:
    assert told(profile(), storage_class("openshift-storage.noobaa.io/obc"))["complete"] == "true"


def test_both_kinds_of_default_are_told() -> None:
    found = told(profile(SINGLE), storage_class(default="true", virt="false"))
    assert (found["default"], found["virtdefault"]) == ("true", "false")


@pytest.mark.parametrize(
    ("strategy", "cluster", "smart"),
    [
        ("csi-clone", Abilities(drivers={DRIVER}), "true"),
        ("csi-clone", Abilities(snapshots={DRIVER}), "false"),
        ("snapshot", Abilities(snapshots={DRIVER}), "true"),
        ("snapshot", Abilities(drivers={DRIVER}), "false"),
        (None, Abilities(snapshots={DRIVER}), "true"),
        ("copy", ABLE, "false"),
    ],
)
def test_a_clone_is_smart_when_the_storage_can_do_what_the_strategy_says(
    strategy: str | None, cluster: Abilities, smart: str
) -> None:
    assert told(profile(SHARED, strategy=strategy), cluster=cluster)["smartclone"] == smart


def test_volumes_of_one_node_degrade_no_cluster_of_one_node() -> None:
    assert told(profile(SINGLE))["degraded"] == "true"
    assert told(profile(SINGLE), cluster=Abilities({DRIVER}, (), single_node=True))["degraded"] == "false"
    assert told(profile(SINGLE, strategy="copy"), cluster=Abilities(single_node=True))["degraded"] == "true"


def test_only_volumes_that_wait_without_naming_a_class_are_counted() -> None:
    waiting = [volume(""), volume("Pending"), volume("Pending", storageClassName="fast"), volume("Succeeded")]
    assert pending(waiting) == 2


@pytest.mark.parametrize(
    ("before", "conditions", "after"),
    [
        (-1, {}, -1),
        (-1, {"Available": "False", "Progressing": "True"}, -1),
        (-1, {"Available": "True", "Progressing": "False"}, 1),
        (1, {"Available": "False", "Progressing": "True"}, 1),
        (1, {"Available": "False", "Progressing": "False"}, 0),
        (0, {"Available": "True", "Progressing": "True"}, 1),
    ],
)
def test_what_is_on_its_way_is_as_ready_as_before(before: int, conditions: dict[str, str], after: int) -> None:
    assert readiness(before, system(**conditions)) == after


def test_without_a_cdi_object_readiness_stays() -> None:
    assert readiness(1, None) == 1


def stores() -> Stores:
    drivers, snapshots = Store[CsiDriver](), Store[VolumeSnapshotClass]()
    return Stores(Store(), Store(), drivers, snapshots, Store(), Store())


def text(metrics: ControllerMetrics) -> list[str]:
    registry = CollectorRegistry()
    registry.register(metrics)
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_a_series_goes_with_its_class() -> None:
    known = stores()
    metrics = ControllerMetrics(known)
    known.classes.put(Key("", "fast"), storage_class(), "1")
    known.profiles.put(Key("", "fast"), profile(SHARED), "1")
    known.systems.put(Key("", "cdi"), system(Available="True"), "1")
    ready, waiting, info = text(metrics)
    assert (ready, waiting) == ("kubevirt_cdi_cr_ready 1.0", "kubevirt_cdi_datavolume_pending 0.0")
    assert info.startswith('kubevirt_cdi_storageprofile_info{complete="true",default="false",degraded="true",')
    assert info.endswith('rwx="true",smartclone="false",storageclass="fast",virtdefault="false"} 1.0')
    known.classes.drop(Key("", "fast"))
    assert len(text(metrics)) == 2
