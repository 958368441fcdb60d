"""What a DataVolume makes, and what its status says, by example."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeImportSource
from cdi.base.wire.progress import ProgressLine
from cdi.contract import annotations as a
from cdi.controllers.cluster import CLAIM_ADOPTION, HONOR_WAIT_FOR_FIRST_CONSUMER, Cluster
from cdi.controllers.datavolume.conditions import condition_events
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.phases import announcement
from cdi.controllers.datavolume.plan import AdoptClaim, AnnotateClaim, AnnotateVolume, CreateClaim, CreateSource, Emit
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.population.way import is_being_filled
from cdi.kube.objects import Metadata
from cdi.kube.storage import ClaimSpec, PersistentVolume, PersistentVolumeClaim, StorageClass, TypedReference
from cdi.sources.request import asked_of, parameters_of
from storageprofiles.rendering import ClaimPropertySet, Profile

NOW = "2026-01-01T00:00:00Z"
FAST = StorageClass(provisioner="csi.test", volume_binding_mode="Immediate")
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteMany",), "Block"),))
CLUSTER = Cluster(gates=frozenset({HONOR_WAIT_FOR_FIRST_CONSUMER}))


def volume(spec: dict[str, Any], **metadata: Any) -> DataVolume:
    base = {"name": "disk", "namespace": "ns", "uid": "u1"}
    return msgspec.convert({"metadata": base | metadata, "spec": spec}, DataVolume)


def http(**more: Any) -> DataVolume:
    spec = {"source": {"http": {"url": "http://a/disk.img"}}, "storage": _size()}
    return volume(spec, **more)


def _size() -> dict[str, Any]:
    return {"resources": {"requests": {"storage": "1Gi"}}}


def claim(phase: str = "Bound", owner: str = "u1", **notes: str) -> PersistentVolumeClaim:
    keys = {"phase_": a.POD_PHASE, "running": a.RUNNING, "reason": a.RUNNING_REASON, "message": a.RUNNING_MESSAGE}
    annotations = {keys.get(key, key): value for key, value in notes.items()} | {a.CREATED_FOR: "u1"}
    owners = [{"uid": owner, "controller": True, "kind": "DataVolume", "name": "disk"}] if owner else []
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations, "ownerReferences": owners}
    return msgspec.convert({"metadata": metadata, "status": {"phase": phase}}, PersistentVolumeClaim)


def seen(dv: DataVolume, found: PersistentVolumeClaim | None = None, **more: Any) -> Observed:
    known: dict[str, Any] = {"storage_class": FAST, "named_class": "fast", "profile": PROFILE, "cluster": CLUSTER}
    known["is_being_filled"] = found is not None and is_being_filled(found)
    return Observed(dv, found, now=NOW, **(known | more))


def test_a_class_with_a_driver_gets_a_source_object_and_a_claim_that_names_it() -> None:
    plan = decide(seen(http(), has_driver=True))
    note, source, made = plan.actions
    assert isinstance(note, AnnotateVolume)
    assert note.annotations == {a.USE_POPULATOR: "true"}
    assert isinstance(source, CreateSource)
    assert source.body["spec"]["source"] == {"http": {"url": "http://a/disk.img"}}
    assert isinstance(made, CreateClaim)
    assert made.body["spec"]["dataSourceRef"]["name"] == source.body["metadata"]["name"]
    assert made.body["spec"]["accessModes"] == ["ReadWriteMany"]
    assert made.body["spec"]["volumeMode"] == "Block"
    assert a.ENDPOINT not in made.body["metadata"]["annotations"]


def test_the_placeholder_of_the_webhook_is_as_good_as_no_volume_mode() -> None:
    def made(profile: Profile | None, **storage: Any) -> dict[str, Any]:
        spec = {"source": {"blank": {}}, "storage": _size() | {"volumeMode": "FromStorageProfile"} | storage}
        action = decide(seen(volume(spec), profile=profile)).actions[-1]
        assert isinstance(action, CreateClaim)
        return dict(action.body["spec"])

    rendered = made(PROFILE)
    assert (rendered["accessModes"], rendered["volumeMode"]) == (["ReadWriteMany"], "Block")
    assert made(PROFILE, accessModes=["ReadWriteMany"])["volumeMode"] == "Block"
    assert made(None, accessModes=["ReadWriteOnce"])["volumeMode"] == "Filesystem"


def test_a_class_without_a_driver_gets_a_claim_that_says_it_all() -> None:
    plan = decide(seen(http(), has_driver=False))
    made = plan.actions[-1]
    assert isinstance(made, CreateClaim)
    annotations = made.body["metadata"]["annotations"]
    assert (annotations[a.SOURCE], annotations[a.ENDPOINT]) == ("http", "http://a/disk.img")
    assert "dataSourceRef" not in made.body["spec"]


S3 = {"source": {"s3": {"url": "s3://bucket/disk.img"}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}}


def test_a_checksum_on_the_datavolume_serves_any_source() -> None:
    noted = volume(S3, annotations={a.CHECKSUM: "md5:12"})
    for has_driver in (False, True):  # the direct way reads it off the claim, the populators' way off the target
        made = decide(seen(noted, has_driver=has_driver)).actions[-1]
        assert isinstance(made, CreateClaim)
        assert made.body["metadata"]["annotations"][a.CHECKSUM] == "md5:12"


def test_a_checksum_on_the_datavolume_may_be_corrected() -> None:
    noted = volume(S3, annotations={a.CHECKSUM: "md5:34"})
    asks = {a.SOURCE: "s3", a.ENDPOINT: "s3://bucket/disk.img", a.CHECKSUM: "md5:12"}
    (action,) = decide(seen(noted, claim(**asks))).actions
    assert isinstance(action, AnnotateClaim)
    assert action.annotations == {a.CHECKSUM: "md5:34"}


def test_what_was_decided_once_stays() -> None:
    plan = decide(seen(http(annotations={a.USE_POPULATOR: "false"}), has_driver=True))
    assert [type(action) for action in plan.actions] == [CreateClaim]


def test_no_class_is_waited_for_and_said() -> None:
    at = seen(http(), storage_class=None, named_class=None, profile=None)
    plan = decide(at)
    text = "PVC spec is missing accessMode and no storageClass to choose profile"
    assert plan.actions == (Emit("Warning", "ErrClaimNotValid", text),)
    assert plan.wait is None
    status = status_of(at, plan.hold)
    bound, ready, _ = status.conditions
    assert (status.phase, bound.reason, bound.message) == ("", "ErrClaimNotValid", text)
    assert (ready.status, ready.reason) == ("False", "ErrClaimNotValid")


def test_a_file_system_on_a_class_that_nobody_knows_gets_room_for_itself() -> None:
    said = _size() | {"accessModes": ["ReadWriteOnce"], "storageClassName": "later"}
    asked = volume({"source": {"blank": {}}, "storage": said})
    small = dataclasses.replace(CLUSTER, global_overhead="0.06")
    at = seen(asked, storage_class=None, named_class="later", profile=None, cluster=small)
    made = decide(at).actions[-1]
    assert isinstance(made, CreateClaim)
    assert made.body["spec"]["resources"]["requests"]["storage"] == "1138166334"


def test_an_assumed_profile_is_warned_about() -> None:
    first = decide(seen(http(), is_assumed=True)).actions[0]
    assert isinstance(first, Emit)
    assert (first.type, first.reason) == ("Warning", "DefaultClaimProperties")


@pytest.mark.parametrize("source", ["registry", "imageio", "vddk", "gcs"])
def test_a_source_that_nobody_serves_says_so(source: str) -> None:
    members = {"registry": {"url": "docker://a"}, "gcs": {"url": "gs://a/b"}}
    at = seen(volume({"source": {source: members.get(source, {"url": "https://a"})}, "storage": _size()}))
    plan = decide(at)
    assert plan.hold is not None
    assert "not acted on by this version" in status_of(at, plan.hold).conditions[0].message


PHASES = {
    "no claim yet": (None, "Pending"),
    "bound, nothing else": (claim(), "PVCBound"),
    "worker made": (claim(**{a.POD_NAME: "importer-disk"}), "ImportScheduled"),
    "worker waits": (claim(phase_="Pending"), "ImportScheduled"),
    "worker runs": (claim(phase_="Running", running="true"), "ImportInProgress"),
    "refused by a quota": (claim(phase_="Failed", running="false"), "ImportScheduled"),
    "given up": (claim(phase_="Failed", **{a.FATAL: "true"}), "Failed"),
    "done": (claim(phase_="Succeeded"), "Succeeded"),
    "done, bound a moment later": (claim("Pending", phase_="Succeeded"), "Succeeded"),
    "lost": (claim("Lost"), "Failed"),
    "populated for it": (claim(**{a.POPULATED_FOR: "disk"}), "Succeeded"),
    "somebody else's": (claim(owner="other"), "Pending"),
}


@pytest.mark.parametrize("case", PHASES)
def test_the_phase_is_read_off_the_claim(case: str) -> None:
    found, phase = PHASES[case]
    assert status_of(seen(http(), found)).phase == phase


def test_a_held_import_shows_its_fault_and_stays_in_progress() -> None:
    message = "Unable to connect to http data source: 404 [SourceNotFound] gone. Try: correct the URL."
    found = claim(phase_="Running", running="false", reason="Error", message=message, **{a.POD_RESTARTS: "3"})
    status = status_of(seen(http(), found))
    assert status.phase == "ImportInProgress"
    assert status.failure is not None
    assert (status.failure.code, status.failure.permanent, status.failure.attempts) == ("SourceNotFound", True, 4)
    bound, ready, running = status.conditions
    assert (bound.status, ready.status, ready.reason) == ("True", "False", "")
    assert (running.status, running.reason, running.message) == ("False", "Error", message)
    assert status.restart_count == 3


def test_times_of_conditions_stay_while_nothing_changes() -> None:
    first = status_of(seen(http(), claim()))
    later = status_of(replace_now(seen(replace(http(), status=first), claim()), "2026-01-01T01:00:00Z"))
    assert [item.last_transition_time for item in later.conditions] == [NOW] * 3
    assert later == first


def replace_now(at: Observed, moment: str) -> Observed:
    return dataclasses.replace(at, now=moment)


def test_an_orphan_is_taken_over_only_when_that_is_allowed() -> None:
    orphan = claim(owner="", **{a.CREATED_FOR: ""})
    orphan = replace(orphan, metadata=replace(orphan.metadata, annotations={}))
    allowed = http(annotations={a.ADOPTION: "true"})
    assert [type(action) for action in decide(seen(allowed, orphan)).actions] == [AdoptClaim]
    refused = decide(seen(http(), orphan)).actions
    assert isinstance(refused[0], Emit)
    assert refused[0].reason == "ErrResourceExists"


@pytest.mark.parametrize("allowed", [{a.ADOPTION: "true"}, {}], ids=["allowed", "allowed once"])
@pytest.mark.parametrize("made_for", [{}, {a.CREATED_FOR: "a former one"}], ids=["by hand", "orphan"])
def test_nothing_is_ever_imported_over_what_was_taken_over(allowed: dict[str, str], made_for: dict[str, str]) -> None:
    found = claim()  # controlled by the DataVolume, as it is after the adoption
    taken = replace(found, metadata=replace(found.metadata, annotations=made_for))
    reference = TypedReference(api_group="cdi.kubevirt.io", kind="VolumeImportSource", name="of a former one")
    populated = replace(taken, spec=replace(taken.spec, data_source_ref=reference, volume_name="pv"))
    for known in (taken, populated):
        at = seen(http(annotations=allowed), known)
        assert decide(at).actions == ()
        assert status_of(at).phase == "Succeeded"


def test_a_claim_that_an_older_version_fills_is_not_done_before_it_is_filled() -> None:
    """Ours by its owner, without the mark that it was made for us."""

    def unmarked(found: PersistentVolumeClaim) -> PersistentVolumeClaim:
        notes = {key: value for key, value in found.metadata.annotations.items() if key != a.CREATED_FOR}
        return replace(found, metadata=replace(found.metadata, annotations=notes))

    reference = TypedReference(api_group="cdi.kubevirt.io", kind="VolumeImportSource", name="source")
    waiting = claim("Pending")
    asks = replace(waiting, spec=replace(waiting.spec, data_source_ref=reference))
    runs = claim(phase_="Running", running="true", **WORK)
    for gates in ((), (CLAIM_ADOPTION,)):
        cluster = Cluster(gates=frozenset({HONOR_WAIT_FOR_FIRST_CONSUMER, *gates}))
        found = [
            status_of(seen(http(), unmarked(each), storage_class=LATE, cluster=cluster)).phase for each in (runs, asks)
        ]
        assert found == ["ImportInProgress", "PendingPopulation"]
    assert status_of(seen(http(), unmarked(claim(phase_="Succeeded", **WORK)))).phase == "Succeeded"


def test_a_list_of_volumes_that_is_none_is_left_alone() -> None:
    for text in ("null", "3", "{", '"pv"'):
        assert decide(seen(http(), claim(**{a.VOLUME_LIST: text}))).actions == ()


def test_what_a_permanent_fault_does_may_be_decided_when_it_is_there() -> None:
    held = claim(phase_="Running", **WORK)
    (action,) = decide(seen(http(annotations={a.OWN_FAILURE_POLICY: "Fail"}), held)).actions
    assert isinstance(action, AnnotateClaim)
    assert action.annotations == {a.OWN_FAILURE_POLICY: "Fail"}
    (action,) = decide(seen(http(), claim(phase_="Running", **WORK, **{a.OWN_FAILURE_POLICY: "Fail"}))).actions
    assert isinstance(action, AnnotateClaim)
    assert action.annotations == {a.OWN_FAILURE_POLICY: None}


def test_a_worker_that_may_not_start_is_a_failure_and_no_start() -> None:
    refused = claim(phase_="Failed", running="false", reason="ErrExceededQuota", message="exceeded quota")
    at = seen(http(), refused)
    status = status_of(at)
    assert status.phase == "ImportScheduled"
    expected = Emit("Warning", "ImportFailed", "Failed to import into PVC disk")
    assert announcement(at, status.phase) == expected


def test_rate_and_remaining_time_are_those_of_a_worker_that_runs() -> None:
    moving = ProgressLine(stage="Fetching", bytes_done=5, bytes_total=10, rate_bps=2.4, eta_seconds=3.2)
    runs, fails = (claim(phase_="Running", running=word, **WORK) for word in ("true", "false"))
    transfer = status_of(seen(http(), runs, progress=moving)).transfer
    assert transfer is not None
    assert (transfer.rate_bps, transfer.eta_seconds, transfer.eta) == (2, 3, "3.0 s")
    assert status_of(seen(http(), fails, progress=moving)).transfer is None


HELD = "Unable to connect to http data source: [SourceNotFound] GET http://a/disk.img answered 404."


def held(dv: DataVolume, **notes: str) -> PersistentVolumeClaim:
    """A claim whose worker has failed with the source that ``dv`` has."""
    assert dv.spec.source is not None
    asked = asked_of(dv.spec.source, {}) | {a.CONTENT_TYPE: "kubevirt", a.PREALLOCATION_REQUESTED: "false"}
    parameters = parameters_of(asked)
    assert parameters is not None
    told = {"phase_": "Running", "running": "false", "reason": "Error", "message": HELD}
    return claim(**asked, **(told | {a.OWN_DIGEST: parameters.digest} | notes))


def test_a_failure_says_all_that_is_known_of_it_also_while_the_next_attempt_runs() -> None:
    dv = http(generation=3)
    failure = status_of(seen(dv, held(dv))).failure
    assert failure is not None
    assert (failure.code, failure.permanent, failure.message, failure.generation) == ("SourceNotFound", True, HELD, 3)
    told = replace(dv, status=replace(dv.status, failure=failure))
    again = held(dv, running="true", reason="Pod is running", message="")
    assert status_of(seen(told, again)).failure == failure


def test_a_failure_ends_with_the_source_that_failed() -> None:
    dv = http(generation=3)
    told = replace(dv, status=replace(dv.status, failure=status_of(seen(dv, held(dv))).failure))
    corrected = msgspec.structs.replace(told, spec=volume({"source": {"http": {"url": "http://a/other"}}}).spec)
    assert status_of(seen(corrected, held(dv))).failure is None


def test_a_failure_ends_when_data_flows() -> None:
    dv = http()
    told = replace(dv, status=replace(dv.status, failure=status_of(seen(dv, held(dv))).failure))
    again = held(dv, running="true", reason="Pod is running", message="")
    still, moving = ProgressLine(stage="Probing"), ProgressLine(stage="Fetching", bytes_done=9, rate_bps=5)
    assert status_of(seen(told, again, progress=still)).failure is not None
    assert status_of(seen(told, again, progress=moving)).failure is None


@pytest.mark.parametrize(("named", "code"), [("slwo", "StorageClassUnknown"), (None, "DefaultClassMissing")])
def test_a_class_that_is_missing_is_named_for_people(named: str | None, code: str) -> None:
    """In the conditions stands what the contract has, word by word."""
    at = seen(http(), storage_class=None, named_class=named, profile=None)
    plan = decide(at)
    status = status_of(at, plan.hold)
    assert status.conditions[0].message == "PVC spec is missing accessMode and no storageClass to choose profile"
    assert status.failure is not None
    assert status.failure.code == code
    assert status.failure.message.startswith(status.conditions[0].message)
    assert not named or f"there is no storage class {named}." in status.failure.message
    assert [event.type for event in condition_events([], status.conditions)] == []  # decide warns of it


def test_a_claim_of_a_class_that_is_not_there_says_so_when_the_cluster_complains() -> None:
    dv = volume({"source": {"blank": {}}, "pvc": {"storageClassName": "slwo"}})
    waiting = claim("Pending", **WORK)
    waiting = replace(waiting, spec=replace(waiting.spec, storage_class_name="slwo"))
    assert status_of(seen(dv, waiting, storage_class=None)).failure is None
    told = {a.BOUND: "false", a.BOUND_MESSAGE: 'storageclass "slwo" not found'}
    told = replace(waiting, metadata=replace(waiting.metadata, annotations=waiting.metadata.annotations | told))
    failure = status_of(seen(dv, told, storage_class=None)).failure
    assert failure is not None
    assert (failure.code, failure.permanent) == ("StorageClassUnknown", True)


@pytest.mark.parametrize("eta", [1e22, 2.0**31, -1.0, None])
def test_a_time_that_nobody_can_tell_is_not_told(eta: float | None) -> None:
    stalled = ProgressLine(stage="Fetching", bytes_done=5, bytes_total=10, rate_bps=0.1, eta_seconds=eta)
    transfer = status_of(seen(http(), claim(phase_="Running", running="true"), progress=stalled)).transfer
    assert transfer is not None
    assert (transfer.eta_seconds, transfer.eta) == (None, "")


def test_a_change_of_phase_is_announced_once() -> None:
    done = seen(http(), claim(phase_="Succeeded"))
    event = announcement(done, "Succeeded")
    assert event == Emit("Normal", "ImportSucceeded", "Successfully imported into PVC disk")
    told = replace(http(), status=status_of(done))
    assert announcement(seen(told, claim(phase_="Succeeded")), "Succeeded") is None


def adopted(found: PersistentVolumeClaim, **more: Any) -> Observed:
    orphan = replace(found, metadata=replace(found.metadata, annotations=more))
    return seen(http(annotations={a.ADOPTION: "true"}), orphan)


def test_a_claim_that_another_controller_owns_is_not_taken_from_it() -> None:
    at = adopted(claim(owner="a statefulset"))
    event = decide(at).actions[0]
    assert isinstance(event, Emit)
    assert event.reason == "ErrResourceExists"
    assert status_of(at).phase == "Pending"


def test_a_populated_claim_of_another_controller_is_not_taken_either() -> None:
    at = seen(http(), claim(owner="other", **{a.POPULATED_FOR: "disk"}))
    assert not [action for action in decide(at).actions if isinstance(action, AdoptClaim)]


def reserved(mode: str = "Block", size: str = "2Gi") -> PersistentVolume:
    spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"], "volumeMode": mode}
    found = {"metadata": {"name": "prepared"}, "spec": spec | {"storageClassName": "fast"}}
    return msgspec.convert(found, PersistentVolume)


@pytest.mark.parametrize(
    ("prepared", "taken"),
    [(reserved(), True), (reserved("Filesystem"), False), (reserved(size="1Mi"), False)],
    ids=["as the profile has it", "of another mode", "too small"],
)
def test_a_prepared_volume_is_compared_with_the_claim_as_it_will_be(prepared: PersistentVolume, taken: bool) -> None:
    at = seen(http(annotations={a.CHECK_STATIC: ""}), volumes=(prepared,))
    made = decide(at).actions[-1]
    assert isinstance(made, CreateClaim)
    assert (a.VOLUME_LIST in made.body["metadata"]["annotations"]) is taken


def test_a_mark_of_being_populated_reaches_the_claim_when_it_is_true() -> None:
    marked = http(annotations={a.POPULATED_FOR: "other"})
    found = claim(phase_="Succeeded")
    done = replace(marked, status=replace(marked.status, phase="Succeeded"))
    assert {a.POPULATED_FOR: "other"} in [
        action.annotations for action in decide(seen(done, found)).actions if isinstance(action, AnnotateClaim)
    ]
    assert not [action for action in decide(seen(marked, found)).actions if isinstance(action, AnnotateClaim)]


def external(kind: str = "Populator", **more: Any) -> tuple[Observed, PersistentVolumeClaim]:
    reference = {"apiGroup": "example.com", "kind": kind, "name": "sample"}
    spec = {"accessModes": ["ReadWriteOnce"], "dataSourceRef": reference}
    made = replace(claim(), spec=msgspec.convert({"spec": spec}, PersistentVolumeClaim).spec)
    return seen(volume({"pvc": spec | {"resources": {"requests": {"storage": "1Gi"}}}}), made, **more), made


def test_what_others_populate_is_done_when_it_is_bound() -> None:
    at, _ = external(has_driver=True)
    assert decide(at).actions == ()
    assert status_of(at).phase == "Succeeded"
    event = announcement(at, "Succeeded")
    assert event is not None
    assert (event.reason, event.message) == (
        "ExternalPopulationSucceeded",
        "PVC disk successfully populated by sample",
    )


def test_what_others_populate_may_wait_for_the_consumer_that_waits_for_it() -> None:
    late = StorageClass(provisioner="csi.test", volume_binding_mode="WaitForFirstConsumer")
    at, made = external(has_driver=True, storage_class=late)
    waiting = replace(made, status=replace(made.status, phase="Pending"))
    assert status_of(dataclasses.replace(at, claim=waiting)).phase == "PendingPopulation"
    chosen = replace(waiting, metadata=replace(made.metadata, annotations={a.SELECTED_NODE: "node"}))
    assert status_of(dataclasses.replace(at, claim=chosen)).phase == "Pending"


LATE = StorageClass(metadata=Metadata(name="late"), provisioner="csi.test", volume_binding_mode="WaitForFirstConsumer")


def test_a_wait_for_a_consumer_says_what_ends_it() -> None:
    def message(dv: DataVolume, found: PersistentVolumeClaim) -> str:
        bound = status_of(seen(dv, found, storage_class=LATE)).conditions[0]
        assert (bound.status, bound.reason) == ("False", "Pending")
        return bound.message

    waiting = claim("Pending")
    said = message(http(), waiting)
    assert said.startswith("PVC disk Pending: storage class late makes a volume where the first pod that uses it runs")
    assert said.endswith(f" Try: start the VM or pod, or annotate the DataVolume with {a.IMMEDIATE}=true")
    scheduled = claim("Pending", phase_="Pending")
    assert message(http(), scheduled) == "PVC disk Pending"


def test_a_wait_for_a_consumer_ends_when_the_datavolume_says_so() -> None:
    told = http(annotations={a.IMMEDIATE: "true"})
    (action,) = decide(seen(told, claim("Pending", **WORK), storage_class=LATE)).actions
    assert isinstance(action, AnnotateClaim)
    assert action.annotations == {a.IMMEDIATE: "true"}
    for settled in (claim("Pending", **WORK, **{a.IMMEDIATE: ""}), claim("Bound", **WORK)):
        assert decide(seen(told, settled, storage_class=LATE)).actions == ()


WORK = {a.SOURCE: "http", a.ENDPOINT: "http://a/disk.img"}


@pytest.mark.parametrize(
    ("has_driver", "reason"), [(False, "NoCSIDriverForExternalPopulation"), (True, "NoAnyVolumeDataSource")]
)
def test_what_nobody_can_populate_is_no_success(has_driver: bool, reason: str) -> None:
    at, made = external(has_driver=has_driver)
    dropped = replace(made, spec=replace(made.spec, data_source_ref=None))
    at = dataclasses.replace(at, claim=dropped)
    assert [action.reason for action in decide(at).actions if isinstance(action, Emit)] == [reason]
    assert status_of(at).phase == "PVCBound"


def test_a_snapshot_needs_no_driver() -> None:
    at, _ = external("VolumeSnapshot", has_driver=False)
    assert decide(at).actions == ()


def test_people_learn_of_bound_and_of_grief_once() -> None:
    found = claim(phase_="Running", running="false", reason="Error", message="Unable to connect")
    status = status_of(seen(http(), found))
    events = condition_events([], status.conditions)
    assert [(event.type, event.reason) for event in events] == [("Normal", "Bound"), ("Warning", "Error")]
    assert condition_events(status.conditions, status.conditions) == []


@pytest.mark.parametrize(
    "found",
    [
        claim(phase_="Succeeded", running="false", reason="Completed", message="Import Complete"),
        claim(phase_="Running", running="false", reason="Scratch space required", message="none found"),
        claim(phase_="Running", running="true", reason="Pod is running"),
    ],
)
def test_no_warning_about_what_is_in_order(found: PersistentVolumeClaim) -> None:
    events = condition_events([], status_of(seen(http(), found)).conditions)
    assert [event.reason for event in events] == ["Bound"]


SIZELESS = {"storage": {"storageClassName": "fast"}}
UPLOAD = {"source": {"upload": {}}}
UNSERVED = {
    "registry": {"source": {"registry": {"url": "docker://a/b"}}},
}
CLONES = {
    "clone": {"source": {"pvc": {"namespace": "ns", "name": "golden"}}},
    "snapshot": {"source": {"snapshot": {"namespace": "ns", "name": "golden"}}},
}


@pytest.mark.parametrize("source", ["upload", *UNSERVED, *CLONES])
def test_a_prepared_volume_is_taken_whatever_the_source_is(source: str) -> None:
    noted = volume(
        (UNSERVED | CLONES | {"upload": UPLOAD})[source] | {"storage": _size()}, annotations={a.CHECK_STATIC: ""}
    )
    plan = decide(seen(noted, volumes=(reserved(),)))
    made = plan.actions[-1]
    assert isinstance(made, CreateClaim)
    assert not [action for action in plan.actions if isinstance(action, CreateSource)]
    assert made.body["metadata"]["annotations"][a.VOLUME_LIST] == '["prepared"]'
    assert "dataSourceRef" not in made.body["spec"]
    assert not [action for action in plan.actions if isinstance(action, Emit)]
    bound = replace(claim(**{a.VOLUME_LIST: '["prepared"]'}), spec=ClaimSpec(volume_name="prepared"))
    (taken,) = decide(seen(noted, bound)).actions
    assert isinstance(taken, AnnotateClaim)
    assert status_of(seen(noted, claim(**{a.POPULATED_FOR: "disk"}))).phase == "Succeeded"


@pytest.mark.parametrize("source", UNSERVED)
@pytest.mark.parametrize("prepared", [(), (reserved("Filesystem"),)], ids=["none", "one that does not fit"])
def test_without_a_volume_that_fits_it_says_that_nobody_acts(
    source: str, prepared: tuple[PersistentVolume, ...]
) -> None:
    for target in ({"storage": _size()}, SIZELESS):
        noted = volume(UNSERVED[source] | target, annotations={a.CHECK_STATIC: ""})
        (told,) = decide(seen(noted, volumes=prepared)).actions
        assert isinstance(told, Emit)
        assert told.reason == "NotActedOn"


@pytest.mark.parametrize("source", UNSERVED)
@pytest.mark.parametrize("phase", ["Pending", "CloneInProgress", "UploadReady", "ImportInProgress"])
def test_what_another_version_has_begun_stays_where_it_was(source: str, phase: str) -> None:
    dv = volume(UNSERVED[source] | {"storage": _size()})
    dv = replace(dv, status=replace(dv.status, phase=phase, progress="41.00%"))
    status = status_of(seen(dv, claim("Pending")))
    assert (status.phase, status.progress) == (phase, "41.00%")
    done = status_of(seen(dv, claim(phase_="Succeeded")))
    assert (done.phase, done.progress) == ("Succeeded", "100.0%")
    lost = status_of(seen(dv, claim("Lost")))
    assert lost.phase == "Failed"


def test_a_clone_that_has_succeeded_stays_so_with_its_progress() -> None:
    dv = volume(CLONES["clone"] | {"storage": _size()})
    dv = replace(dv, status=replace(dv.status, phase="Succeeded", progress="100.0%"))
    status = status_of(seen(dv, claim(**{a.CLONE_PHASE: "Succeeded"})))
    assert (status.phase, status.progress, status.conditions[1].status) == ("Succeeded", "100.0%", "True")


def test_a_source_object_of_somebody_else_is_neither_corrected_nor_deleted() -> None:
    body = {"metadata": {"name": "volume-import-source-u1", "uid": "s1"}, "spec": {"source": {"blank": {}}}}
    theirs = msgspec.convert(body, VolumeImportSource)
    reference = TypedReference(api_group="cdi.kubevirt.io", kind="VolumeImportSource", name="volume-import-source-u1")
    waits = claim("Pending")
    waits = replace(waits, spec=replace(waits.spec, data_source_ref=reference))
    (again,) = decide(seen(http(), waits, source=theirs)).actions
    assert isinstance(again, CreateSource)  # which says whose it is
    bound = replace(waits, status=replace(waits.status, phase="Bound"))
    done = http()
    done = replace(done, status=replace(done.status, phase="Succeeded"))
    assert decide(seen(done, bound, source=theirs)).actions == ()


def test_a_list_of_volumes_takes_nothing_away_from_what_is_over() -> None:
    """Whoever may edit the claim may write one, on a claim that a VM uses."""
    done = http()
    done = replace(done, status=replace(done.status, phase="Succeeded"))
    found = claim(phase_="Succeeded", **{a.VOLUME_LIST: "[]"})
    assert decide(seen(done, found)).actions == ()
    assert status_of(seen(done, found)).phase == "Succeeded"


CEPH = StorageClass(Metadata("fast"), provisioner="rook-ceph.rbd.csi.ceph.com", volume_binding_mode="Immediate")
LVM = StorageClass(Metadata("fast"), provisioner="topolvm.io", volume_binding_mode="Immediate")


def made_for(spec: dict[str, Any], of: StorageClass = CEPH, cluster: Cluster = CLUSTER) -> dict[str, Any]:
    """The body of the claim, of a class that a CSI driver serves."""
    plan = decide(seen(volume({"source": {"blank": {}}} | spec), storage_class=of, has_driver=True, cluster=cluster))
    (made,) = [action for action in plan.actions if isinstance(action, CreateClaim)]
    assert len([action for action in plan.actions if isinstance(action, CreateSource)]) == (
        "dataSourceRef" in made.body["spec"]
    )
    (note,) = [action for action in plan.actions if isinstance(action, AnnotateVolume)]
    said = "true" if "dataSourceRef" in made.body["spec"] else "false"
    assert note.annotations[a.USE_POPULATOR] == said
    return dict(made.body)


BLOCK = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block", "storageClassName": "fast"} | _size()


@pytest.mark.parametrize("spec", [{"storage": _size()}, {"storage": BLOCK}, {"pvc": BLOCK}], ids=str)
def test_an_empty_device_of_a_class_that_makes_zeroed_ones_needs_no_second_claim(spec: dict[str, Any]) -> None:
    made = made_for(spec)
    assert "dataSourceRef" not in made["spec"]
    assert made["metadata"]["annotations"][a.SOURCE] == "none"


FILE = {**BLOCK, "volumeMode": "Filesystem"}


@pytest.mark.parametrize(
    ("spec", "of", "cluster"),
    [
        ({"storage": _size()}, LVM, CLUSTER),
        ({"storage": FILE}, CEPH, CLUSTER),
        ({"pvc": FILE}, CEPH, CLUSTER),
        ({"storage": _size(), "preallocation": True}, CEPH, CLUSTER),
        ({"storage": _size()}, CEPH, dataclasses.replace(CLUSTER, preallocation=True)),
        ({"storage": _size()}, replace(CEPH, parameters={"encrypted": "true"}), CLUSTER),
        ({"storage": _size(), "source": {"http": {"url": "http://a/disk"}}}, CEPH, CLUSTER),
    ],
    ids=["unknown", "storage, a file", "pvc, a file", "preallocated", "all preallocated", "encrypted", "an image"],
)
def test_anything_else_is_written_to_before_somebody_gets_it(
    spec: dict[str, Any], of: StorageClass, cluster: Cluster
) -> None:
    assert "dataSourceRef" in made_for(spec, of, cluster)["spec"]


def test_no_class_at_all_is_not_told_as_a_missing_default() -> None:
    at = seen(http(), storage_class=None, named_class="", profile=None)
    failure = status_of(at, decide(at).hold).failure
    assert failure is not None
    assert failure.code == "ClasslessVolumeMissing"
    assert failure.message.startswith("PVC spec is missing accessMode and no storageClass to choose profile [Classless")
    assert "make a PersistentVolume without storageClassName" in failure.message


def test_a_claim_without_a_class_is_as_large_as_it_was_asked() -> None:
    """It has to fit into a volume that somebody made."""
    cluster = dataclasses.replace(CLUSTER, global_overhead="0.5")
    spec = {"source": {"blank": {}}, "storage": {"accessModes": ["ReadWriteOnce"], "storageClassName": ""} | _size()}
    at = seen(volume(spec), storage_class=None, named_class="", profile=None, cluster=cluster)
    made = decide(at).actions[-1]
    assert isinstance(made, CreateClaim)
    assert (made.body["spec"]["storageClassName"], made.body["spec"]["resources"]) == ("", _size()["resources"])


def test_a_claim_that_is_gone_takes_the_phase_back_before_it_is_made_again() -> None:
    """Whoever dies in between leaves no new claim whose DataVolume says that it is populated."""
    done = http()
    done = replace(done, status=replace(done.status, phase="Succeeded", claim_name="disk"))
    at = seen(done)
    plan = decide(at)
    assert plan.actions == ()
    status = status_of(at, plan.hold)
    assert (status.phase, status.conditions[1].status) == ("Pending", "False")
    again = decide(seen(replace(done, status=status)))
    assert any(isinstance(action, CreateClaim) for action in again.actions)
