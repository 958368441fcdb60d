"""From objects of the cluster to the facts by which a clone is planned, and the plan's record on the claim."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.storageprofile import StorageProfile
from cdi.base.units import GiB
from cdi.contract import annotations as a
from cdi.controllers.claims.clone_facts import claim_source, claim_target, cluster_facts, snapshot_source, wishes
from cdi.controllers.claims.clone_record import clone_of, record, recorded
from cdi.controllers.cluster import Cluster
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotClass,
    VolumeSnapshotContent,
)
from storageprofiles.clone import Plan, choose, next_after
from storageprofiles.clone_facts import Method, Wishes
from storageprofiles.snapshot_classes import SnapshotClass

CLUSTER = Cluster(global_overhead="0.06", clone_strategy="csi-clone")
FAST: dict[str, Any] = {"metadata": {"name": "fast"}, "provisioner": "csi.test", "allowVolumeExpansion": True}
CLASS = msgspec.convert(FAST, StorageClass)
PROFILE = msgspec.convert(
    {
        "metadata": {"name": "fast", "annotations": {"cdi.kubevirt.io/minimumSupportedPvcSize": "2Gi"}},
        "status": {"snapshotClass": "snaps", "cloneStrategy": "snapshot"},
    },
    StorageProfile,
)


def a_claim(capacity: str = "", notes: dict[str, str] | None = None, **spec: Any) -> PersistentVolumeClaim:
    base = {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}
    status = {"capacity": {"storage": capacity}} if capacity else {}
    metadata = {"namespace": "golden", "name": "disk", "annotations": notes or {}}
    return msgspec.convert({"metadata": metadata, "spec": base | spec, "status": status}, PersistentVolumeClaim)


def test_the_driver_of_a_source_is_its_volumes_and_else_its_classs() -> None:
    volume = msgspec.convert({"spec": {"csi": {"driver": "csi.other"}}}, PersistentVolume)
    classes = {"fast": CLASS}
    assert claim_source(a_claim(), volume, classes, PROFILE, CLUSTER).driver == "csi.other"
    assert claim_source(a_claim(), PersistentVolume(), classes, PROFILE, CLUSTER).driver == "csi.test"
    assert claim_source(a_claim(), None, {}, None, CLUSTER).driver == ""


def test_a_source_without_a_volume_is_as_large_as_it_asks_to_be() -> None:
    found = claim_source(a_claim(), None, {"fast": CLASS}, PROFILE, CLUSTER)
    assert (found.requested, found.capacity, found.volume_mode, found.overhead) == (GiB, GiB, "Filesystem", "0.06")
    assert claim_source(a_claim("3Gi"), None, {"fast": CLASS}, PROFILE, CLUSTER).capacity == 3 * GiB
    assert claim_source(a_claim(volumeMode="Block"), None, {}, None, CLUSTER).overhead == "0"


def snapshot(**status: Any) -> VolumeSnapshot:
    spec = {"volumeSnapshotClassName": "snaps"}
    return msgspec.convert(
        {"metadata": {"namespace": "golden", "name": "disk"}, "spec": spec, "status": status}, VolumeSnapshot
    )


def test_a_snapshot_is_what_its_content_and_its_status_say() -> None:
    content = msgspec.convert({"spec": {"driver": "csi.test", "sourceVolumeMode": "Block"}}, VolumeSnapshotContent)
    found = snapshot_source(snapshot(restoreSize="1Gi"), content)
    assert (found.driver, found.volume_mode, found.capacity, found.unfit) == ("csi.test", "Block", GiB, "")
    assert snapshot_source(snapshot(error={"message": "no room"}), content).unfit == "no room"
    unnamed = msgspec.structs.replace(snapshot(), spec=msgspec.convert({}, type(snapshot().spec)))
    assert "VolumeSnapshotClass" in snapshot_source(unnamed, content).unfit


def test_a_target_is_its_claim_its_class_and_its_profile() -> None:
    found = claim_target(a_claim(notes={a.PERMISSIVE_CLONE: ""}, volumeMode="Block"), CLASS, PROFILE, CLUSTER)
    assert (found.driver, found.expands, found.minimum_size) == ("csi.test", True, 2 * GiB)
    assert (found.snapshot_class, found.is_permissive, found.overhead) == ("snaps", True, "0")


def test_the_cluster_is_its_classes() -> None:
    default = {
        "metadata": {"name": "snaps", "annotations": {"snapshot.storage.kubernetes.io/is-default-class": "true"}}
    }
    snaps = msgspec.convert(default | {"driver": "csi.test"}, VolumeSnapshotClass)
    found = cluster_facts([CLASS], [snaps], by_populator=True)
    assert found.snapshot_classes == (SnapshotClass("snaps", "csi.test", is_default=True),)
    assert [item.driver for item in found.classes] == ["csi.test"]


def test_what_people_want_stands_in_annotations_the_profile_and_the_cdi_object() -> None:
    notes = {a.CLONE_TYPE: "copy", a.OWN_CLONE_REQUIRE: "offload"}
    assert wishes(notes, PROFILE, CLUSTER) == Wishes(
        override="csi-clone", profile="snapshot", asked="copy", requires_offload=True
    )


def test_a_type_with_a_reason_beside_it_is_nobodys_wish() -> None:
    assert wishes({a.CLONE_TYPE: "copy", a.CLONE_FALLBACK: "no populator"}, PROFILE, CLUSTER).asked == ""


def planned(asked: str = "") -> Plan:
    source = claim_source(a_claim(), None, {"fast": CLASS}, PROFILE, CLUSTER)
    target = claim_target(a_claim(), CLASS, None, CLUSTER)
    found = choose(
        source, target, cluster_facts([CLASS], [], by_populator=True), Wishes(profile="csi-clone", asked=asked)
    )
    assert isinstance(found, Plan)
    return found


def test_after_a_plan_was_recorded_the_type_of_the_clone_is_ours() -> None:
    notes = {a.CLONE_TYPE: "csi-clone", a.OWN_CLONE_PLAN: record(planned())}
    found = wishes(notes, PROFILE, CLUSTER)
    assert (found.asked, found.begun, found.failed) == ("", Method.CSI_CLONE, {})
    asked = wishes(notes | {a.OWN_CLONE_PLAN: record(planned("csi-clone"))}, PROFILE, CLUSTER)
    assert asked.asked == "csi-clone"


def test_whoever_starts_anew_knows_what_has_failed() -> None:
    after = next_after(planned(), Method.CSI_CLONE, "rpc error: code = Internal desc = no")
    assert isinstance(after, Plan)
    found = wishes({a.OWN_CLONE_PLAN: record(after)}, PROFILE, CLUSTER)
    assert found.begun is Method.COPY
    assert found.failed == {Method.CSI_CLONE: "rpc error: code = Internal desc = no"}


def test_a_record_reads_as_it_was_written() -> None:
    assert recorded(record(planned())) == clone_of(planned())


_LONG = '{"method":"copy","asked":"' + "x" * 100_000 + '"}'


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "{", '{"method":"magic"}', '{"method":"copy","movesAtMost":-1}', "[" * 100_000, _LONG],
)
def test_what_is_no_record_of_ours_counts_as_none(text: str) -> None:
    assert recorded(text) is None
    assert wishes({a.OWN_CLONE_PLAN: text, a.CLONE_TYPE: "copy"}, None, CLUSTER).asked == "copy"
