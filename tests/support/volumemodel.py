"""A cluster in miniature, as far as one DataVolume goes: plans about it are carried out, and the world acts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeImportSource
from cdi.contract import annotations as a
from cdi.controllers.cluster import HONOR_WAIT_FOR_FIRST_CONSUMER, Cluster
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import (
    Action,
    AdoptClaim,
    AnnotateClaim,
    AnnotateVolume,
    CorrectSource,
    CreateClaim,
    CreateSource,
    DeleteClaim,
    DeleteSource,
    Emit,
)
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.population.way import is_being_filled
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from storageprofiles.rendering import ClaimPropertySet, Profile

T = TypeVar("T")
Document = dict[str, Any]
CLUSTER = Cluster(gates=frozenset({HONOR_WAIT_FOR_FIRST_CONSUMER}))
PROFILE = Profile("fast", (ClaimPropertySet(("ReadWriteMany",), "Block"),))


class VolumeWorld:
    """Objects as documents, so that patches are what they are on a cluster. ``deleted``: populated claims that a plan
    has removed."""

    def __init__(self, *, has_driver: bool, knows_class: bool = True) -> None:
        self._uids = map(str, itertools.count(1))
        self._has_driver = has_driver
        self.knows_class = knows_class
        self.claim: Document | None = None
        self.source: Document | None = None
        self.prepared: list[Document] = []
        self.deleted: list[Document] = []
        spec = {"source": {"http": {"url": "http://a/0"}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}}
        self.volume: Document = {"metadata": self._metadata({"name": "disk"}), "spec": spec, "status": {}}

    def _metadata(self, given: Mapping[str, Any]) -> Document:
        return {"namespace": "ns", "annotations": {}, **given, "uid": next(self._uids)}

    # --- what the controller sees and does ------------------------------------------------------------------------

    def observed(self) -> Observed:
        claim = _typed(self.claim, PersistentVolumeClaim) if self.claim else None
        return Observed(
            volume=_typed(self.volume, DataVolume),
            claim=claim,
            is_being_filled=claim is not None and is_being_filled(claim),
            source=_typed(self.source, VolumeImportSource) if self.source else None,
            storage_class=StorageClass(provisioner="csi.test") if self.knows_class else None,
            named_class="fast" if self.knows_class else None,
            profile=PROFILE if self.knows_class else None,
            has_driver=self._has_driver,
            volumes=tuple(_typed(item, PersistentVolume) for item in self.prepared),
            now="2026-01-01T00:00:00Z",
            cluster=CLUSTER,
        )

    def reconcile(self, lost: int = 0) -> list[Action]:
        """One pass. ``lost``: so many of its last actions do not happen, as when the process dies among them."""
        plan = decide(self.observed())
        for action in plan.actions[: len(plan.actions) - lost]:
            self._perform(action)
        if plan.status:
            seen = self.observed()
            self.volume["status"] = msgspec.to_builtins(status_of(seen, plan.hold if seen.claim is None else None))
        return [action for action in plan.actions if not isinstance(action, Emit)]

    def settle(self) -> None:
        for _ in range(8):
            before = msgspec.json.encode(self.volume["status"])
            actions = self.reconcile()
            if not actions and msgspec.json.encode(self.volume["status"]) == before:
                return
        raise AssertionError(f"it never settles: {actions}")

    def _perform(self, action: Action) -> None:
        match action:
            case CreateClaim(body):
                if self.claim is None:
                    made = _document(body)
                    made["metadata"] = self._metadata(made["metadata"])
                    self.claim = made | {"status": {"phase": "Pending"}}
            case CreateSource(body):
                if self.source is None:
                    made = _document(body)
                    self.source = made | {"metadata": self._metadata(made["metadata"])}
            case CorrectSource(_, _, spec):
                assert self.source is not None
                _merge(self.source, {"spec": spec})
            case DeleteSource():
                self.source = None
            case AnnotateVolume(annotations):
                _merge(self.volume, {"metadata": {"annotations": annotations}})
            case AnnotateClaim(_, annotations):
                assert self.claim is not None
                _merge(self.claim, {"metadata": {"annotations": annotations}})
            case AdoptClaim():
                assert self.claim is not None
                owner = {"kind": "DataVolume", "name": "disk", "uid": self.volume["metadata"]["uid"]}
                self.claim["metadata"]["ownerReferences"] = [owner | {"controller": True}]
            case DeleteClaim():
                assert self.claim is not None
                if self.claim["metadata"]["annotations"].get(a.POD_PHASE) == "Succeeded":
                    self.deleted.append(self.claim)
                self.claim = None

    # --- what the world does --------------------------------------------------------------------------------------

    def bind(self) -> None:
        if self.claim is not None:
            self.claim["status"] = {"phase": "Bound"}
            self.claim["spec"]["volumeName"] = "volume"

    def start(self) -> None:
        self._says({a.POD_PHASE: "Running", a.RUNNING: "true", a.RUNNING_REASON: "Pod is running"})

    def fail(self) -> None:
        self._says({a.POD_PHASE: "Running", a.RUNNING: "false", a.RUNNING_REASON: "Error", a.RUNNING_MESSAGE: "oh"})

    def succeed(self) -> None:
        self.bind()
        self._says({a.POD_PHASE: "Succeeded", a.RUNNING: "false", a.RUNNING_REASON: "Completed"})

    def _says(self, annotations: Mapping[str, str]) -> None:
        if self.claim is not None and self.claim["metadata"]["annotations"].get(a.POD_PHASE) != "Succeeded":
            self.claim["metadata"]["annotations"] |= annotations

    def correct(self) -> None:
        """The user names another URL, and a checksum."""
        number = next(self._uids)
        self.volume["spec"]["source"]["http"]["url"] = f"http://a/{number}"
        self.volume["metadata"]["annotations"][a.CHECKSUM] = f"md5:{number}"

    def remove_source(self) -> None:
        self.source = None

    def remove_claim(self) -> None:
        """Not of a volume that is marked as populated beforehand: whoever marks it brings the claim (the contract)."""
        if a.PRE_POPULATED not in self.volume["metadata"]["annotations"]:
            self.claim = None

    def know_class(self) -> None:
        self.knows_class = True

    def prepare(self) -> None:
        """An administrator reserves a volume with content."""
        self.volume["metadata"]["annotations"][a.CHECK_STATIC] = ""
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
        self.prepared = [{"metadata": {"name": "volume"}, "spec": spec | {"storageClassName": "fast"}}]


def _document(body: Any) -> Document:
    found: Document = msgspec.json.decode(msgspec.json.encode(body))
    return found


def _typed(document: Document, kind: type[T]) -> T:
    return msgspec.convert(_document(document), kind)


def _merge(document: Document, patch: Mapping[str, Any]) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, Mapping):
            _merge(document.setdefault(key, {}), value)
        else:
            document[key] = value
