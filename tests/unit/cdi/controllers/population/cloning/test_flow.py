"""Clones by a populator: what is made in which order, what is given up, and that nothing is left."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clonemodel import World

from cdi.api.populators import CLONE_KIND, VolumeCloneSource
from cdi.contract import annotations as a
from cdi.controllers.population.plan import Create, Rebind, Role
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent
from cdi.kube.store import Key
from cdi.trust.tokens import Permit, Place

FINAL = "failed to provision volume: rpc error: code = Unimplemented desc = cloning is not supported"
PASSING = "rpc error: code = Unavailable desc = try again"
STRATEGIES = ("csi-clone", "snapshot", "copy")


def finish(world: World) -> None:
    for _ in range(5):
        world.settle()
        world.take()
        world.settle()
        world.provision()
        world.settle()
        world.copy()
        world.settle()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_method_ends_with_the_volume_and_leaves_nothing(strategy: str) -> None:
    world = World(strategy)
    finish(world)
    assert world.target.status.phase == "Bound"
    assert world.phase == "Succeeded"
    assert world.annotations[a.CLONE_TYPE] == strategy
    assert world.annotations[a.PROGRESS] == "100.0%"
    assert world.made() == []
    assert a.CLONE_FINALIZER not in world.target.metadata.finalizers


@given(
    strategy=st.sampled_from(STRATEGIES),
    binding=st.sampled_from(("Immediate", "WaitForFirstConsumer")),
    moves=st.lists(
        st.tuples(st.sampled_from(("take", "provision", "copy", "fail", "forget")), st.integers(0, 4)), max_size=10
    ),
)
def test_whoever_dies_wherever_it_ends_the_same(strategy: str, binding: str, moves: list[tuple[str, int]]) -> None:
    world = World(strategy, binding=binding)
    world.change(world.stores.claims, "disk", "ns", metadata={"annotations": {a.SELECTED_NODE: "n1"}})
    for move, lost in moves:
        world.reconcile(lost)
        match move:
            case "fail":
                world.copy(exit_code=1, message="[TargetFull] full. Try: more")
            case "forget":
                for pod in world.stores.pods.all():
                    world.stores.pods.drop(_key(pod))
            case _:
                getattr(world, move)()
    finish(world)
    assert (world.target.status.phase, world.phase) == ("Bound", "Succeeded")
    assert world.made() == []


def _key(item: Pod | PersistentVolumeClaim | VolumeCloneSource) -> Key:
    return Key(item.metadata.namespace, item.metadata.name)


def test_the_plan_is_on_the_claim_before_anything_is_made() -> None:
    world = World("csi-clone")
    first = world.reconcile()
    assert not [action for action in first if isinstance(action, Create)]
    assert a.OWN_CLONE_PLAN in world.annotations
    assert a.CLONE_FINALIZER in world.target.metadata.finalizers
    assert [action.wanted.role for action in world.reconcile() if isinstance(action, Create)] == [Role.PRIME]


def test_a_final_error_of_the_storage_leads_to_the_next_method_when_nothing_is_left_of_the_first() -> None:
    world = World("csi-clone")
    world.settle()
    first = world.temporary()
    assert first is not None
    world.complain(FINAL)
    world.stores.claims.drop(_key(first))
    world.put(world.stores.claims, PersistentVolumeClaim, _again(first))
    world.complain(FINAL)
    world.settle()
    assert world.annotations[a.CLONE_TYPE] == "snapshot"
    assert "Unimplemented" in world.annotations[a.CLONE_FALLBACK]
    assert [event.reason for event in world.told].count("CloneMethodFailed") == 1
    assert world.made() == [world.named("temporary_snapshot")]
    finish(world)
    assert (world.target.status.phase, world.annotations[a.CLONE_TYPE]) == ("Bound", "snapshot")


def _again(claim: PersistentVolumeClaim) -> dict[str, Any]:
    """The same claim as another object: what is said of it is asked for anew."""
    body: dict[str, Any] = msgspec.to_builtins(claim)
    body["metadata"]["uid"] = "again"
    return body


def test_what_may_still_succeed_is_waited_for() -> None:
    world = World("csi-clone")
    world.settle()
    world.complain(PASSING)
    world.settle()
    assert world.annotations[a.CLONE_TYPE] == "csi-clone"
    assert world.temporary() is not None


def test_a_snapshot_that_fails_for_good_is_copied_instead() -> None:
    world = World("snapshot")
    world.settle()
    world.snapshot(error={"message": "rpc error: code = Internal desc = no space for metadata"})
    world.settle()
    assert world.annotations[a.CLONE_TYPE] == "copy"
    finish(world)
    assert world.phase == "Succeeded"
    assert world.made() == []


def test_a_claim_that_is_written_to_is_not_cloned() -> None:
    world = World("snapshot")
    world.mount("golden")
    world.settle()
    assert world.made() == []
    assert "CloneSourceInUse" in [event.reason for event in world.told]
    assert world.annotations[a.BOUND_MESSAGE] == "pod ns/user using PersistentVolumeClaim golden"
    world.mount("golden", read_only=True)
    world.settle()
    assert world.made() == [world.named("temporary_snapshot")]


def test_a_source_that_is_missing_is_waited_for() -> None:
    world = World()
    world.stores.claims.drop(_key(world.golden))
    world.settle()
    assert [event.message for event in world.told] == ["The source pvc golden doesn't exist"] * len(world.told)
    assert world.phase == "Pending"
    world.put(world.stores.claims, PersistentVolumeClaim, _again(world.golden))
    world.bind("golden", "ns")
    finish(world)
    assert world.phase == "Succeeded"


def test_a_target_that_is_too_small_is_refused_with_both_sizes() -> None:
    world = World(size="512Mi")
    world.settle()
    assert world.phase == "Error"
    assert "512" in world.annotations[a.CLONE_ERROR]
    assert world.made() == []
    assert [event.reason for event in world.told] == ["ErrIncompatiblePVC", "CloneValidationFailed"]


def test_a_larger_target_grows_before_it_is_handed_over() -> None:
    world = World("csi-clone", size="2Gi")
    world.settle()
    world.provision("1Gi")
    actions = world.settle()
    assert not [action for action in actions if isinstance(action, Rebind)]
    claim = world.temporary()
    assert claim is not None
    assert claim.spec.resources.requests["storage"] == "2Gi"
    assert world.phase == "PrepClaim"
    pending = [{"type": "FileSystemResizePending", "status": "True"}]
    world.change(world.stores.claims, claim.metadata.name, "ns", status={"conditions": pending})
    world.settle()
    assert world.stores.pods.get(world.named("preparation"), "ns") is not None
    world.change(world.stores.claims, claim.metadata.name, "ns", status={"capacity": {"storage": "2Gi"}})
    world.settle()
    assert world.target.status.phase == "Bound"
    assert world.made() == []


def test_nothing_is_read_in_another_namespace_without_a_token() -> None:
    world = World("csi-clone", source_namespace="other")
    world.settle()
    assert world.phase == "Error"
    assert "datavolumes/source" in world.annotations[a.CLONE_ERROR]
    assert world.made() == []


@pytest.mark.parametrize("uid", ["", "its own"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_token_permits_the_clone_across_namespaces(strategy: str, uid: str) -> None:
    places = Place("other", "golden"), Place("ns", "disk")
    world = World(strategy, source_namespace="other", permits=(Permit(*places),))
    if uid:
        permit = Permit(*places, uid=world.target.metadata.uid)
        world = World(strategy, source_namespace="other", permits=(permit,))
    world.settle()
    made = world.made()
    assert made
    assert all(name.endswith(world.target.metadata.uid) or "source-pod" in name for name in made)
    finish(world)
    assert (world.target.status.phase, world.phase) == ("Bound", "Succeeded")
    assert world.made() == []


@pytest.mark.parametrize(
    "permit",
    [
        Permit(Place("other", "golden"), Place("ns", "another")),
        Permit(Place("other", "another"), Place("ns", "disk")),
        Permit(Place("other", "golden"), Place("ns", "disk"), uid="of a former claim"),
        Permit(Place("other", "golden"), Place("ns", "disk"), is_snapshot=True),
    ],
)
def test_a_token_for_something_else_permits_nothing(permit: Permit) -> None:
    world = World(source_namespace="other", permits=(permit,))
    world.settle()
    assert (world.phase, world.made()) == ("Error", [])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_name_that_somebody_has_blocks_nothing_and_is_not_touched(strategy: str) -> None:
    world = World(strategy)
    theirs = {"metadata": {"labels": {a.OWNED_BY_UID: world.target.metadata.uid}}}
    world.put(world.stores.claims, PersistentVolumeClaim, theirs, world.named("temporary_claim"), "ns")
    world.put(world.snapshots.taken, VolumeSnapshot, theirs, world.named("temporary_snapshot"), "ns")
    for _ in range(6):
        world.settle()
        for snapshot in world.snapshots.taken.all():
            status = {"creationTime": "2026-01-01T00:00:00Z", "readyToUse": True, "restoreSize": "1Gi"}
            world.change(world.snapshots.taken, snapshot.metadata.name, "ns", status=status)
        for claim in world.stores.claims.all():
            if claim.metadata.name.startswith("tmp-pvc") and claim.metadata.annotations.get(a.OWN_CLONE_MARK):
                world.bind(claim.metadata.name, "ns")
        for pod in world.stores.pods.all():
            ended = {"exitCode": 0, "message": '{"message": "Clone Complete"}', "finishedAt": "2026-01-01T00:00:00Z"}
            container = {"name": "cdi-clone-source", "state": {"terminated": ended}}
            world.change(world.stores.pods, pod.metadata.name, "ns", status={"containerStatuses": [container]})
    assert (world.target.status.phase, world.phase) == ("Bound", "Succeeded")
    assert world.made() == [world.named("temporary_claim"), world.named("temporary_snapshot")]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_target_that_is_deleted_half_way_takes_everything_with_it(strategy: str) -> None:
    world = World(strategy)
    world.settle()
    world.take()
    world.settle()
    assert world.made()
    world.change(world.stores.claims, "disk", "ns", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    for _ in range(4):
        world.reconcile()
    assert world.made() == []
    assert world.stores.claims.get("disk", "ns") is None


def test_a_snapshot_as_the_source_is_restored_by_the_storage() -> None:
    world = World()
    _snapshot(world, driver="csi.test")
    world.settle()
    claim = world.temporary()
    assert claim is not None
    assert claim.spec.data_source_ref is not None
    assert (claim.spec.data_source_ref.kind, claim.spec.data_source_ref.name) == ("VolumeSnapshot", "taken")
    world.provision()
    world.settle()
    assert (world.target.status.phase, world.made()) == ("Bound", [])


def test_a_snapshot_of_another_driver_is_restored_and_then_copied() -> None:
    world = World()
    world.put(world.stores.classes, type(world.stores.classes.all()[0]), {"provisioner": "old.test"}, name="old")
    _snapshot(world, driver="old.test")
    world.settle()
    restored = world.stores.claims.get(world.named("restored_claim"), "ns")
    assert restored is not None
    assert restored.spec.storage_class_name == "old"
    assert world.temporary() is None
    finish(world)
    assert (world.target.status.phase, world.annotations[a.CLONE_TYPE]) == ("Bound", "copy")
    assert world.made() == []


def _snapshot(world: World, driver: str) -> None:
    world.source({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "taken"})
    status = {"boundVolumeSnapshotContentName": "content", "readyToUse": True, "restoreSize": "1Gi"}
    spec = {"volumeSnapshotClassName": "snaps", "source": {}}
    world.put(world.snapshots.taken, VolumeSnapshot, {"spec": spec, "status": status}, "taken", "ns")
    content = {"spec": {"driver": driver, "sourceVolumeMode": "Filesystem"}}
    world.put(world.snapshots.contents, VolumeSnapshotContent, content, "content")


def test_the_copying_pod_has_both_claims_and_the_source_read_only() -> None:
    world = World("copy")
    world.settle()
    world.provision()
    world.settle()
    pod = world.stores.pods.get(world.named("source_pod"), "ns")
    assert pod is not None
    claims = {volume.persistent_volume_claim for volume in pod.spec.volumes if volume.persistent_volume_claim}
    assert {(claim.claim_name, claim.read_only) for claim in claims} == {
        (world.named("temporary_claim"), False),
        ("golden", True),
    }
    assert pod.metadata.labels[a.COMPONENT] == "cdi-clone-source"
    assert world.phase == "HostClone"


def test_a_failed_copy_is_the_kubelets_to_repeat() -> None:
    world = World("copy")
    world.settle()
    world.provision()
    world.settle()
    world.copy(exit_code=1, message="[TargetFull] full. Try: more")
    world.settle()
    assert world.stores.pods.get(world.named("source_pod"), "ns") is not None
    assert world.phase == "HostClone"
    assert world.annotations[a.POD_RESTARTS] == "1"
    finish(world)
    assert world.phase == "Succeeded"


def test_kinds_of_sources_that_nobody_knows_are_refused() -> None:
    world = World()
    world.source({"kind": "ConfigMap", "name": "golden"})
    world.settle()
    assert world.phase == "Error"
    assert "ConfigMap" in world.annotations[a.CLONE_ERROR]


def test_a_claim_without_its_source_object_waits_and_names_it() -> None:
    world = World()
    world.sources.drop(_key(world.sources.all()[0]))
    world.settle()
    assert world.annotations[a.BOUND_MESSAGE] == f"there is no {CLONE_KIND} ns/source"


def test_a_strangers_pod_with_a_workers_name_is_left_alone() -> None:
    world = World("csi-clone")
    world.put(world.stores.pods, Pod, {}, "disk-source-pod", "ns")
    finish(world)
    assert world.phase == "Succeeded"
    assert world.stores.pods.get("disk-source-pod", "ns") is not None


@pytest.mark.parametrize("strategy", ["csi-clone", "copy"])
def test_what_has_its_bytes_ends_well_although_the_source_is_gone(strategy: str) -> None:
    world = World(strategy)
    world.settle()
    world.provision()
    if strategy == "copy":
        world.settle()
        world.copy()
    world.stores.claims.drop(_key(world.golden))
    world.settle()
    assert (world.target.status.phase, world.phase) == ("Bound", "Succeeded")


def test_an_error_of_the_snapshot_does_not_undo_what_was_restored() -> None:
    world = World("snapshot")
    world.settle()
    world.take()
    world.settle()
    world.provision()
    world.snapshot(error={"message": "rpc error: code = Internal desc = late"})
    world.settle()
    assert (world.target.status.phase, world.annotations[a.CLONE_TYPE]) == ("Bound", "snapshot")


def test_a_mark_that_somebody_wrote_is_not_taken_over() -> None:
    world = World("csi-clone")
    world.change(world.stores.claims, "disk", "ns", metadata={"annotations": {a.OWN_CLONE_MARK: "x" * 5000}})
    world.settle()
    assert len(world.annotations[a.OWN_CLONE_MARK]) == 16
