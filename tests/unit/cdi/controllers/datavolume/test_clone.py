"""DataVolumes that are cloned: what is made, what is waited for, what is refused, and what the status says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from cdi.api.datasource import DataSource
from cdi.api.datavolume import Clone, DataVolume
from cdi.api.populators import VolumeCloneSource
from cdi.contract import annotations as a
from cdi.controllers.cluster import HONOR_WAIT_FOR_FIRST_CONSUMER, Cluster
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.origin import Origin, origin_of, why_not
from cdi.controllers.datavolume.phases import announcement
from cdi.controllers.datavolume.plan import (
    Action,
    AnnotateSource,
    AnnotateVolume,
    CreateClaim,
    CreateDetection,
    CreateSource,
    DeletePod,
    DeleteSource,
    Emit,
    Plan,
    SetFinalizers,
    VouchClaim,
    VouchVolume,
)
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.population.way import is_being_filled
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim, StorageClass, VolumeSnapshot, VolumeSnapshotContent
from cdi.trust.tokens import Permit, Place
from storageprofiles.rendering import ClaimPropertySet, Profile

NOW = "2026-01-01T00:00:00Z"
FAST = msgspec.convert({"metadata": {"name": "fast"}, "provisioner": "csi.test"}, StorageClass)
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteMany",), "Filesystem"),), overhead="0.06")
CLUSTER = Cluster(gates=frozenset({HONOR_WAIT_FOR_FIRST_CONSUMER}), global_overhead="0.06")
NAME = "volume-clone-source-u1"
FINALIZER = "cdi.kubevirt.io/dataVolumeFinalizer"
GiB = 1 << 30


def volume(
    namespace: str = "ns", *, snapshot: bool = False, status: dict[str, Any] | None = None, **more: Any
) -> DataVolume:
    """Cloned from ``golden`` in ``namespace``."""
    kind = "snapshot" if snapshot else "pvc"
    spec = {"source": {kind: {"namespace": namespace, "name": "golden"}}} | more.pop("spec", {"storage": _size("1Gi")})
    metadata = {"name": "disk", "namespace": "ns", "uid": "u1"} | more
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status or {}}, DataVolume)


def _size(size: str = "") -> dict[str, Any]:
    return {"resources": {"requests": {"storage": size}}} if size else {}


def golden(notes: dict[str, str] | None = None, capacity: str = "1Gi", **spec: Any) -> PersistentVolumeClaim:
    base = {"storageClassName": "fast", "resources": _size("1Gi")["resources"]}
    status = {"phase": "Bound", "capacity": {"storage": capacity}}
    metadata = {"namespace": "ns", "name": "golden", "uid": "g1", "annotations": notes or {}}
    return msgspec.convert({"metadata": metadata, "spec": base | spec, "status": status}, PersistentVolumeClaim)


DISK = {a.CONTENT_TYPE: "kubevirt"}


def clone(namespace: str = "ns", *, is_snapshot: bool = False, **known: Any) -> Cloned:
    base: dict[str, Any] = {"is_permitted": True, "is_populated": True, "classes": {"fast": FAST}}
    source: dict[str, Any] = {"claim": golden()} if not is_snapshot else {}
    return Cloned(origin=Origin(namespace, "golden", is_snapshot), **(base | source | known))


def seen(dv: DataVolume, cloned: Cloned, claim: PersistentVolumeClaim | None = None, **more: Any) -> Observed:
    known: dict[str, Any] = {"storage_class": FAST, "named_class": "fast", "profile": PROFILE, "has_driver": True}
    known["is_being_filled"] = claim is not None and is_being_filled(claim)
    return Observed(dv, claim, now=NOW, cluster=CLUSTER, clone=cloned, **(known | more))


def target(phase: str = "Pending", *, named: bool = True, **notes: str) -> PersistentVolumeClaim:
    keys = {"said": a.CLONE_PHASE, "pod": a.POD_PHASE}
    annotations = {keys.get(key, key): value for key, value in notes.items()} | {a.CREATED_FOR: "u1"}
    owners = [{"uid": "u1", "controller": True, "kind": "DataVolume", "name": "disk"}]
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": NAME}
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations, "ownerReferences": owners}
    spec = {"dataSourceRef": reference} if named else {}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": {"phase": phase}}, PersistentVolumeClaim)


def source(namespace: str, **notes: str) -> VolumeCloneSource:
    owner = [] if notes else [{"uid": "u1", "controller": True, "kind": "DataVolume", "name": "disk"}]
    metadata = {"namespace": namespace, "name": NAME, "uid": "s1", "annotations": notes, "ownerReferences": owner}
    return msgspec.convert({"metadata": metadata, "spec": {"source": {"kind": "x", "name": "y"}}}, VolumeCloneSource)


def made(plan: Plan) -> dict[str, Any]:
    (claim,) = [action for action in plan.actions if isinstance(action, CreateClaim)]
    return dict(claim.body)


def only(plan: Plan, kind: type[Action]) -> Any:  # type: ignore[valid-type]  # one of the members of a union
    (action,) = [action for action in plan.actions if isinstance(action, kind)]
    return action


# --- what is made ---------------------------------------------------------------------------------------------------


def test_a_populator_gets_a_source_object_and_a_claim_that_names_it() -> None:
    plan = decide(seen(volume(), clone()))
    note, object_, claim = plan.actions
    assert isinstance(note, AnnotateVolume) and note.annotations == {a.USE_POPULATOR: "true"}
    assert isinstance(object_, CreateSource)
    assert object_.body["metadata"]["namespace"] == "ns"
    assert object_.body["metadata"]["ownerReferences"][0]["uid"] == "u1"
    assert object_.body["spec"]["source"] == {"kind": "PersistentVolumeClaim", "name": "golden"}
    assert isinstance(claim, CreateClaim)
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": NAME}
    assert claim.body["spec"]["dataSourceRef"] == reference
    notes = claim.body["metadata"]["annotations"]
    assert notes[a.USE_POPULATOR] == "true"
    assert not {a.CLONE_TOKEN, a.EXTENDED_CLONE_TOKEN, a.DATA_SOURCE_NAMESPACE} & set(notes)


def test_from_another_namespace_first_a_right_that_lasts_and_somebody_who_cleans_up() -> None:
    dv = volume("golden", annotations={a.CLONE_TOKEN: "short"}, finalizers=["mine"])
    for exists in (golden(), None):  # it may come when the token at hand has expired
        plan = decide(seen(dv, clone("golden", claim=exists)))
        permit = Permit(Place("golden", "golden"), Place("ns", "disk"), uid="u1")
        assert plan.actions == (VouchVolume(permit), SetFinalizers(("mine", FINALIZER)))
        assert plan.hold is not None
        status = status_of(seen(dv, clone("golden")), plan.hold)
        assert (status.phase, status.conditions[0].reason) == ("CloneScheduled", "CloneScheduled")
        assert status.conditions[1].message == "Cloning from golden/golden into ns/disk scheduled"
    kept = volume("golden", annotations={a.CLONE_TOKEN: "short"}, finalizers=["mine", FINALIZER])
    note, object_, claim = decide(seen(kept, clone("golden", is_lasting=True))).actions
    assert isinstance(note, AnnotateVolume)
    assert isinstance(object_, CreateSource)
    metadata = object_.body["metadata"]
    assert (metadata["namespace"], metadata["annotations"]) == ("golden", {a.OWNED_BY_VOLUME: "ns/disk"})
    assert "ownerReferences" not in metadata
    assert isinstance(claim, CreateClaim)
    notes = claim.body["metadata"]["annotations"]
    assert (notes[a.DATA_SOURCE_NAMESPACE], notes[a.CLONE_TOKEN]) == ("golden", "short")


def test_without_a_populator_the_claim_asks_for_a_copy_and_says_why() -> None:
    plan = decide(seen(volume(), clone(), has_driver=False))
    claim = plan.actions[-1]
    assert isinstance(claim, CreateClaim)
    notes, text = claim.body["metadata"]["annotations"], "In tree storage class does not support snapshot/clone"
    assert (notes[a.CLONE_REQUEST], notes[a.USE_POPULATOR]) == ("ns/golden", "false")
    assert (notes[a.CLONE_TYPE], notes[a.CLONE_FALLBACK]) == ("copy", text)
    assert claim.told == (Emit("Warning", "NoPopulator", text),)
    assert "dataSourceRef" not in claim.body["spec"]


def test_a_snapshot_is_named_with_its_group_and_gives_its_size() -> None:
    snapshot = msgspec.convert(
        {
            "metadata": {"namespace": "ns", "name": "golden"},
            "spec": {"volumeSnapshotClassName": "snaps"},
            "status": {"restoreSize": "1Gi", "readyToUse": True},
        },
        VolumeSnapshot,
    )
    spec = {"driver": "csi.test", "sourceVolumeMode": "Filesystem"}
    content = msgspec.convert({"spec": spec}, VolumeSnapshotContent)
    dv = volume(snapshot=True, spec={"storage": {}})
    known = clone(is_snapshot=True, snapshot=snapshot, content=content)
    plan = decide(seen(dv, known))
    named = only(plan, CreateSource).body["spec"]["source"]
    assert named == {"kind": "VolumeSnapshot", "name": "golden", "apiGroup": "snapshot.storage.k8s.io"}
    assert made(plan)["spec"]["resources"]["requests"]["storage"] == str(GiB)
    blocks = msgspec.convert({"spec": spec | {"sourceVolumeMode": "Block"}}, VolumeSnapshotContent)
    inflated = made(decide(seen(dv, replace(known, content=blocks))))
    assert inflated["spec"]["resources"]["requests"]["storage"] == "1138166334"


OUTPUTS = {
    a.CLONE_PHASE: "Succeeded",
    a.CLONE_OF: "true",
    a.CLONE_REQUEST: "other/secret",
    a.DATA_SOURCE_NAMESPACE: "other",
    a.OWN_CLONE_PLAN: "{}",
    a.EXTENDED_CLONE_TOKEN: "x",
}


def test_what_a_datavolume_says_of_clones_goes_to_no_claim_but_wishes_do() -> None:
    wishes = {a.OWN_CLONE_REQUIRE: "offload", a.CLONE_TYPE: "csi-clone"}
    large = clone(claim=golden(capacity="2Gi"))
    notes = made(decide(seen(volume(annotations=OUTPUTS | wishes), large)))["metadata"]["annotations"]
    assert not set(OUTPUTS) & set(notes)
    assert notes.items() >= wishes.items()


def test_a_claim_that_is_made_again_is_asked_for_nothing_that_we_chose_ourselves() -> None:
    dv = volume(annotations={a.CLONE_TYPE: "copy"}, status={"clone": {"method": "copy"}})
    assert a.CLONE_TYPE not in made(decide(seen(dv, clone())))["metadata"]["annotations"]
    wished = volume(annotations={a.CLONE_TYPE: "copy"}, status={"clone": {"method": "copy", "asked": "copy"}})
    assert made(decide(seen(wished, clone())))["metadata"]["annotations"][a.CLONE_TYPE] == "copy"


# --- what is waited for, and what is refused ------------------------------------------------------------------------


def held(at: Observed) -> tuple[str, str, str, str]:
    """Phase, reason and message of Bound, and code."""
    plan = decide(at)
    assert not [action for action in plan.actions if isinstance(action, (CreateClaim, CreateSource))]
    assert plan.hold is not None and plan.wait is None
    status = status_of(at, plan.hold)
    bound, ready, _ = status.conditions
    assert ready.reason == bound.reason
    return status.phase, bound.reason, bound.message, status.failure.code if status.failure else ""


@pytest.mark.parametrize(("is_snapshot", "word"), [(False, "pvc"), (True, "snapshot")])
def test_a_source_that_is_not_there_is_said_and_waited_for(is_snapshot: bool, word: str) -> None:
    at = seen(volume(snapshot=is_snapshot), clone(is_snapshot=is_snapshot, claim=None))
    text = f"The source {word} golden doesn't exist"
    assert held(at) == ("Pending", "CloneWithoutSource", text, "CloneSourceMissing")
    assert decide(at).actions == (Emit("Warning", "CloneWithoutSource", text),)


def test_a_datasource_that_leads_to_nothing_is_said_with_its_own_words() -> None:
    ready = {
        "type": "Ready",
        "status": "False",
        "reason": "SelfReference",
        "message": "DataSource cannot self-reference",
    }
    body = {
        "metadata": {"namespace": "ns", "name": "fedora"},
        "spec": {"source": {"dataSource": {"namespace": "ns", "name": "fedora"}}},
        "status": {"conditions": [ready]},
    }
    itself = msgspec.convert(body, DataSource)
    dv = msgspec.convert(
        {
            "metadata": {"name": "disk", "namespace": "ns", "uid": "u1"},
            "spec": {"sourceRef": {"kind": "DataSource", "name": "fedora"}, "storage": {}},
        },
        DataVolume,
    )
    assert origin_of(dv, itself) is None
    at = seen(dv, Cloned(trouble=why_not(dv, itself)))
    phase, reason, message, code = held(at)
    assert (phase, reason, code) == ("Pending", "CloneWithoutSource", "DataSourceUnready")
    assert message.endswith("DataSource may not be ready yet: SelfReference, DataSource cannot self-reference")
    assert why_not(dv, None) == 'datasources.cdi.kubevirt.io "fedora" not found'


def test_a_reference_leads_where_its_datasource_does() -> None:
    dv = msgspec.convert(
        {
            "metadata": {"name": "disk", "namespace": "ns"},
            "spec": {"sourceRef": {"kind": "DataSource", "name": "f", "namespace": "images"}},
        },
        DataVolume,
    )

    def led(spec: dict[str, Any], status: dict[str, Any]) -> Origin | None:
        body = {
            "metadata": {"namespace": "images", "name": "f"},
            "spec": {"source": spec},
            "status": {"source": status},
        }
        return origin_of(dv, msgspec.convert(body, DataSource))

    claim, snapshot = {"pvc": {"namespace": "", "name": "x"}}, {"snapshot": {"namespace": "images", "name": "y"}}
    assert led(claim, {}) == Origin("images", "x")
    assert led(snapshot, {}) == Origin("images", "y", is_snapshot=True)
    pointer = {"dataSource": {"namespace": "images", "name": "other"}}
    assert led(pointer, snapshot) == Origin("images", "y", is_snapshot=True)
    assert led(pointer, {}) is None


def test_without_a_token_nothing_is_cloned_from_another_namespace() -> None:
    there = held(seen(volume("golden"), clone("golden", is_permitted=False)))
    phase, reason, message, code = there
    assert (phase, reason, code) == ("Pending", "CloneNotPermitted", "CloneTokenMissing")
    assert "ns/disk" in message and "golden/golden" in message
    assert held(seen(volume("golden"), clone("golden", is_permitted=False, claim=None))) == there  # nobody learns more


@pytest.mark.parametrize(
    ("source_notes", "spec", "code"),
    [
        ({a.CONTENT_TYPE: "archive"}, {"storage": _size("1Gi")}, "CloneContentMismatch"),
        (DISK, {"storage": _size("1Gi"), "contentType": "archive"}, "CloneContentMismatch"),
        (DISK, {"pvc": {"accessModes": ["ReadWriteOnce"]} | _size("500Mi")}, "CloneTargetTooSmall"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_contract_s_words(
    source_notes: dict[str, str], spec: dict[str, Any], code: str
) -> None:
    at = seen(volume(spec=spec), clone(claim=golden(source_notes)))
    phase, reason, message, found = held(at)
    assert (phase, reason, found) == ("Pending", "CloneValidationFailed", code)
    assert message.startswith("The clone doesn't meet the validation requirements: ")
    events = {action.reason for action in decide(at).actions if isinstance(action, Emit)}
    assert "CloneValidationFailed" in events
    assert ("ErrIncompatiblePVC" in events) == (code == "CloneTargetTooSmall")


def test_a_method_that_cannot_work_is_refused_before_there_is_a_claim() -> None:
    other = msgspec.convert({"metadata": {"name": "slow"}, "provisioner": "csi.other"}, StorageClass)
    known = clone(claim=golden(storageClassName="slow"), classes={"fast": FAST, "slow": other})
    at = seen(volume(annotations={a.CLONE_TYPE: "csi-clone"}), known)
    _, _, message, code = held(at)
    assert code == "CloneImpossible"
    assert "csi-clone: Provisioners are incompatible" in message
    refused = status_of(at, decide(at).hold).clone
    assert refused is not None
    assert {item.method: item.code for item in refused.rejected}["csi-clone"] == "IncompatibleProvisioners"
    again = msgspec.structs.replace(at.volume, status=status_of(at, decide(at).hold))
    assert held(replace(at, volume=again))[3] == "CloneImpossible"  # what was refused is nobody's choice
    assert made(decide(seen(volume(), known)))  # without that wish it is copied


def test_a_snapshot_without_a_populator_is_refused() -> None:
    snapshot = msgspec.convert(
        {"spec": {"volumeSnapshotClassName": "s"}, "status": {"restoreSize": "1Gi"}}, VolumeSnapshot
    )
    at = seen(volume(snapshot=True), clone(is_snapshot=True, snapshot=snapshot), has_driver=False)
    assert held(at)[3] == "CloneImpossible"


# --- how large it is ------------------------------------------------------------------------------------------------


SIZELESS = volume(spec={"storage": {}})


def asked(plan: Plan) -> tuple[str, bool]:
    body = made(plan)
    return body["spec"]["resources"]["requests"]["storage"], a.PERMISSIVE_CLONE in body["metadata"]["annotations"]


def test_a_device_and_an_unknown_file_system_are_as_large_as_their_volumes() -> None:
    assert asked(decide(seen(SIZELESS, clone()))) == ("1138166334", False)  # room for a file system of its own
    blocks = replace(PROFILE, sets=(ClaimPropertySet(("ReadWriteMany",), "Block"),))
    device = clone(claim=golden(volumeMode="Block"))
    assert asked(decide(seen(SIZELESS, device, profile=blocks))) == (str(GiB), False)


def test_a_disk_that_a_pod_has_seen_is_as_large_as_that_while_its_volume_is() -> None:
    known = {a.VIRTUAL_SIZE: str(GiB // 2), a.SOURCE_CAPACITY: "1Gi"}
    assert asked(decide(seen(SIZELESS, clone(claim=golden(DISK | known))))) == ("569083167", True)
    lying = known | {a.VIRTUAL_SIZE: str(1 << 50)}
    assert asked(decide(seen(SIZELESS, clone(claim=golden(DISK | lying))))) == ("1138166334", False)
    grown = golden(DISK | known, capacity="2Gi")
    assert only(decide(seen(SIZELESS, clone(claim=grown))), CreateDetection)


def looking(**known: Any) -> tuple[Plan, str]:
    at = seen(SIZELESS, clone(claim=golden(DISK), **known))
    plan = decide(at)
    assert plan.hold is not None
    assert not [action for action in plan.actions if isinstance(action, CreateClaim)]
    return plan, status_of(at, plan.hold).phase


def test_what_only_a_pod_can_know_is_asked_of_one_that_gets_nothing_else() -> None:
    plan, phase = looking()
    body = only(plan, CreateDetection).body
    assert phase == "CloneScheduled"
    assert (body["metadata"]["name"], body["metadata"]["namespace"]) == ("size-detection-g1", "ns")
    spec = body["spec"]
    assert spec["volumes"] == [
        {"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": "golden", "readOnly": True}}
    ]
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["command"] == ["/usr/bin/cdi-image-size-detection"]


def test_a_source_that_is_still_filled_is_not_looked_at_and_who_uses_it_is_told() -> None:
    plan, phase = looking(is_populated=False, users=("ns/vm",))
    events = [action.reason for action in plan.actions if isinstance(action, Emit)]
    assert (phase, events) == ("CloneScheduled", ["CloneSourceInUse", "ImportPVCNotReady"])
    assert not [action for action in plan.actions if isinstance(action, CreateDetection)]


def pod(code: int | None = None, message: str = "") -> Pod:
    state = {} if code is None else {"terminated": {"exitCode": code, "message": message}}
    metadata = {"name": "size-detection-g1", "namespace": "ns", "uid": "p1"}
    return msgspec.convert({"metadata": metadata, "status": {"containerStatuses": [{"state": state}]}}, Pod)


def test_what_the_pod_saw_is_kept_on_the_source_and_the_pod_goes() -> None:
    plan, _ = looking(detection=pod(0, str(GiB // 2)))
    kept = only(plan, AnnotateSource)
    assert kept.annotations == {a.VIRTUAL_SIZE: str(GiB // 2), a.SOURCE_CAPACITY: "1Gi"}
    assert only(plan, DeletePod) == DeletePod("size-detection-g1", "ns", "p1")


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (2, "", "ErrInvalidFile"),
        (3, "", "ErrInvalidPath"),
        (9, "", "ErrUnknown"),
        (0, "many", "ErrUnknown"),
        (0, "1" * 1000, "ErrUnknown"),
        (0, "-5", "ErrUnknown"),
    ],
)
def test_a_pod_that_saw_nothing_is_told_and_another_one_tries_later(code: int, message: str, reason: str) -> None:
    plan, phase = looking(detection=pod(code, message))
    assert only(plan, Emit).reason == reason
    assert only(plan, DeletePod)
    assert phase == "CloneScheduled"
    assert plan.wait is not None


def test_a_pod_that_runs_is_waited_for() -> None:
    plan, _ = looking(detection=pod())
    assert [action.reason for action in plan.actions if isinstance(action, Emit)] == ["SizeDetectionPodNotReady"]


# --- there is a claim -----------------------------------------------------------------------------------------------


PHASES = {
    "": "CloneScheduled",
    "Pending": "CloneScheduled",
    "Snapshot": "SnapshotForSmartCloneInProgress",
    "SnapshotClone": "CloneFromSnapshotSourceInProgress",
    "CSIClone": "CSICloneInProgress",
    "HostClone": "CloneInProgress",
    "PrepClaim": "PrepClaimInProgress",
    "Rebind": "RebindInProgress",
    "Succeeded": "Succeeded",
    "something": "CloneScheduled",
}
TEXTS = {
    "CloneScheduled": "Cloning from ns/golden into ns/disk scheduled",
    "SnapshotForSmartCloneInProgress": "Creating snapshot for smart-clone is in progress (for pvc ns/golden)",
    "CloneFromSnapshotSourceInProgress": "Creating PVC from snapshot source is in progress (for pvc ns/golden)",
    "CSICloneInProgress": "CSI Volume clone in progress (for pvc ns/golden)",
    "CloneInProgress": "Cloning from ns/golden into ns/disk in progress",
    "PrepClaimInProgress": "Prepping PersistentVolumeClaim for DataVolume ns/disk",
    "RebindInProgress": "Rebinding PersistentVolumeClaim for DataVolume ns/disk",
    "Succeeded": "Successfully cloned from ns/golden into ns/disk",
}


@pytest.mark.parametrize("said", PHASES)
def test_phases_and_events_of_a_populators_clone_are_the_contract_s(said: str) -> None:
    at = seen(volume(status={"phase": "Pending"}), clone(), target(said=said))
    status = status_of(at)
    assert status.phase == PHASES[said]
    reason = "CloneSucceeded" if status.phase == "Succeeded" else status.phase
    assert announcement(at, status.phase) == Emit("Normal", reason, TEXTS[status.phase])
    assert status.progress == ("100.0%" if status.phase == "Succeeded" else "N/A")


@pytest.mark.parametrize("before", ["CSICloneInProgress", "CloneInProgress"])
def test_an_error_keeps_the_phase_and_is_a_failure(before: str) -> None:
    notes = {a.RUNNING: "false", a.RUNNING_REASON: "Error", a.RUNNING_MESSAGE: "no"}
    status = status_of(seen(volume(status={"phase": before}), clone(), target(said="Error", **notes)))
    assert status.phase == before
    assert status.failure is not None
    assert status_of(seen(volume(), clone(), target(said="Error", **notes))).phase == "CloneScheduled"


def test_who_waits_for_a_consumer_says_so() -> None:
    waits = msgspec.structs.replace(FAST, volume_binding_mode="WaitForFirstConsumer")
    assert status_of(seen(volume(), clone(), target(), storage_class=waits)).phase == "PendingPopulation"
    node = target(**{a.SELECTED_NODE: "n1"})
    assert status_of(seen(volume(), clone(), node, storage_class=waits)).phase == "CloneScheduled"


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        (target("Bound", named=False, **{a.CLONE_REQUEST: "ns/golden"}), "CloneScheduled"),
        (target("Bound", named=False, pod="Running", **{a.CLONE_REQUEST: "ns/golden"}), "CloneInProgress"),
        (target("Bound", named=False, pod="Failed", **{a.CLONE_REQUEST: "ns/golden"}), "CloneScheduled"),
        (target("Bound", named=False, pod="Succeeded", **{a.CLONE_REQUEST: "ns/golden"}), "Succeeded"),
        (target("Bound", named=False, **{a.CLONE_REQUEST: "x/y", a.CLONE_OF: "true"}), "Succeeded"),
        (target("Bound"), "Succeeded"),  # another version has cloned it
        (target("Lost"), "Failed"),
    ],
)
def test_phases_of_other_claims(found: PersistentVolumeClaim, phase: str) -> None:
    assert status_of(seen(volume(), clone(), found)).phase == phase


def test_two_pods_tell_of_one_copy() -> None:
    def running(own: str, other: str) -> tuple[str, str, str]:
        said = {a.RUNNING: own, a.RUNNING_REASON: "R1", a.RUNNING_MESSAGE: "one"}
        said |= {a.SOURCE_RUNNING: other, a.SOURCE_RUNNING_REASON: "R2", a.SOURCE_RUNNING_MESSAGE: "two"}
        found = status_of(seen(volume(), clone(), target(said="HostClone", **said))).conditions[2]
        return found.status, found.reason, found.message

    assert running("true", "true") == ("True", "R1", "one")
    assert running("true", "false") == ("False", "R2", "two")
    assert running("false", "true") == ("False", "R1", "one")
    assert running("false", "false") == ("False", "R1 and R2", "one and two")
    assert running("false", "maybe") == ("Unknown", "R1 and R2", "one and two")
    assert running("maybe", "true") == ("Unknown", "R1", "one")


def test_the_plan_on_the_claim_is_the_status_s() -> None:
    written = '{"method":"copy","rejected":[{"method":"snapshot","code":"NoVolumeExpansion"}],"movesAtMost":5}'
    found = status_of(seen(volume(), clone(), target(**{a.OWN_CLONE_PLAN: written}))).clone
    assert found is not None
    assert (found.method, found.rejected[0].code, found.moves_at_most) == ("copy", "NoVolumeExpansion", 5)
    before = volume(status={"clone": {"method": "copy"}})
    assert status_of(seen(before, clone(), target(**{a.OWN_CLONE_PLAN: "nonsense"}))).clone == Clone("copy")


def test_a_claim_from_another_namespace_gets_a_token_for_itself() -> None:
    dv = volume("golden", finalizers=[FINALIZER])
    notes = {a.DATA_SOURCE_NAMESPACE: "golden"}
    known = clone("golden", sources=(source("golden", **{a.OWNED_BY_VOLUME: "ns/disk"}),))
    (vouch,) = decide(seen(dv, known, target(**notes))).actions
    assert isinstance(vouch, VouchClaim)
    assert vouch.permit == Permit(Place("golden", "golden"), Place("ns", "disk"), uid="c1")
    assert decide(seen(dv, replace(known, claim_is_lasting=True), target(**notes))).actions == ()


def test_a_source_object_that_is_gone_comes_back_where_the_claim_looks_for_it() -> None:
    assert only(decide(seen(volume(), clone(), target())), CreateSource).body["metadata"]["namespace"] == "ns"
    moved = decide(seen(volume("golden"), clone("golden", claim_is_lasting=True), target()))
    assert moved.actions == ()  # the DataSource leads elsewhere now: the claim does not


def test_a_type_that_was_chosen_is_told_on_the_datavolume() -> None:
    plan = decide(seen(volume(), clone(sources=(source("ns"),)), target(**{a.CLONE_TYPE: "csi-clone"})))
    assert plan.actions == (AnnotateVolume({a.CLONE_TYPE: "csi-clone"}),)


def test_when_all_is_done_the_source_object_goes_and_then_the_finalizer() -> None:
    dv = volume("golden", finalizers=["mine", FINALIZER], status={"phase": "Succeeded"})
    known = clone("golden", sources=(source("golden", **{a.OWNED_BY_VOLUME: "ns/disk"}),))
    done = target("Bound", said="Succeeded")
    gone, left = decide(seen(dv, known, done)).actions
    assert gone == DeleteSource("VolumeCloneSource", NAME, "s1", "golden")
    assert left == SetFinalizers(("mine",))
    bare = volume("golden", finalizers=["mine"], status={"phase": "Succeeded"})
    assert decide(seen(bare, clone("golden"), done)).actions == ()
