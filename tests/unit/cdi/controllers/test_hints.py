"""Annotations of clones and of volumes that are filled already, as anybody may write them: they give nothing and take
nothing away from others."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from support.populationmodel import sort_of

from cdi.api.datavolume import DataVolume
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import Action, AdoptClaim, CreateClaim, DeleteClaim, DeleteSource, Hold, Plan
from cdi.controllers.population.decide import decide as populate
from cdi.controllers.population.observed import Observed as PopulationSeen
from cdi.kube.objects import Metadata
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from storageprofiles.rendering import ClaimPropertySet, Profile

C, S = "cdi.kubevirt.io/", "cdi.kubevirt.io/storage."
FORGED = {
    "a token": {S + "clone.token": "a.b.c"},
    "a token that lasts": {S + "extended.clone.token": "a.b.c"},
    "a namespace": {C + "dataSourceNamespace": "vault"},
    "all of a clone": {
        S + "clone.token": "a.b.c",
        S + "extended.clone.token": "a.b.c",
        C + "dataSourceNamespace": "vault",
        C + "cloneType": "csi-clone",
        C + "clonePhase": "Pending",
    },
    "an owner": {C + "OwnedByUID": "theirs", C + "ownerUID": "theirs"},
}
FAST = StorageClass(Metadata("fast"), provisioner="csi.test", volume_binding_mode="Immediate")
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteMany",), "Block"),))
SOURCES: dict[str, dict[str, Any]] = {
    "http": {"http": {"url": "http://a/disk"}},
    "blank": {"blank": {}},
    "a clone": {"pvc": {"namespace": "vault", "name": "secret"}},
    "an upload": {"upload": {}},
}


def volume(source: str, notes: dict[str, str]) -> DataVolume:
    size = {"storage": {"resources": {"requests": {"storage": "1Gi"}}}}
    metadata = {"name": "disk", "namespace": "ns", "uid": "u1", "annotations": notes}
    return msgspec.convert({"metadata": metadata, "spec": {"source": SOURCES[source]} | size}, DataVolume)


def claim(notes: dict[str, str], labels: dict[str, str] | None = None, **more: Any) -> PersistentVolumeClaim:
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": notes, "labels": labels or {}}
    body = {"metadata": metadata | more, "spec": {"storageClassName": "fast"}, "status": {"phase": "Bound"}}
    return msgspec.convert(body, PersistentVolumeClaim)


def decided(dv: DataVolume, found: PersistentVolumeClaim | None = None) -> Plan:
    return decide(Observed(dv, found, storage_class=FAST, named_class="fast", profile=PROFILE, has_driver=True))


def without_notes(plan: Plan) -> Plan:
    """What a claim inherits of its DataVolume is the contract's, and says nothing to us."""
    return dataclasses.replace(plan, actions=tuple(map(_unnoted, plan.actions)), hold=_untold(plan.hold))


def _unnoted(action: Action) -> Action:
    if not isinstance(action, CreateClaim):
        return action
    metadata = {key: value for key, value in action.body["metadata"].items() if key != "annotations"}
    return CreateClaim({**action.body, "metadata": metadata})


def _untold(hold: Hold | None) -> Hold | None:
    """Faults are exceptions, of which no two are equal."""
    return hold and dataclasses.replace(hold, fault=None)


@pytest.mark.parametrize("notes", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("source", SOURCES)
def test_a_datavolume_that_carries_them_is_treated_as_one_without(source: str, notes: dict[str, str]) -> None:
    assert without_notes(decided(volume(source, notes))) == without_notes(decided(volume(source, {})))
    theirs = claim({}, ownerReferences=[{"kind": "DataVolume", "name": "other", "uid": "theirs", "controller": True}])
    assert without_notes(decided(volume(source, notes), theirs)) == without_notes(decided(volume(source, {}), theirs))


@pytest.mark.parametrize("notes", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("labelled", [False, True], ids=["annotated", "labelled"])
@pytest.mark.parametrize("asked", [{}, {S + "import.endpoint": "http://a/disk"}], ids=["nothing", "an import"])
def test_a_claim_that_carries_them_is_treated_as_one_without(
    notes: dict[str, str], labelled: bool, asked: dict[str, str]
) -> None:
    marked = claim(asked, notes) if labelled else claim(asked | notes)
    plain = claim(asked)
    plans = [populate(PopulationSeen(target=found, storage_class=FAST)) for found in (marked, plain)]
    assert [sort_of(action) for action in plans[0].actions] == [sort_of(action) for action in plans[1].actions]
    assert not [action for action in plans[0].actions if "Delete" in type(action).__name__]


@pytest.mark.parametrize("named", ["disk", "other", "", "vault/secret"])
@pytest.mark.parametrize("phase", ["", "ImportInProgress", "Succeeded"])
def test_populated_for_takes_no_claim_of_somebody_else(named: str, phase: str) -> None:
    notes = {S + "populatedFor": named}
    theirs = {"kind": "DataVolume", "name": "other", "uid": "theirs", "controller": True}
    dv = volume("http", notes)
    dv = msgspec.structs.replace(dv, status=msgspec.structs.replace(dv.status, phase=phase))
    plan = decided(dv, claim(notes, ownerReferences=[theirs]))
    assert [action for action in plan.actions if isinstance(action, AdoptClaim | DeleteClaim | DeleteSource)] == []
