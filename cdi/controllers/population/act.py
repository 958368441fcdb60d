"""Performs a plan. What is created has a deterministic name and is never updated; what exists already must be ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi.contract import annotations as a
from cdi.controllers.population import outputs
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    ClaimRef,
    CopyProxyCertificates,
    CreatePrime,
    CreateScratch,
    CreateWorker,
    DeleteClaim,
    DeleteWorker,
    Emit,
    Follow,
    Plan,
    Rebind,
)
from cdi.controllers.population.progress import Followers
from cdi.controllers.refusals import Refusals, Refused
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, Conflict, NotOurs
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, CONFIG_MAPS, PODS, VOLUMES, Resource
from cdi.kube.store import Key

log = logging.getLogger(__name__)

T = TypeVar("T")
_REMEMBERED = 10_000
_NAMESPACE_GOES = "NamespaceTerminating"  # a cause of the API server's


class _Missing(ApiError):
    """Something that a worker needs, and that only people can make."""

    @property
    def refused(self) -> bool:
        return True


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
        self._copied: dict[str, None] = {}  # uids of pods that have a copy of the proxy's certificates

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
                await self._annotate(action.claim, outputs.changes(action.before, action.after))
            case CreateWorker():
                await self._create_worker(action)
            case CreatePrime():
                await self._create_prime(action)
            case CreateScratch():
                await self._create_scratch(action)
            case CopyProxyCertificates():
                await self._copy_certificates(action)
            case DeleteWorker(namespace, name, uid):
                await self._delete(PODS, namespace, name, uid)
                self._followers.forget(uid)
            case DeleteClaim(claim):
                await self._delete(CLAIMS, claim.namespace, claim.name, claim.uid, claim.resource_version)
            case Rebind():
                await self._rebind(action)
            case Follow():
                self._followers.follow(action)
            case Emit(claim, kind, reason, message):
                self._recorder.event(reference(claim), kind, reason, message)

    async def _annotate(self, claim: ClaimRef, changes: Mapping[str, str | None]) -> bool:
        """With the version that was decided on: outputs that a new leader never saw must not be taken back. Gives
        whether there was something to write."""
        if changes:
            metadata = {"uid": claim.uid, "annotations": changes, "resourceVersion": claim.resource_version}
            patch = {"metadata": metadata}
            answer = await self._client.merge_patch(CLAIMS, claim.name, patch, namespace=claim.namespace)
            self._written.note(answer.metadata)
        return bool(changes)

    async def _create_worker(self, action: CreateWorker) -> None:
        asked = {"body": action.body, "inputs": [told.inputs for told in action.told]}
        try:
            await self.refusals.ask(_key(action.target), asked, lambda: self._create_unless_changed(action))
        except Refused as refused:
            goes = any(cause.reason == _NAMESPACE_GOES for cause in refused.cause.causes)
            if refused.is_news and not goes:  # of a namespace that goes, nobody is left to be told
                await self._start_failed(action, refused.cause.message)
                self.refusals.told(_key(action.target))
            raise

    async def _create_unless_changed(self, action: CreateWorker) -> None:
        await self._ensure_unchanged(action.claim)
        made = await self._create(PODS, action.body, action.claim.uid)
        if made is not None:
            self._followers.made(made.metadata.uid)

    async def _ensure_unchanged(self, claim: ClaimRef) -> None:
        """Raises Conflict when it is another one than was decided on. Asked of the API server: a cache may lag, also a
        new leader's, in which the worker of an import that is over is gone before its result has come."""
        live = await self._client.find(CLAIMS, claim.name, claim.namespace)
        found = (live.metadata.uid, live.metadata.resource_version) if live is not None else ("", "")
        if found != (claim.uid, claim.resource_version):
            text = f"claim {claim.namespace}/{claim.name} is at version {found[1] or 'none'}"
            raise Conflict(409, "Conflict", f"{text}, and what is to be done was decided on {claim.resource_version}")

    async def _start_failed(self, action: CreateWorker, cause: str) -> None:
        name = action.body["metadata"]["name"]
        reason = "ErrExceededQuota" if "exceeded quota" in cause else "ErrStartingPod"
        log.warning("pod %s/%s is refused: %s", action.claim.namespace, name, cause)
        failed = outputs.start_failed(reason, name, cause)
        told = zip((action.claim, action.target), action.told, strict=True)
        for claim, known in {claim.uid: (claim, known) for claim, known in told}.values():
            if await self._annotate(claim, outputs.changes(known.outputs, {**known.outputs, **failed})):
                self._recorder.event(reference(claim), "Warning", reason, failed[a.RUNNING_MESSAGE])

    async def _create_prime(self, action: CreatePrime) -> None:
        target, known = action.target, action.told.outputs
        asked = {"body": action.body, "inputs": action.told.inputs}
        try:
            await self._create_claim(asked, _key(target), target, "ErrCreatingPVCPrime")
        except Refused as refused:
            said = outputs.bound("Pending", str(refused))
            if refused.is_news:
                await self._annotate(target, outputs.changes(known, {**known, **said}))
                self.refusals.told(_key(target))
            raise

    async def _create_scratch(self, action: CreateScratch) -> None:
        target = action.body["metadata"]["annotations"].get(a.OWN_TARGET, action.claim.name)
        key = Key(action.claim.namespace, target)
        try:
            await self._create_claim({"body": action.body}, key, action.claim, "ErrCreatingScratchSpace")
        except Refused:
            self.refusals.told(key)
            raise

    async def _create_claim(self, asked: Mapping[str, Any], key: Key, told: ClaimRef, reason: str) -> None:
        body = asked["body"]
        owner = body["metadata"]["ownerReferences"][0]["uid"]

        async def create() -> None:
            if owner == told.uid:  # PVC'; of a scratch claim the owner is its pod, which is new
                await self._ensure_unchanged(told)
            await self._create(CLAIMS, body, owner)

        try:
            await self.refusals.ask(key, asked, create)
        except Refused as refused:
            if refused.is_news:
                self._recorder.event(reference(told), "Warning", reason, refused.cause.message)
            raise

    async def _create(self, resource: Resource[T], body: Mapping[str, Any], owner: str) -> T | None:
        """None: it was there, and is ours as far as anybody can see."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            return await self._client.create(resource, body)
        except AlreadyExists:
            found: Any = await self._client.find(resource, name, namespace)
            if found is not None and found.metadata.controller_uid != owner:
                text = f"{resource.kind} {namespace}/{name} exists and is not ours"
                raise NotOurs(409, "AlreadyExists", text) from None
            return None

    async def _copy_certificates(self, action: CopyProxyCertificates) -> None:
        if action.owner["uid"] in self._copied:
            return
        key = Key(action.namespace, action.target)
        asked = {"source": action.source, "name": action.name, "owner": action.owner["uid"]}
        try:
            await self.refusals.ask(key, asked, lambda: self._copy(action))
        except Refused as refused:
            if refused.is_news:
                log.warning("%s", refused)
                self._recorder.event(reference(action.claim), "Warning", "ProxyCertificatesMissing", str(refused))
                self.refusals.told(key)
            raise
        self._copied[action.owner["uid"]] = None
        if len(self._copied) > _REMEMBERED:
            del self._copied[next(iter(self._copied))]

    async def _copy(self, action: CopyProxyCertificates) -> None:
        source = await self._client.find(CONFIG_MAPS, action.source, self._settings.namespace)
        if source is None:
            where = f"{self._settings.namespace}/{action.source}"
            text = f"the worker waits for ConfigMap {where}, which importProxy.trustedCAProxy names: it does not exist"
            raise _Missing(404, "ProxyCertificatesMissing", text)
        metadata = {"name": action.name, "namespace": action.namespace, "ownerReferences": [action.owner]}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"labels": a.APP}, "data": source.data}
        await self._create(CONFIG_MAPS, body, action.owner["uid"])

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
