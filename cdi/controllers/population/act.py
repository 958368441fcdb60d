"""Performs a plan. What is created has a deterministic name and is never updated; what exists already must be ours."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from cdi.controllers import annotations as a
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
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, Conflict
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, CONFIG_MAPS, PODS, VOLUMES, Resource

log = logging.getLogger(__name__)

T = TypeVar("T")
_NAMESPACE_GOES = "NamespaceTerminating"  # a cause of the API server's
_REFUSED_AGAIN_S = 5.0  # after a quota or a policy refused something


class NotOurs(ApiError):
    """An object has the name that we need, and belongs to somebody else."""


class Refused(Exception):
    """A quota or a policy stands in the way: people can change that, and nobody tells us."""


class Actor:
    def __init__(
        self, client: Client, recorder: Recorder, followers: Followers, written: Written, settings: Settings
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._followers = followers
        self._written = written
        self._settings = settings

    async def act(self, plan: Plan) -> float | None:
        """Seconds after which to look again. Raises ApiError at the first action that fails: the rest waits."""
        try:
            for action in plan.actions:
                await self._perform(action)
        except Refused:
            return _REFUSED_AGAIN_S
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
                await self._create_claim(action.body, action.claim, "ErrCreatingScratchSpace")
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

    async def _annotate(self, claim: ClaimRef, changes: Mapping[str, str | None]) -> None:
        """With the version that was decided on: outputs that a new leader never saw must not be taken back."""
        if changes:
            metadata = {"uid": claim.uid, "annotations": changes, "resourceVersion": claim.resource_version}
            patch = {"metadata": metadata}
            answer = await self._client.merge_patch(CLAIMS, claim.name, patch, namespace=claim.namespace)
            self._written.note(answer.metadata)

    async def _create_worker(self, action: CreateWorker) -> None:
        name = action.body["metadata"]["name"]
        await self._ensure_unchanged(action.claim)
        try:
            await self._create(PODS, action.body, action.claim.uid)
        except ApiError as refused:
            if not refused.refused:
                raise
            if any(cause.reason == _NAMESPACE_GOES for cause in refused.causes):
                raise Refused from refused  # the claim goes with it: nobody is left to be told
            reason = "ErrExceededQuota" if "exceeded quota" in refused.message else "ErrStartingPod"
            log.warning("pod %s/%s is refused: %s", action.claim.namespace, name, refused)
            failed = outputs.start_failed(reason, name, refused.message)
            for claim in dict.fromkeys((action.claim, action.target)):
                await self._annotate(claim, failed)
                self._recorder.event(reference(claim), "Warning", reason, failed[a.RUNNING_MESSAGE])
            raise Refused from refused

    async def _ensure_unchanged(self, claim: ClaimRef) -> None:
        """Raises Conflict when it is another one than was decided on. Asked of the API server: a cache may lag, also a
        new leader's, in which the worker of an import that is over is gone before its result has come."""
        live = await self._client.find(CLAIMS, claim.name, claim.namespace)
        found = (live.metadata.uid, live.metadata.resource_version) if live is not None else ("", "")
        if found != (claim.uid, claim.resource_version):
            text = f"claim {claim.namespace}/{claim.name} is at version {found[1] or 'none'}"
            raise Conflict(409, "Conflict", f"{text}, and what is to be done was decided on {claim.resource_version}")

    async def _create_prime(self, action: CreatePrime) -> None:
        await self._ensure_unchanged(action.target)
        try:
            await self._create_claim(action.body, action.target, "ErrCreatingPVCPrime")
        except Refused as refused:
            await self._annotate(action.target, outputs.bound("Pending", str(refused)))
            raise

    async def _create_claim(self, body: Mapping[str, Any], told: ClaimRef, reason: str) -> None:
        owner = body["metadata"]["ownerReferences"][0]["uid"]
        try:
            await self._create(CLAIMS, body, owner)
        except ApiError as refused:
            if not refused.refused:
                raise
            self._recorder.event(reference(told), "Warning", reason, refused.message)
            raise Refused(refused.message) from refused

    async def _create(self, resource: Resource[T], body: Mapping[str, Any], owner: str) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        try:
            await self._client.create(resource, body)
        except AlreadyExists:
            found: Any = await self._client.find(resource, name, namespace)
            if found is not None and found.metadata.controller_uid != owner:
                text = f"{resource.kind} {namespace}/{name} exists and is not ours"
                raise NotOurs(409, "AlreadyExists", text) from None

    async def _copy_certificates(self, action: CopyProxyCertificates) -> None:
        source = await self._client.find(CONFIG_MAPS, action.source, self._settings.namespace)
        if source is None:
            where = f"{self._settings.namespace}/{action.source}"
            text = f"the worker waits for ConfigMap {where}, which importProxy.trustedCAProxy names: it does not exist"
            log.warning("%s", text)
            self._recorder.event(reference(action.claim), "Warning", "ProxyCertificatesMissing", text)
            raise Refused(text)
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


def reference(claim: ClaimRef) -> dict[str, str]:
    """What events about a claim refer to."""
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return kind | {"namespace": claim.namespace, "name": claim.name, "uid": claim.uid}
