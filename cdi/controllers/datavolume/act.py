"""Performs a plan about a DataVolume, and writes its status."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins

from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.base.faults import Fault
from cdi.controllers.changes import difference
from cdi.controllers.datavolume.claim import owner_of
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
    Hold,
    Plan,
)
from cdi.controllers.refusals import Refusals, Refused
from cdi.controllers.written import Written
from cdi.kube.cdi_resources import DATA_VOLUMES, VOLUME_IMPORT_SOURCES, VOLUME_UPLOAD_SOURCES
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, BadRequest, NotOurs
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, Resource
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key

log = logging.getLogger(__name__)

_SOURCES: dict[str, Resource[Any]] = {item.kind: item for item in (VOLUME_IMPORT_SOURCES, VOLUME_UPLOAD_SOURCES)}


@dataclass
class Result:
    """What acting changed of what was seen."""

    claim: PersistentVolumeClaim | None
    hold: Hold | None
    wait: float | None


class Actor:
    def __init__(self, client: Client, recorder: Recorder, written: Written) -> None:
        self._client = client
        self._recorder = recorder
        self._written = written
        self.refusals = Refusals()

    async def look(self, key: Key) -> PersistentVolumeClaim | None:
        """The claim as it is, not as a store has it."""
        return await self._client.find(CLAIMS, key.name, key.namespace)

    async def act(self, seen: Observed, plan: Plan) -> Result:
        """Raises ApiError at the first action that fails; a refused claim is a result."""
        result = Result(seen.claim, plan.hold, plan.wait)
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
            case CreateClaim(body):
                await self._create_claim(seen, body, result)
            case CreateSource(body):
                await self._create_source(seen, body)
            case CorrectSource(kind, name, spec):
                await self._client.merge_patch(_SOURCES[kind], name, {"spec": spec}, namespace=metadata.namespace)
            case DeleteSource(kind, name, uid):
                await self._client.delete(_SOURCES[kind], name, metadata.namespace, uid=uid)
            case AnnotateVolume(annotations):
                patch = {"metadata": {"uid": metadata.uid, "annotations": annotations}}
                answer = await self._client.merge_patch(
                    DATA_VOLUMES, metadata.name, patch, namespace=metadata.namespace
                )
                self._written.note(answer.metadata)
            case AnnotateClaim(claim, annotations):
                result.claim = await self._patch_claim(result.claim or claim, {"annotations": annotations})
            case AdoptClaim(claim):
                # A merge patch replaces the list: who owned it before, without being its controller, still does.
                owners = [*to_builtins(claim.metadata.owner_references), owner_of(seen)]
                result.claim = await self._patch_claim(result.claim or claim, {"ownerReferences": owners})
            case DeleteClaim(claim):
                meta = claim.metadata
                version = meta.resource_version
                await self._client.delete(CLAIMS, meta.name, meta.namespace, uid=meta.uid, resource_version=version)
            case Emit():
                self.emit(seen.volume, action)

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
            if found is None or found.metadata.controller_uid == seen.uid:
                return  # the stores will show it
            text = (
                f"{kind} {metadata['name']} is not ours, and the volume needs an object of that name. "
                f"Try: kubectl delete {kind.lower()} {metadata['name']} -n {metadata['namespace']}"
            )
            self.emit(seen.volume, Emit("Warning", "ErrSourceExists", text))
            raise NotOurs(409, "AlreadyExists", text) from None


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
