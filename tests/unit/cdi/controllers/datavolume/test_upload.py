"""A DataVolume that is uploaded: its claim, its source object, its phases and what is said of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume
from cdi.contract import annotations as a
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.phases import announcement
from cdi.controllers.datavolume.plan import CreateClaim, CreateSource
from cdi.controllers.datavolume.status import status_of
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from storageprofiles.rendering import ClaimPropertySet, Profile

FAST = StorageClass(provisioner="csi.test", volume_binding_mode="Immediate")
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteOnce",), "Filesystem"),), "0")
POPULATED = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "volume-upload-source-u1"}


def volume(phase: str = "", content: str = "") -> DataVolume:
    storage = {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "fast"}
    spec = {"source": {"upload": {}}, "storage": storage} | ({"contentType": content} if content else {})
    metadata = {"name": "disk", "namespace": "ns", "uid": "u1"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": {"phase": phase}}, DataVolume)


def claim(phase: str = "Pending", **notes: str) -> PersistentVolumeClaim:
    owner = {"kind": "DataVolume", "name": "disk", "uid": "u1", "controller": True}
    made = {a.CREATED_FOR: "u1", a.USE_POPULATOR: "true"}
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": made | notes, "ownerReferences": [owner]}
    spec = {"dataSourceRef": POPULATED, "storageClassName": "fast"}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": {"phase": phase}}, PersistentVolumeClaim)


def seen(dv: DataVolume, found: PersistentVolumeClaim | None = None, **more: Any) -> Observed:
    known = {"storage_class": FAST, "named_class": "fast", "profile": PROFILE, "now": "2026-01-01T00:00:00Z"}
    return Observed(**({"volume": dv, "claim": found} | known | more))


@pytest.mark.parametrize("content", ["", "archive"])
def test_a_class_with_a_driver_gets_a_source_object_of_its_own_kind(content: str) -> None:
    actions = decide(seen(volume(content=content), has_driver=True)).actions
    (source,) = [action.body for action in actions if isinstance(action, CreateSource)]
    (made,) = [action.body for action in actions if isinstance(action, CreateClaim)]
    assert (source["kind"], source["metadata"]["name"]) == ("VolumeUploadSource", "volume-upload-source-u1")
    assert source["spec"] == {"preallocation": False} | ({"contentType": content} if content else {})
    assert made["spec"]["dataSourceRef"] == POPULATED
    assert a.UPLOAD_TARGET not in made["metadata"]["annotations"]


def test_a_class_without_a_driver_gets_a_claim_that_asks_for_it() -> None:
    (made,) = [action.body for action in decide(seen(volume())).actions if isinstance(action, CreateClaim)]
    assert made["metadata"]["annotations"][a.UPLOAD_TARGET] == ""
    assert "dataSourceRef" not in made["spec"]


PRIME = {a.PRIME: "prime-c1"}
POD = PRIME | {a.UPLOAD_POD_NAME: "cdi-upload-prime-c1", a.RUNNING: "true", a.RUNNING_REASON: "Pod is running"}
PHASES = [
    (claim(**PRIME), "UploadScheduled", None),
    (claim(**POD, **{a.POD_PHASE: "Pending", a.POD_READY: "false"}), "UploadScheduled", "Upload into disk scheduled"),
    (claim(**POD, **{a.POD_PHASE: "Running", a.POD_READY: "false"}), "UploadScheduled", "Upload into disk scheduled"),
    (claim(**POD, **{a.POD_PHASE: "Running", a.POD_READY: "true"}), "UploadReady", "Upload into disk ready"),
    (claim(**POD, **{a.POD_PHASE: "Failed"}), "UploadScheduled", "Upload into disk failed"),
    (claim(**{a.POD_PHASE: "Succeeded"}), "Succeeded", "Successfully uploaded into disk"),
    (claim("Bound", **{a.POD_PHASE: "Succeeded"}), "Succeeded", "Successfully uploaded into disk"),
]


@pytest.mark.parametrize(("found", "phase", "text"), PHASES)
def test_phases_events_and_progress_are_the_contract_s(
    found: PersistentVolumeClaim, phase: str, text: str | None
) -> None:
    at = seen(volume("Pending"), found)
    status = status_of(at)
    assert (status.phase, status.progress) == (phase, "N/A")
    told = announcement(at, status.phase)
    assert (told.message if told else None) == text


def test_a_server_that_waits_is_running_and_the_volume_not_ready() -> None:
    at = seen(volume("UploadScheduled"), claim(**POD, **{a.POD_PHASE: "Running", a.POD_READY: "true"}))
    _, ready, running = status_of(at).conditions
    assert (ready.status, ready.reason) == ("False", "TransferRunning")
    assert (running.status, running.reason) == ("True", "Pod is running")
