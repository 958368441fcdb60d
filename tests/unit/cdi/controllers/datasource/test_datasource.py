"""What a DataSource stands for, by example."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.datasource import DataSource, DataSourceOrigin
from cdi.api.datavolume import DataVolume
from cdi.controllers.datasource.decide import Observed, decide, labels_of, status_of
from cdi.kube.storage import PersistentVolumeClaim, VolumeSnapshot

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
READY = ("Ready", "DataSource is ready to be consumed")
CLAIM = {"pvc": {"name": "disk"}}
SNAPSHOT = {"snapshot": {"namespace": "images", "name": "snap"}}


def source(origin: dict[str, Any], name: str = "os", **labels: str) -> DataSource:
    metadata = {"name": name, "namespace": "vms", "labels": labels}
    return msgspec.convert({"metadata": metadata, "spec": {"source": origin}}, DataSource)


def pointer(name: str, namespace: str = "") -> dict[str, Any]:
    return {"dataSource": {"name": name, "namespace": namespace}}


def claim(labels: dict[str, str] | None = None) -> PersistentVolumeClaim:
    return msgspec.convert({"metadata": {"name": "disk", "labels": labels or {}}}, PersistentVolumeClaim)


def volume(phase: str, labels: dict[str, str] | None = None) -> DataVolume:
    metadata = {"name": "disk", "labels": labels or {}}
    return msgspec.convert({"metadata": metadata, "status": {"phase": phase}}, DataVolume)


def snapshot(ready: bool | None) -> VolumeSnapshot:
    return msgspec.convert({"metadata": {"name": "snap"}, "status": {"readyToUse": ready}}, VolumeSnapshot)


def condition(seen: Observed) -> tuple[str, str, str]:
    (found,) = status_of(seen, decide(seen)).conditions
    assert found.type == "Ready"
    return found.status, found.reason, found.message


def test_nothing_named_is_no_source() -> None:
    assert condition(Observed(source({}))) == ("False", "NoSource", "No source PVC set")


def test_a_claim_alone_is_enough_even_unbound() -> None:
    assert condition(Observed(source(CLAIM), claim=claim())) == ("True", *READY)


def test_a_claim_that_is_not_there_is_not_found() -> None:
    assert condition(Observed(source(CLAIM))) == ("False", "NotFound", "PVC not found")


@pytest.mark.parametrize("found", [None, claim()])
def test_a_datavolume_that_still_imports_is_waited_for(found: PersistentVolumeClaim | None) -> None:
    seen = Observed(source(CLAIM), volume=volume("ImportInProgress"), claim=found)
    message = "Import DataVolume phase ImportInProgress"
    assert condition(seen) == ("False", "ImportInProgress", message)


def test_a_datavolume_that_is_done_stands_for_its_claim() -> None:
    assert condition(Observed(source(CLAIM), volume=volume("Succeeded"))) == ("True", *READY)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (None, ("False", "NotFound", "Snapshot not found")),
        (snapshot(None), ("False", "SnapshotNotReady", "Snapshot phase is not ready")),
        (snapshot(False), ("False", "SnapshotNotReady", "Snapshot phase is not ready")),
        (msgspec.convert({}, VolumeSnapshot), ("False", "SnapshotNotReady", "Snapshot phase is not ready")),
        (snapshot(True), ("True", *READY)),
    ],
)
def test_a_snapshot_must_be_ready(found: VolumeSnapshot | None, wanted: tuple[str, str, str]) -> None:
    assert condition(Observed(source(SNAPSHOT), snapshot=found)) == wanted


def test_what_is_found_is_told_with_its_namespace() -> None:
    seen = Observed(source(CLAIM), claim=claim())
    assert status_of(seen, decide(seen)).source == msgspec.convert(
        {"pvc": {"namespace": "vms", "name": "disk"}}, DataSourceOrigin
    )
    seen = Observed(source(SNAPSHOT), snapshot=snapshot(True))
    assert status_of(seen, decide(seen)).source == msgspec.convert(SNAPSHOT, DataSourceOrigin)


def test_what_is_not_ready_stands_for_nothing() -> None:
    seen = Observed(source(CLAIM))
    assert status_of(seen, decide(seen)).source == DataSourceOrigin()


def test_a_pointer_stands_for_what_the_other_one_names() -> None:
    seen = Observed(source(pointer("base")), source(CLAIM, "base"), claim=claim())
    assert condition(seen) == ("True", *READY)
    assert status_of(seen, decide(seen)).source.pvc is not None


def test_a_pointer_is_as_unready_as_the_other_one() -> None:
    seen = Observed(source(pointer("base")), source(CLAIM, "base"))
    assert condition(seen) == ("False", "NotFound", "PVC not found")


@pytest.mark.parametrize(
    ("origin", "pointed", "reason"),
    [
        (pointer("os"), source(pointer("os")), "SelfReference"),
        (pointer("os", "vms"), source(pointer("os")), "SelfReference"),
        (pointer("base", "other"), source(CLAIM, "base"), "CrossNamespaceReference"),
        (pointer("os", "other"), None, "CrossNamespaceReference"),
        (pointer("base"), None, "NotFound"),
        (pointer("base"), source(pointer("more"), "base"), "MaxReferenceDepthReached"),
    ],
)
def test_pointers_lead_one_step_within_a_namespace(
    origin: dict[str, Any], pointed: DataSource | None, reason: str
) -> None:
    status, found, message = condition(Observed(source(origin), pointed, claim=claim()))
    assert (status, found) == ("False", reason)
    assert message


def test_a_pointer_wins_over_a_claim_and_a_claim_over_a_snapshot() -> None:
    both = Observed(source(CLAIM | SNAPSHOT), claim=claim(), snapshot=snapshot(True))
    assert decide(both).origin.pvc is not None
    assert decide(both).origin.snapshot is None
    assert condition(Observed(source(CLAIM | pointer("base")), claim=claim()))[1] == "NotFound"


def test_labels_of_kubevirt_are_taken_over_the_claim_s_first() -> None:
    kept, other = "instancetype.kubevirt.io/default-preference", "app.kubernetes.io/name"
    of_volume = {kept: "of the volume", "kubevirt.io/os": "linux"}
    seen = Observed(
        source(CLAIM), volume=volume("Succeeded", of_volume), claim=claim({kept: "of-the-claim", other: "x"})
    )
    assert labels_of(seen, decide(seen)) == {kept: "of-the-claim", "kubevirt.io/os": "linux"}


def test_labels_that_are_there_are_no_change() -> None:
    labels = {"kubevirt.io/os": "linux"}
    seen = Observed(source(CLAIM, "os", **labels), claim=claim(labels))
    assert labels_of(seen, decide(seen)) == {}


def test_what_is_not_ready_gives_no_labels() -> None:
    seen = Observed(source(CLAIM), volume=volume("Pending", {"kubevirt.io/os": "linux"}))
    assert labels_of(seen, decide(seen)) == {}


def status_after(before: DataSource, later: Observed) -> Any:
    seen = Observed(before, claim=claim(), now=NOW)
    later.source.status = status_of(seen, decide(seen))
    return status_of(later, decide(later))


def test_deciding_again_changes_nothing() -> None:
    known = source(CLAIM)
    again = status_after(known, Observed(known, claim=claim(), now=LATER))
    assert again == known.status
    assert again.conditions[0].last_transition_time == NOW


def test_another_claim_is_a_transition_also_when_both_are_ready() -> None:
    moved = status_after(source(CLAIM), Observed(source({"pvc": {"name": "newer"}}), claim=claim(), now=LATER))
    (found,) = moved.conditions
    assert (found.status, found.last_transition_time) == ("True", LATER)


def test_another_reason_for_the_same_state_is_no_transition() -> None:
    known = source(CLAIM)
    first = Observed(known, now=NOW)
    known.status = status_of(first, decide(first))
    later = Observed(known, volume=volume("Pending"), now=LATER)
    (found,) = status_of(later, decide(later)).conditions
    assert (found.reason, found.last_transition_time, found.last_heartbeat_time) == ("Pending", NOW, LATER)
