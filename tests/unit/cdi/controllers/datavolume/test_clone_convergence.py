"""A clone's plan that was carried out, whole or in part, leaves nothing to do in the end, and nothing behind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeCloneSource
from cdi.contract import annotations as a
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.origin import Origin
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
    SetFinalizers,
    VouchClaim,
    VouchVolume,
)
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.population.way import is_being_filled
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from storageprofiles.rendering import ClaimPropertySet, Profile

Document = dict[str, Any]
FAST = msgspec.convert({"metadata": {"name": "fast"}, "provisioner": "csi.test"}, StorageClass)
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteMany",), "Block"),))
FINALIZER = "cdi.kubevirt.io/dataVolumeFinalizer"


class World:
    """Objects as documents. ``place``: where the source is, in a file system."""

    def __init__(self, place: str, *, has_driver: bool) -> None:
        self.place, self.has_driver = place, has_driver
        spec = {"source": {"pvc": {"namespace": place, "name": "golden"}}, "storage": {}}
        self.volume: Document = {
            "metadata": {"namespace": "ns", "name": "disk", "uid": "u1", "annotations": {}, "finalizers": ["mine"]},
            "spec": spec,
            "status": {},
        }
        self.golden: Document = {
            "metadata": {
                "namespace": place,
                "name": "golden",
                "uid": "g1",
                "annotations": {a.CONTENT_TYPE: "kubevirt"},
            },
            "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        }
        self.claim: Document | None = None
        self.source: Document | None = None
        self.pod: Document | None = None

    def observed(self) -> Observed:
        claim = msgspec.convert(self.claim, PersistentVolumeClaim) if self.claim else None
        clone = Cloned(
            origin=Origin(self.place, "golden"),
            claim=msgspec.convert(self.golden, PersistentVolumeClaim),
            is_populated=True,
            detection=msgspec.convert(self.pod, Pod) if self.pod else None,
            classes={"fast": FAST},
            is_permitted=True,
            is_lasting=a.EXTENDED_CLONE_TOKEN in self.volume["metadata"]["annotations"],
            claim_is_lasting=self.claim is not None
            and self.claim["metadata"]["annotations"].get(a.EXTENDED_CLONE_TOKEN) == "of the claim",
            sources=(msgspec.convert(self.source, VolumeCloneSource),) if self.source else (),
        )
        known: Document = {"storage_class": FAST, "named_class": "fast", "profile": PROFILE}
        volume = msgspec.convert(self.volume, DataVolume)
        filled = claim is not None and is_being_filled(claim)
        return replace(
            Observed(volume, claim, now="2026-01-01T00:00:00Z", clone=clone, has_driver=self.has_driver, **known),
            is_being_filled=filled,
        )

    def reconcile(self, lost: int = 0) -> list[Action]:
        """One pass. ``lost``: so many of its last actions do not happen, as when the process dies among them."""
        plan = decide(self.observed())
        for action in plan.actions[: len(plan.actions) - lost]:
            self._perform(action)
        if not lost:
            self.volume["status"] = msgspec.to_builtins(status_of(self.observed(), plan.hold))
        return [action for action in plan.actions if not isinstance(action, Emit)]

    def settle(self) -> None:
        for _ in range(10):
            if not self.reconcile():
                return
        raise AssertionError(f"it never settles: {decide(self.observed())}")

    def _perform(self, action: Action) -> None:
        notes = self.volume["metadata"]["annotations"]
        match action:
            case AnnotateVolume(annotations):
                notes.update(annotations)
            case VouchVolume():
                notes[a.EXTENDED_CLONE_TOKEN] = "of the volume"
            case SetFinalizers(finalizers):
                self.volume["metadata"]["finalizers"] = list(finalizers)
            case CreateSource(body):
                assert self.source is None
                self.source = {**body, "metadata": {**body["metadata"], "uid": "s1"}}
            case CreateClaim(body):
                assert self.claim is None
                self.claim = {**body, "metadata": {**body["metadata"], "uid": "c1"}, "status": {"phase": "Pending"}}
            case VouchClaim():
                assert self.claim is not None
                self.claim["metadata"]["annotations"][a.EXTENDED_CLONE_TOKEN] = "of the claim"
            case DeleteSource(_, _, uid, namespace):
                assert (uid, namespace) == ("s1", self.place)
                self.source = None
            case CreateDetection(body):
                state = {"terminated": {"exitCode": 0, "message": str(1 << 29)}}
                self.pod = {**body, "status": {"containerStatuses": [{"state": state}]}}
            case AnnotateSource(_, annotations):
                self.golden["metadata"]["annotations"].update(annotations)
            case DeletePod():
                self.pod = None
            case Emit():
                pass
            case _:
                raise AssertionError(action)

    def succeed(self) -> None:
        """The population has done its work."""
        assert self.claim is not None
        self.claim["metadata"]["annotations"] |= {a.CLONE_PHASE: "Succeeded", a.POD_PHASE: "Succeeded"}
        self.claim["status"]["phase"] = "Bound"

    def lose_source(self) -> None:
        self.source = None

    def lose_claim(self) -> None:
        self.claim = None


@given(
    place=st.sampled_from(["ns", "golden"]),
    has_driver=st.booleans(),
    moves=st.lists(st.tuples(st.sampled_from(["nothing", "lose_source", "lose_claim"]), st.integers(0, 3)), max_size=8),
)
def test_it_settles_whatever_is_lost_and_leaves_nothing(
    place: str, has_driver: bool, moves: list[tuple[str, int]]
) -> None:
    world = World(place, has_driver=has_driver)
    for move, lost in moves:
        if move != "nothing":
            getattr(world, move)()
        world.reconcile(lost)
    world.settle()
    assert world.claim is not None
    assert world.pod is None
    assert (world.source is not None) == has_driver
    assert (FINALIZER in world.volume["metadata"]["finalizers"]) == (place != "ns")
    assert world.claim["spec"]["resources"]["requests"]["storage"] == str(1 << 29)

    world.succeed()
    world.settle()
    world.settle()
    assert world.volume["status"]["phase"] == "Succeeded"
    assert world.source is None
    assert world.volume["metadata"]["finalizers"] == ["mine"]
