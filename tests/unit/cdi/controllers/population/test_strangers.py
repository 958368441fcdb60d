"""What has a name of ours and is somebody else's, and annotations that nobody of us wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.populationmodel import DELETE_POD, objects, sort_of

from cdi.api.populators import VolumeImportSource
from cdi.contract import annotations as a
from cdi.controllers.claims.history import attempts_in
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import (
    Annotate,
    Delete,
    DeleteClaim,
    Emit,
    Plan,
    Rebind,
    Role,
)
from cdi.controllers.population.reconciler import _keys_of_working
from cdi.controllers.population.work import STUCK_S
from cdi.kube.objects import Event
from cdi.kube.pods import Pod
from cdi.kube.resources import PODS
from cdi.kube.storage import ClaimStatus, PersistentVolume, PersistentVolumeClaim, StorageClass
from cdi.kube.store import Key
from cdi.sources.request import parameters_of

MIDNIGHT = "2026-01-01T00:00:00Z"
ASKS = {a.SOURCE: "http", a.ENDPOINT: "http://a/disk"}
WITH_SCRATCH = ASKS | {a.REQUIRES_SCRATCH: "true"}
OF_CLAIM = {"uid": "c1", "controller": True, "kind": "PersistentVolumeClaim", "name": "disk"}
OF_WORKER = {"uid": "p0", "controller": True, "kind": "Pod", "name": "importer-disk"}


def claim(annotations: dict[str, str] | None = None, **metadata: Any) -> PersistentVolumeClaim:
    named = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations or {}}
    return msgspec.convert({"metadata": named | metadata, "status": {"phase": "Bound"}}, PersistentVolumeClaim)


def scratch(**metadata: Any) -> PersistentVolumeClaim:
    return claim(name="disk-scratch", uid="s1", **metadata)


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> Pod:
    named = {"name": "importer-disk", "namespace": "ns", "uid": "p1", "creationTimestamp": MIDNIGHT}
    volumes = [{"name": "cdi-scratch-vol", "persistentVolumeClaim": {"claimName": "disk-scratch"}}]
    spec = {"nodeName": "node-1", "containers": [{"name": "importer"}], "volumes": volumes}
    return msgspec.convert({"metadata": named | metadata, "spec": spec, "status": status or {}}, Pod)


def worker(asked: dict[str, str], status: dict[str, Any] | None = None, **metadata: Any) -> Pod:
    parameters = parameters_of(asked)
    assert parameters is not None
    marks = {a.OWN_DIGEST: parameters.digest, a.OWN_TARGET: "disk"}
    return pod(status, **{"annotations": marks, "ownerReferences": [OF_CLAIM], **metadata})


def decided(target: PersistentVolumeClaim | None, seconds: int = 0, **more: Any) -> Plan:
    found = objects(pod=more.pop("pod", None), scratch=more.pop("scratch", None))
    return decide(
        Observed(target, objects=found, storage_class=StorageClass(provisioner="x"), pod_age_s=seconds, **more)
    )


def kinds(plan: Plan) -> list[object]:
    return [sort_of(action) for action in plan.actions]


def message(plan: Plan) -> str:
    return next(action.after[a.RUNNING_MESSAGE] for action in plan.actions if isinstance(action, Annotate))


GOING = {"deletionTimestamp": MIDNIGHT}
OVER = {
    "a claim of no import goes": claim(**GOING),
    "a claim of an import goes": claim(ASKS, **GOING),
    "an import is done": claim(ASKS | {a.POD_PHASE: "Succeeded"}),
    "an import is given up": claim(ASKS | {a.POD_PHASE: "Failed", a.FATAL: "true"}),
    "there is no claim": None,
}


@pytest.mark.parametrize("case", OVER)
def test_a_pod_of_somebody_else_is_never_deleted(case: str) -> None:
    assert DELETE_POD not in kinds(decided(OVER[case], pod=pod(annotations={a.OWN_TARGET: "disk"})))
    assert DELETE_POD in kinds(decided(OVER[case], pod=worker(ASKS)))


def test_scratch_space_of_somebody_else_is_not_written_into() -> None:
    plan = decided(claim(WITH_SCRATCH), scratch=scratch())
    assert Role.WORKER not in kinds(plan)
    assert "claim disk-scratch is not ours" in message(plan)
    assert plan.wait


def test_scratch_space_of_the_worker_before_is_waited_for() -> None:
    plan = decided(claim(WITH_SCRATCH), scratch=scratch(ownerReferences=[OF_WORKER]))
    assert (kinds(plan), plan.wait is None) == ([], False)
    assert Role.WORKER in kinds(decided(claim(WITH_SCRATCH)))


@pytest.mark.parametrize(
    "theirs",
    [
        scratch(ownerReferences=[OF_WORKER], **GOING),
        scratch(ownerReferences=[OF_WORKER]),
        scratch(ownerReferences=[OF_WORKER | {"uid": "p1"}], **GOING),
    ],
    ids=["of the worker before, going", "of the worker before", "its own, going"],
)
def test_a_worker_that_can_never_mount_its_scratch_space_is_replaced(theirs: PersistentVolumeClaim) -> None:
    """PVC protection keeps the claim while the pod is there, and the kubelet mounts no claim that goes."""
    waits = {"phase": "Pending"}
    plan = decided(claim(WITH_SCRATCH), scratch=theirs, pod=worker(WITH_SCRATCH, waits))
    assert DELETE_POD in kinds(plan)
    runs = {"phase": "Running", "containerStatuses": [{"name": "importer", "state": {"running": {}}}]}
    assert DELETE_POD not in kinds(decided(claim(WITH_SCRATCH), scratch=theirs, pod=worker(WITH_SCRATCH, runs)))


def test_a_worker_without_scratch_space_gets_it() -> None:
    plan = decided(claim(WITH_SCRATCH), pod=worker(WITH_SCRATCH, {"phase": "Pending"}))
    assert Role.SCRATCH in kinds(plan)


def test_a_lost_worker_is_replaced_by_a_clock_of_our_own() -> None:
    ahead = {"exitCode": 137, "finishedAt": "2099-01-01T09:00:00Z"}  # by the node's
    lost = {"phase": "Failed", "containerStatuses": [{"name": "importer", "state": {"terminated": ahead}}]}
    young, old = (decided(claim(ASKS), seconds, pod=worker(ASKS, lost)) for seconds in (4, 11))
    assert DELETE_POD not in kinds(young)
    assert young.wait == 6
    assert DELETE_POD in kinds(old)


def test_a_worker_that_its_node_does_not_end_is_told() -> None:
    runs = {"phase": "Running", "containerStatuses": [{"name": "importer", "state": {"running": {}}}]}
    going = worker(ASKS, runs, **GOING)
    early = decided(claim(ASKS), 5, pod=going)
    assert (kinds(early), early.wait is None) == ([], False)
    said = message(decided(claim(ASKS), 61, pod=going))
    assert "node node-1 does not end it. Try: " in said
    assert "kubectl delete pod importer-disk --force" in said


def test_a_pod_that_stands_in_the_way_is_looked_at_again() -> None:
    """Nobody tells when it goes: it names no claim of ours."""
    plan = decided(claim(ASKS), pod=pod())
    assert "pod importer-disk is not ours: delete it" in message(plan)
    assert plan.wait


def test_a_worker_of_a_former_claim_is_stopped_unless_it_has_ended() -> None:
    of_former = OF_CLAIM | {"name": "prime-old"}
    stray = worker(ASKS, {"phase": "Running"}, name="importer-prime-old", uid="p0", ownerReferences=[of_former])
    first = decided(claim(ASKS), strays=(stray,), pod=worker(ASKS, {"phase": "Pending"})).actions[0]
    assert first == Delete(PODS, "ns", "importer-prime-old", "p0")
    ended = worker(ASKS, {"phase": "Succeeded"}, name="importer-prime-old", ownerReferences=[of_former])
    for kept in (ended, pod({"phase": "Running"}, name="importer-x", annotations={a.OWN_TARGET: "disk"})):
        assert DELETE_POD not in kinds(decided(claim(ASKS), strays=(kept,)))


def test_an_attempt_that_somebody_ends_is_on_record_once() -> None:
    started = {"startedAt": "2026-01-01T00:00:01Z"}
    runs = {"phase": "Running", "containerStatuses": [{"name": "importer", "state": {"running": started}}]}
    (action,) = decided(claim(ASKS), 5, pod=worker(ASKS, runs, **GOING)).actions
    assert isinstance(action, Annotate)
    ended = started | {"exitCode": 143, "finishedAt": "2026-01-01T00:00:03Z"}
    over = {"phase": "Running", "containerStatuses": [{"name": "importer", "state": {"terminated": ended}}]}
    known = ASKS | {a.OWN_HISTORY: action.after[a.OWN_HISTORY]}
    assert decided(claim(known), 6, pod=worker(ASKS, over, **GOING)).actions == ()
    (attempt,) = attempts_in(known[a.OWN_HISTORY])
    assert (attempt.outcome, attempt.start) == ("PodDeleted", "2026-01-01T00:00:01Z")


def test_what_keeps_a_worker_from_its_start_is_told() -> None:
    waits = {"name": "importer", "state": {"waiting": {"reason": "ContainerCreating"}}}
    creating = worker(ASKS, {"phase": "Pending", "containerStatuses": [waits]})
    silent = decided(claim(ASKS), pod=creating)
    assert silent.wait == STUCK_S
    said = Event(type="Warning", reason="FailedMount", message='configmap "nope" not found')
    text = message(decided(claim(ASKS), 11, pod=creating, pod_event=said))
    assert text.startswith('[WorkerCannotStart] the node cannot start the worker: configmap "nope" not found. ')


def test_a_claim_that_nobody_provisions_is_looked_at_ever_less_often() -> None:
    pending = msgspec.structs.replace(claim(ASKS), status=ClaimStatus(phase="Pending"))
    waits = [decided(pending, unbound_s=age).wait for age in (0, 20, 90, 86_400)]
    assert waits == [10, 10, 30, 300]


@pytest.mark.parametrize("endpoint", ["http://[x", "docker://[", "", "\x00"])
def test_any_text_may_stand_where_an_address_is_expected(endpoint: str) -> None:
    assert Role.WORKER in kinds(decided(claim(ASKS | {a.ENDPOINT: endpoint})))


@pytest.mark.parametrize(("text", "found"), [("7", 7), ("", 0), ("-1", 0), ("9" * 5000, 0), ("3000000000", 0)])
def test_a_count_is_one_that_a_status_can_hold(text: str, found: int) -> None:
    assert a.count(text) == found


def test_a_claim_that_another_claim_owns_is_looked_at_itself() -> None:
    owner = OF_CLAIM | {"name": "other"}
    assert _keys_of_working(claim(ASKS, ownerReferences=[owner])) == [Key("ns", "disk")]
    prime = {a.POPULATOR_KIND: "VolumeImportSource"}
    assert _keys_of_working(claim(prime, ownerReferences=[owner])) == [Key("ns", "other")]


# --- PVC' ----------------------------------------------------------------------------------------------------------

FROM_SOURCE = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "source"}
SOURCE = msgspec.convert({"metadata": {}, "spec": {"source": {"http": {"url": "http://a/disk"}}}}, VolumeImportSource)
OF_TARGET = {"uid": "c1", "controller": True, "kind": "PersistentVolumeClaim", "name": "disk"}


def target(volume: str = "", annotations: dict[str, str] | None = None) -> PersistentVolumeClaim:
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations or {}}
    spec = {"storageClassName": "fast", "dataSourceRef": FROM_SOURCE, "volumeName": volume}
    status = {"phase": "Bound" if volume else "Pending"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": status}, PersistentVolumeClaim)


def prime(*owners: dict[str, Any], phase: str = "Bound", **annotations: str) -> PersistentVolumeClaim:
    marks = {a.POPULATOR_KIND: "VolumeImportSource"} | ASKS | {a.POD_PHASE: "Succeeded"} | annotations
    metadata = {"name": "prime-c1", "namespace": "ns", "uid": "p1", "annotations": marks, "ownerReferences": owners}
    spec = {"storageClassName": "fast", "volumeName": "pv"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": {"phase": phase}}, PersistentVolumeClaim)


def handed_to(uid: str) -> PersistentVolume:
    owner = {"namespace": "of-another-tenant", "name": "their-disk", "uid": uid}
    body = {"metadata": {"name": "pv", "resourceVersion": "7"}, "spec": {"claimRef": owner}}
    return msgspec.convert(body, PersistentVolume)


STRANGERS = {
    "of nobody": (),
    "of another claim": (OF_TARGET | {"uid": "c2"},),
    "not controlled by the claim": (OF_TARGET | {"controller": False},),
    "of the claim and of somebody who controls it": (OF_TARGET | {"controller": False}, OF_TARGET | {"uid": "c2"}),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_a_claim_with_the_name_of_ours_is_not_believed(case: str) -> None:
    found = prime(*STRANGERS[case])
    event = Event(reason="Provisioning", message="something of theirs")
    plan = decided(target(), prime=found, volume=handed_to("p1"), source=SOURCE, event=event)
    (told, annotated) = plan.actions
    assert isinstance(told, Emit)
    assert "prime-c1 is not ours" in told.message
    assert "kubectl delete pvc prime-c1 -n ns" in told.message
    assert isinstance(annotated, Annotate)
    assert annotated.claim.uid == "c1"
    assert a.POD_PHASE not in annotated.after
    assert annotated.after[a.BOUND_MESSAGE] == told.message
    assert plan.wait
    again = decided(target(annotations=annotated.after), prime=found, volume=handed_to("p1"), source=SOURCE)
    assert again.actions == ()


@pytest.mark.parametrize("case", STRANGERS)
def test_a_claim_with_the_name_of_ours_is_not_deleted_with_the_work(case: str) -> None:
    assert decided(target("pv"), prime=prime(*STRANGERS[case], phase="Lost")).actions == ()
    assert DeleteClaim in kinds(decided(target("pv"), prime=prime(OF_TARGET, phase="Lost")))


def test_when_a_stranger_is_gone_ours_takes_its_place() -> None:
    plan = decided(target(), prime=prime())
    (annotated,) = (action for action in plan.actions if isinstance(action, Annotate))
    waits = target(annotations=annotated.after)
    assert Role.PRIME in kinds(decided(waits, source=SOURCE))


def test_our_own_is_believed() -> None:
    assert Rebind in kinds(decided(target(), prime=prime(OF_TARGET), volume=handed_to("p1"), source=SOURCE))


def test_whose_a_volume_is_stays_unsaid() -> None:
    """Anybody may write the name of another tenant's volume into a claim that is not bound yet."""
    plan = decided(target(), prime=prime(OF_TARGET), volume=handed_to("x1"), source=SOURCE)
    told = [action.message for action in plan.actions if isinstance(action, Emit) and action.reason == "ErrRebind"]
    assert told == ["PV pv is not bound to prime-c1"]


# --- workers of other versions --------------------------------------------------------------------------------------

RUNS = {
    "phase": "Running",
    "containerStatuses": [{"name": "importer", "state": {"running": {"startedAt": MIDNIGHT}}}],
}


@pytest.mark.parametrize("asked", [ASKS, ASKS | {a.SOURCE: "registry"}, ASKS | {a.SOURCE: "vddk"}])
def test_a_worker_that_another_version_made_goes_on(asked: dict[str, str]) -> None:
    found = claim(asked | {a.POD_PHASE: "Running"})
    theirs = pod(RUNS, ownerReferences=[OF_CLAIM])
    plan = decided(found, pod=theirs)
    assert DELETE_POD not in kinds(plan)
    (annotated,) = (action for action in plan.actions if isinstance(action, Annotate))
    assert (annotated.after[a.POD_PHASE], annotated.after[a.RUNNING]) == ("Running", "true")
