"""Performs a plan. What is created has a deterministic name and is never updated; what exists already must be ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from cdi.contract.ownership import owner_reference
from cdi.controllers.population import outputs
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    ClaimRef,
    Create,
    Delete,
    DeleteClaim,
    Emit,
    Follow,
    Plan,
    Rebind,
    Resize,
    Role,
    Wanted,
    is_same,
    owned_by,
)
from cdi.controllers.population.progress import Followers
from cdi.controllers.refusals import Refusals, Refused
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, Conflict, Forbidden, NotOurs
from cdi.kube.objects import Object
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, VOLUMES, Resource
from cdi.kube.store import Key

log = logging.getLogger(__name__)

_REMEMBERED = 10_000
_NAMESPACE_GOES = "NamespaceTerminating"  # a cause of the API server's


class Actor:
    def __init__(
        self, client: Client, recorder: Recorder, followers: Followers, written: Written, settings: Settings
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._followers = followers
        self._written = written
        self._settings = settings
        self.refusals = Refusals()
        self._made: dict[tuple[str, Role], None] = {}  # by the owner's uid: what no store shows

    async def act(self, plan: Plan) -> float | None:
        """Seconds after which to look again. Raises ApiError at the first action that fails: the rest waits."""
        try:
            for action in plan.actions:
                await self._perform(action)
        except Refused as refused:
            return refused.again_s
        return plan.wait

    async def _perform(self, action: Action) -> None:
        match action:
            case Annotate():
                await self._annotate(action.claim, outputs.changes(action.before, action.after), action.finalizers)
            case Create():
                await self._create(action)
            case Delete(resource, namespace, name, uid):
                await self._delete(resource, namespace, name, uid)
                self._followers.forget(uid)
            case DeleteClaim(claim):
                await self._delete(CLAIMS, claim.namespace, claim.name, claim.uid, claim.resource_version)
            case Resize(claim, size):
                await self._resize(claim, size)
            case Rebind():
                await self._rebind(action)
            case Follow():
                self._followers.follow(action)
            case Emit(claim, kind, reason, message):
                self._recorder.event(reference(claim), kind, reason, message)

    async def _annotate(
        self, claim: ClaimRef, changes: Mapping[str, str | None], finalizers: tuple[str, ...] | None = None
    ) -> bool:
        """With the version that was decided on: outputs that a new leader never saw must not be taken back. Gives
        whether there was something to write."""
        if not changes and finalizers is None:
            return False
        metadata: dict[str, Any] = {"annotations": changes}
        if finalizers is not None:
            metadata["finalizers"] = finalizers
        await self._patch(claim, {"metadata": metadata})
        return True

    async def _resize(self, claim: ClaimRef, size: str) -> None:
        await self._patch(claim, {"metadata": {}, "spec": {"resources": {"requests": {"storage": size}}}})

    async def _patch(self, claim: ClaimRef, patch: dict[str, Any]) -> None:
        patch["metadata"] |= {"uid": claim.uid, "resourceVersion": claim.resource_version}
        answer = await self._client.merge_patch(CLAIMS, claim.name, patch, namespace=claim.namespace)
        self._written.note(answer.metadata)

    async def _create(self, action: Create) -> None:
        """Raises Refused, when those who have to know of it do."""
        wanted, key = action.wanted, _key(action.target)
        if not wanted.is_seen and (wanted.owner_uid, wanted.role) in self._made:
            return
        asked = {"body": wanted.body, "content": repr(wanted.content), "inputs": [told.inputs for told in action.told]}
        try:
            await self.refusals.ask(key, asked, lambda: self._create_unless_changed(action))
        except Refused as refused:
            goes = any(cause.reason == _NAMESPACE_GOES for cause in refused.cause.causes)
            if refused.is_news and not goes:  # of a namespace that goes, nobody is left to be told
                await self._tell(action, refused.cause.message)
                self.refusals.told(key)
            raise

    async def _create_unless_changed(self, action: Create) -> None:
        if action.unchanged is not None:
            await self._ensure_unchanged(action.unchanged)
        await self._make(action.wanted)

    async def _make(self, wanted: Wanted) -> None:
        """And what belongs to it, also where it was there: whoever made it may have been stopped before that."""
        if wanted.content is not None:
            wanted = await wanted.content.filled(wanted, self._client, self._settings)
        try:
            found: Object | None = await self._client.create(wanted.resource, wanted.body)
            if found is not None and wanted.role is Role.WORKER:
                self._followers.made(found.metadata.uid)
        except AlreadyExists:
            found = await self._found(wanted)
        if found is None:
            return
        if not wanted.is_seen:
            self._remember(wanted)
        owner = owner_reference(wanted.resource.api_version, wanted.resource.kind, found.metadata)
        for belonging in wanted.belongings:
            await self._make(owned_by(owner, belonging))

    async def _found(self, wanted: Wanted) -> Object | None:
        """What has its name, and is ours. None: it is gone by now, or nobody may say. Raises NotOurs."""
        namespace, name = wanted.body["metadata"]["namespace"], wanted.body["metadata"]["name"]
        try:
            found: Object | None = await self._client.find(wanted.resource, name, namespace)
        except Forbidden:
            return None  # Secrets of other namespaces: looked at again while their pod waits for them
        if found is not None and not is_same(wanted, found.metadata):
            text = f"{wanted.resource.kind} {namespace}/{name} exists and is not ours"
            raise NotOurs(409, "AlreadyExists", text)
        return found

    def _remember(self, wanted: Wanted) -> None:
        self._made[wanted.owner_uid, wanted.role] = None
        if len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]

    async def _ensure_unchanged(self, claim: ClaimRef) -> None:
        """Raises Conflict when it is another one than was decided on. Asked of the API server: a cache may lag, also a
        new leader's, in which the worker of an import that is over is gone before its result has come."""
        live = await self._client.find(CLAIMS, claim.name, claim.namespace)
        found = (live.metadata.uid, live.metadata.resource_version) if live is not None else ("", "")
        if found != (claim.uid, claim.resource_version):
            text = f"claim {claim.namespace}/{claim.name} is at version {found[1] or 'none'}"
            raise Conflict(409, "Conflict", f"{text}, and what is to be done was decided on {claim.resource_version}")

    async def _tell(self, action: Create, cause: str) -> None:
        """An event goes where something is written, or where there is nothing to write."""
        metadata, refusal = action.wanted.body["metadata"], action.refusal(cause)
        log.warning("%s %s/%s is refused: %s", action.wanted.role, metadata["namespace"], metadata["name"], cause)
        for told in {told.claim.uid: told for told in action.told}.values():
            changes = outputs.changes(told.outputs, {**told.outputs, **refusal.outputs}) if refusal.outputs else {}
            if await self._annotate(told.claim, changes) or not refusal.outputs:
                self._recorder.event(reference(told.claim), "Warning", refusal.reason, refusal.message)

    async def _delete(self, resource: Resource[Any], namespace: str, name: str, uid: str, version: str = "") -> None:
        try:
            await self._client.delete(resource, name, namespace, uid=uid, resource_version=version)
        except Conflict:
            log.debug("%s %s/%s is another one by now", resource.kind, namespace, name)

    async def _rebind(self, action: Rebind) -> None:
        """An update, which is the one verb on volumes that the contract grants: of the whole object as it came, since
        our view of it lacks most fields. Conflict when it has changed since the decision."""
        target = action.target
        volume = msgspec.json.decode(await self._client.get_raw(VOLUMES.path(name=action.volume)))
        if volume["metadata"]["resourceVersion"] != action.resource_version:
            raise Conflict(409, "Conflict", f"volume {action.volume} has changed")
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        volume["spec"]["claimRef"] = kind | {"namespace": target.namespace, "name": target.name, "uid": target.uid}
        await self._client.replace(VOLUMES, volume)


def _key(claim: ClaimRef) -> Key:
    return Key(claim.namespace, claim.name)


def reference(claim: ClaimRef) -> dict[str, str]:
    """What events about a claim refer to."""
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return kind | {"namespace": claim.namespace, "name": claim.name, "uid": claim.uid}
