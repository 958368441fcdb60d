"""An empty disk on a new volume that reads as zeroes: nothing is written, and so nobody has to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.populationmodel import objects, sort_of

from cdi.contract import annotations as a
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import Annotate, Emit, Plan, Rebind, Role
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

DRIVER = "rook-ceph.rbd.csi.ceph.com"
CEPH: dict[str, Any] = {"metadata": {"name": "ceph"}, "provisioner": DRIVER, "volumeBindingMode": "Immediate"}
BLANK = {a.SOURCE: "none"}
MARKS = {a.POPULATOR_KIND: "VolumeImportSource"}
SOURCE = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "empty"}


def storage_class(**more: Any) -> StorageClass:
    return msgspec.convert({**CEPH, **more}, StorageClass)


def claim(uid: str = "c1", notes: dict[str, str] | None = None, phase: str = "Bound", **spec: Any) -> Any:
    """``c1`` is the target, any other its PVC'."""
    named: dict[str, Any] = {"name": "disk", "namespace": "ns", "uid": uid, "annotations": notes or {}}
    if uid != "c1":
        owner = {"kind": "PersistentVolumeClaim", "name": "disk", "uid": "c1", "controller": True}
        named |= {"name": "prime-c1", "ownerReferences": [owner]}
    bound = {"volumeName": f"pvc-{uid}"} if phase == "Bound" else {}
    wanted = {"storageClassName": "ceph", "volumeMode": "Block"} | bound | spec
    body = {"metadata": named, "spec": wanted, "status": {"phase": phase}}
    return msgspec.convert(body, PersistentVolumeClaim)


def volume(uid: str = "c1", by: str = DRIVER, name: str = "", **spec: Any) -> PersistentVolume:
    metadata = {"name": name or f"pvc-{uid}", "annotations": {"pv.kubernetes.io/provisioned-by": by}}
    owner = {"namespace": "ns", "name": "disk", "uid": uid}
    known = {"storageClassName": "ceph", "volumeMode": "Block", "claimRef": owner}
    return msgspec.convert({"metadata": metadata, "spec": known | spec}, PersistentVolume)


def decided(target: PersistentVolumeClaim, found: PersistentVolume | None, **more: Any) -> Plan:
    return decide(Observed(**({"target": target, "volume": found, "storage_class": storage_class()} | more)))


def kinds(plan: Plan) -> set[object]:
    return {sort_of(action) for action in plan.actions}


def outputs(plan: Plan, name: str = "disk") -> dict[str, str]:
    (found,) = [action.after for action in plan.actions if isinstance(action, Annotate) and action.claim.name == name]
    return dict(found)


def test_it_is_there_as_soon_as_its_claim_is_bound_and_says_why() -> None:
    plan = decided(claim(notes=BLANK), volume())
    assert kinds(plan) == {Annotate, Emit}
    after = outputs(plan)
    assert (after[a.POD_PHASE], after[a.RUNNING_REASON], after[a.POD_RESTARTS]) == ("Succeeded", "Completed", "0")
    text = "Import Complete: nothing was written, as new volumes of storage class ceph are zero"
    assert after[a.RUNNING_MESSAGE] == text
    assert [action.reason for action in plan.actions if isinstance(action, Emit)] == ["ImportSucceeded"]
    assert decided(claim(notes=BLANK | after), volume()).actions == ()


def test_who_uses_it_already_is_not_in_the_way() -> None:
    assert outputs(decided(claim(notes=BLANK), volume(), users=("vm",)))[a.POD_PHASE] == "Succeeded"


def test_a_claim_that_names_a_source_object_is_handed_the_volume_without_a_worker() -> None:
    target = claim(phase="Pending", dataSourceRef=SOURCE)
    prime = claim("p1", BLANK | MARKS)
    plan = decided(target, volume("p1"), prime=prime)
    assert Role.WORKER not in kinds(plan) and Rebind in kinds(plan)
    assert outputs(plan)[a.POD_PHASE] == outputs(plan, "prime-c1")[a.POD_PHASE] == "Succeeded"


def test_what_the_watch_does_not_show_yet_is_waited_for() -> None:
    plan = decided(claim(notes=BLANK), None)
    assert plan.actions == () and plan.wait is not None


WRITTEN_TO = {
    "a volume that somebody made": (claim(notes=BLANK), volume(name="disk-7")),
    "a volume of another claim before": (claim(notes=BLANK), volume(name="pvc-0")),
    "a volume that nobody provisioned": (claim(notes=BLANK), volume(by="")),
    "a volume of another provisioner": (claim(notes=BLANK), volume(by="csi.other")),
    "a volume of another class": (claim(notes=BLANK), volume(storageClassName="old")),
    "a volume with a file system": (claim(notes=BLANK), volume(volumeMode="Filesystem")),
    "a claim of a file system": (claim(notes=BLANK, volumeMode="Filesystem"), volume()),
    "a claim without a mode": (claim(notes=BLANK, volumeMode=None), volume()),
    "preallocated": (claim(notes=BLANK | {a.PREALLOCATION_REQUESTED: "true"}), volume()),
    "an image": (claim(notes={a.SOURCE: "http", a.ENDPOINT: "http://a/disk"}), volume()),
    "a worker was there": (claim(notes=BLANK | {a.POD_NAME: "importer-disk"}), volume()),
    "an attempt has failed": (claim(notes=BLANK | {a.POD_PHASE: "Failed"}), volume()),
    "something is on record": (claim(notes=BLANK | {a.OWN_HISTORY: "[]"}), volume()),
}


@pytest.mark.parametrize(("target", "found"), WRITTEN_TO.values(), ids=WRITTEN_TO)
def test_a_worker_sees_to_anything_else(target: PersistentVolumeClaim, found: PersistentVolume) -> None:
    assert Role.WORKER in kinds(decided(target, found))


@pytest.mark.parametrize(
    "of",
    [
        storage_class(provisioner="csi.unknown"),
        storage_class(parameters={"encrypted": "true"}),
        storage_class(metadata={"name": "ceph", "annotations": {"cdi.kubevirt.io/new-volumes-are-zeroed": "false"}}),
        None,
    ],
    ids=["unknown", "encrypted", "an administrator says no", "no class"],
)
def test_a_class_that_is_not_known_for_it_gets_a_worker(of: StorageClass | None) -> None:
    found = volume(by=of.provisioner if of else DRIVER)
    assert Role.WORKER in kinds(decided(claim(notes=BLANK), found, storage_class=of))


def test_a_worker_that_runs_already_is_not_taken_away() -> None:
    body = {
        "metadata": {"name": "importer-disk", "namespace": "ns", "uid": "w1"},
        "spec": {"containers": [{"name": "importer"}]},
    }
    plan = decided(claim(notes=BLANK), volume(), objects=objects(pod=msgspec.convert(body, Pod)))
    assert outputs(plan).get(a.POD_PHASE) != "Succeeded"
