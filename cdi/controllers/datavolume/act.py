"""Performs a plan about a DataVolume, and writes its status."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins

from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.api.populators import VolumeSource
from cdi.base.faults import Fault
from cdi.contract import annotations as a
from cdi.controllers.changes import difference
from cdi.controllers.datavolume.claim import owner_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import (
    Action,
    AdoptClaim,
    AnnotateClaim,
    AnnotateSource,
    AnnotateVolume,
    CorrectSource,
    CreateClaim,
    CreateDetection,
    CreateSource,
    DeleteClaim,
    DeletePod,
    DeleteSource,
    Emit,
    Hold,
    Plan,
    SetFinalizers,
    VouchClaim,
    VouchVolume,
)
from cdi.controllers.refusals import Refusals, Refused
from cdi.controllers.written import Written
from cdi.kube.cdi_resources import DATA_VOLUMES, VOLUME_CLONE_SOURCES, VOLUME_IMPORT_SOURCES, VOLUME_UPLOAD_SOURCES
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, BadRequest, NotOurs
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, PODS, Resource
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key
from cdi.trust.tokens import Permit, Signer

log = logging.getLogger(__name__)

_SOURCES: dict[str, Resource[Any]] = {
    item.kind: item for item in (VOLUME_IMPORT_SOURCES, VOLUME_UPLOAD_SOURCES, VOLUME_CLONE_SOURCES)
}


@dataclass
class Result:
    """What acting changed of what was seen."""

    claim: PersistentVolumeClaim | None
    hold: Hold | None
    wait: float | None
    version: str  # of the DataVolume, as it was decided on, or as we left it since


class Actor:
    def __init__(self, client: Client, recorder: Recorder, written: Written, signer: Signer) -> None:
        self._client = client
        self._recorder = recorder
        self._written = written
        self._signer = signer
        self.refusals = Refusals()

    async def look(self, key: Key) -> PersistentVolumeClaim | None:
        """The claim as it is, not as a store has it."""
        return await self._client.find(CLAIMS, key.name, key.namespace)

    async def act(self, seen: Observed, plan: Plan) -> Result:
        """Raises ApiError at the first action that fails; a refused claim is a result."""
        result = Result(seen.claim, plan.hold, plan.wait, seen.volume.metadata.resource_version)
        for action in plan.actions:
            await self._perform(seen, action, result)
        return result

    async def write_status(self, seen: Observed, status: DataVolumeStatus) -> None:
        """Only what changed, and only when something did."""
        changes = difference(to_builtins(seen.volume.status), to_builtins(status))
        if changes:
            metadata = seen.volume.metadata
            patch = {"metadata": {"uid": metadata.uid}, "status": changes}
            answer = await self._client.merge_patch(
                DATA_VOLUMES, metadata.name, patch, namespace=metadata.namespace, subresource="status"
            )
            self._written.note(answer.metadata)

    def emit(self, volume: DataVolume, event: Emit) -> None:
        self._recorder.event(reference(volume), event.type, event.reason, event.message)

    async def _perform(self, seen: Observed, action: Action, result: Result) -> None:
        metadata = seen.volume.metadata
        match action:
            case CreateClaim(body, told):
                await self._create_claim(seen, body, result)
                if result.claim is not None:
                    self._tell(result.claim, told)
            case CreateSource(body):
                await self._create_source(seen, body)
            case CorrectSource(kind, name, spec):
                await self._client.merge_patch(_SOURCES[kind], name, {"spec": spec}, namespace=metadata.namespace)
            case DeleteSource(kind, name, uid, namespace):
                await self._client.delete(_SOURCES[kind], name, namespace or metadata.namespace, uid=uid)
            case AnnotateVolume(annotations):
                await self._patch_volume(seen, {"annotations": annotations}, result)
            case VouchVolume(permit):
                await self._patch_volume(seen, {"annotations": self._token(permit)}, result)
            case SetFinalizers(finalizers):
                changes = {"finalizers": list(finalizers), "resourceVersion": result.version}
                await self._patch_volume(seen, changes, result)
            case Emit():
                self.emit(seen.volume, action)
            case CreateDetection() | DeletePod() | AnnotateSource():
                await self._look(action)
            case _:
                await self._perform_on_claim(seen, action, result)

    def _tell(self, claim: PersistentVolumeClaim, events: Iterable[Emit]) -> None:
        metadata = claim.metadata
        regarding = {"apiVersion": "v1", "kind": CLAIMS.kind, "uid": metadata.uid}
        regarding |= {"namespace": metadata.namespace, "name": metadata.name}
        for event in events:
            self._recorder.event(regarding, event.type, event.reason, event.message)

    async def _perform_on_claim(self, seen: Observed, action: Action, result: Result) -> None:
        match action:
            case AnnotateClaim(claim, annotations):
                result.claim = await self._patch_claim(result.claim or claim, {"annotations": annotations})
            case VouchClaim(claim, permit):
                result.claim = await self._patch_claim(result.claim or claim, {"annotations": self._token(permit)})
            case AdoptClaim(claim):
                # A merge patch replaces the list: who owned it before, without being its controller, still does.
                owners = [*to_builtins(claim.metadata.owner_references), owner_of(seen)]
                result.claim = await self._patch_claim(result.claim or claim, {"ownerReferences": owners})
            case DeleteClaim(claim):
                meta = claim.metadata
                version = meta.resource_version
                await self._client.delete(CLAIMS, meta.name, meta.namespace, uid=meta.uid, resource_version=version)

    async def _look(self, action: CreateDetection | DeletePod | AnnotateSource) -> None:
        """How large the disk in a source is. Many may want to know at once: the first one makes the pod."""
        match action:
            case CreateDetection(body):
                with suppress(AlreadyExists):
                    await self._client.create(PODS, body)
            case DeletePod(name, namespace, uid):
                await self._client.delete(PODS, name, namespace, uid=uid)
            case AnnotateSource(claim, annotations):
                await self._patch_claim(claim, {"annotations": annotations})

    def _token(self, permit: Permit) -> dict[str, str]:
        return {a.EXTENDED_CLONE_TOKEN: self._signer.lasting(permit, datetime.datetime.now(datetime.UTC))}

    async def _patch_volume(self, seen: Observed, changes: Mapping[str, Any], result: Result) -> None:
        metadata = seen.volume.metadata
        patch = {"metadata": {"uid": metadata.uid, **changes}}
        answer = await self._client.merge_patch(DATA_VOLUMES, metadata.name, patch, namespace=metadata.namespace)
        self._written.note(answer.metadata)
        result.version = answer.metadata.resource_version

    async def _patch_claim(self, claim: PersistentVolumeClaim, changes: Mapping[str, Any]) -> PersistentVolumeClaim:
        """``claim``: as it was decided on, or as we left it since. Conflict when somebody else has changed it."""
        metadata = claim.metadata
        version = {"uid": metadata.uid, "resourceVersion": metadata.resource_version}
        patch = {"metadata": {**version, **changes}}
        return await self._client.merge_patch(CLAIMS, metadata.name, patch, namespace=metadata.namespace)

    async def _create_claim(self, seen: Observed, body: Mapping[str, Any], result: Result) -> None:
        metadata = seen.volume.metadata
        key = Key(metadata.namespace, metadata.name)
        try:
            result.claim = await self.refusals.ask(key, body, lambda: self._client.create(CLAIMS, body))
        except AlreadyExists:
            # The stores lag: what is said of the volume is read off the claim as it is.
            result.claim = await self.look(key)
        except Refused as refused:
            event, result.hold = _told(refused.cause)
            if refused.is_news:
                self.emit(seen.volume, event)
                self.refusals.told(key)
            result.wait = refused.again_s

    async def _create_source(self, seen: Observed, body: Mapping[str, Any]) -> None:
        metadata, kind = body["metadata"], body["kind"]
        try:
            await self._client.create(_SOURCES[kind], body)
        except AlreadyExists:
            found = await self._client.find(_SOURCES[kind], metadata["name"], metadata["namespace"])
            if found is None or found.metadata.controller_uid == seen.uid or _is_same(found, body):
                return  # the stores will show it
            text = (
                f"{kind} {metadata['name']} is not ours, and the volume needs an object of that name. "
                f"Try: kubectl delete {kind.lower()} {metadata['name']} -n {metadata['namespace']}"
            )
            self.emit(seen.volume, Emit("Warning", "ErrSourceExists", text))
            raise NotOurs(409, "AlreadyExists", text) from None


def _is_same(found: VolumeSource, body: Mapping[str, Any]) -> bool:
    """Of one that has no owner, in another namespace than the DataVolume: whose it is, and what it asks for."""
    belongs = body["metadata"].get("annotations", {}).get(a.OWNED_BY_VOLUME)
    is_ours = belongs is not None and found.metadata.annotations.get(a.OWNED_BY_VOLUME) == belongs
    return is_ours and not difference(to_builtins(found.spec), body["spec"])


def _told(refused: ApiError) -> tuple[Emit, Hold]:
    """The condition of a claim that our webhook refuses to complete is the contract's: there is none."""
    if "exceeded quota" in refused.message:
        reason = "ErrExceededQuota"
        fault = Fault(reason, contract=refused.message, cause=refused.message)
        return Emit("Warning", reason, refused.message), Hold(reason, refused.message, "Pending", fault=fault)
    event = Emit("Warning", "ErrClaimNotValid", refused.message)
    fault = Fault(event.reason, contract=refused.message)
    if isinstance(refused, BadRequest):
        return event, Hold("NotFound", f"No PVC found: {refused.message}", "", ready=False, fault=fault)
    return event, Hold(event.reason, refused.message, "", fault=fault)


def reference(volume: DataVolume) -> dict[str, str]:
    metadata = volume.metadata
    kind = {"apiVersion": volume.api_version, "kind": "DataVolume"}
    return kind | {"namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid}
