"""What was done is not done again, whatever is written on the claim, or is not written any more."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.populationmodel import sort_of

from cdi.api.datavolume import DataVolume
from cdi.contract import annotations as a
from cdi.controllers.claims.finished import stays_succeeded, was_populated_elsewhere
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import Role
from cdi.kube.storage import PersistentVolumeClaim, StorageClass

ASKS = {a.SOURCE: "http", a.ENDPOINT: "http://a/disk"}
CLONE, UPLOAD, IMPORT = "VolumeCloneSource", "VolumeUploadSource", "VolumeImportSource"


def volume(phase: str = "Succeeded") -> DataVolume:
    status = {"phase": phase}
    metadata = {"name": "disk", "namespace": "ns", "uid": "u1"}
    return msgspec.convert({"metadata": metadata, "spec": {}, "status": status}, DataVolume)


def claim(annotations: dict[str, str], phase: str = "Bound", kind: str = "", pv: str = "pv") -> PersistentVolumeClaim:
    reference = {"dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": kind, "name": "source"}} if kind else {}
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations}
    spec: dict[str, Any] = {"volumeName": pv, **reference}
    return msgspec.convert({"metadata": metadata, "spec": spec, "status": {"phase": phase}}, PersistentVolumeClaim)


@pytest.mark.parametrize(
    "found",
    [
        claim({a.CLONE_PHASE: "Succeeded"}, kind=CLONE),
        claim({}, kind=CLONE),
        claim({a.CLONE_REQUEST: "ns/golden", a.CLONE_OF: "true"}),
        claim({a.CLONE_REQUEST: "ns/golden"}),
        claim({a.UPLOAD_TARGET: ""}),
        claim({}, kind=UPLOAD),
        claim({}, kind=IMPORT),
        claim(ASKS | {a.POD_PHASE: "Succeeded"}),
        claim(ASKS),
        claim(ASKS | {a.POD_PHASE: "Running"}),
        claim({}),
        claim({}, "Pending"),  # its volume is handed to it in this moment
    ],
)
def test_succeeded_is_never_left_while_the_claim_is_bound(found: PersistentVolumeClaim) -> None:
    assert stays_succeeded(volume(), found)


@pytest.mark.parametrize("phase", ["", "Pending", "PVCBound", "ImportInProgress", "CloneInProgress", "Failed"])
def test_no_other_phase_says_that_it_is_over(phase: str) -> None:
    assert not stays_succeeded(volume(phase), claim({a.CLONE_PHASE: "Succeeded"}))


@pytest.mark.parametrize("found", [claim(ASKS, "Pending", pv=""), claim(ASKS, "Lost"), claim({}, "Lost", kind=CLONE)])
def test_a_claim_without_a_volume_holds_nothing(found: PersistentVolumeClaim) -> None:
    assert not stays_succeeded(volume(), found)


def test_no_worker_is_made_for_what_is_over() -> None:
    """As when a backup was restored without what we write, or a tool removed what it did not know."""
    bare = claim(ASKS)
    known = {"storage_class": StorageClass(provisioner="csi.test")}
    assert any(sort_of(action) is Role.WORKER for action in decide(Observed(bare, **known)).actions)
    assert decide(Observed(bare, is_over=True, **known)).actions == ()


@pytest.mark.parametrize("phase", ["Lost", "Bound"])
def test_no_worker_is_made_on_a_claim_that_cannot_be_written(phase: str) -> None:
    late = StorageClass(provisioner="csi.test", volume_binding_mode="WaitForFirstConsumer")
    marks = {a.IMMEDIATE: ""} if phase == "Lost" else {a.POPULATED_FOR: "disk"}
    assert decide(Observed(claim(ASKS | marks, phase), storage_class=late)).actions == ()


@pytest.mark.parametrize(
    ("found", "done"),
    [
        (claim({a.CLONE_PHASE: "Succeeded"}), True),
        (claim({a.CLONE_REQUEST: "ns/golden", a.CLONE_OF: "true"}), True),
        (claim({a.UPLOAD_TARGET: "", a.POD_PHASE: "Succeeded"}), True),
        (claim({}, kind=CLONE), True),
        (claim({}, "Pending", kind=CLONE, pv=""), False),
        (claim({a.POD_PHASE: "Succeeded"}, "Pending", kind=UPLOAD, pv=""), False),
        (claim({a.CLONE_REQUEST: "ns/golden", a.POD_PHASE: "Running"}), False),
        (claim({a.UPLOAD_TARGET: ""}), False),
    ],
)
def test_what_another_version_populated(found: PersistentVolumeClaim, done: bool) -> None:
    assert was_populated_elsewhere(found) is done
