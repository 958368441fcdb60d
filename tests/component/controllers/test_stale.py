"""What was decided on a cache that lags is not done. A new leader's may lag far behind: its watch of claims hangs on a
connection that lost its other end, while that of pods shows that the worker is gone."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.populationmodel import sort_of

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeImportSource
from cdi.contract import annotations as a
from cdi.controllers.datavolume import act as volumes
from cdi.controllers.datavolume import plan as volume_plan
from cdi.controllers.datavolume.observed import Observed as VolumeObserved
from cdi.controllers.population.act import Actor
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import Annotate, DeleteClaim, Plan, Role, ref
from cdi.controllers.population.progress import Followers
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.errors import Conflict
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, NAMESPACES, PODS
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from cdi.trust.tokens import Signer, key_pair

ASKS = {a.SOURCE: "http", a.ENDPOINT: "http://192.0.2.1/disk.img"}
SPEC = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}
FROM_SOURCE = {"dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "source"}}
SOURCE = msgspec.convert(
    {"metadata": {"name": "source"}, "spec": {"source": {"http": {"url": "http://192.0.2.1/disk.img"}}}},
    VolumeImportSource,
)
SETTINGS = Settings(importer_image="importer:1")
CLASS = StorageClass(provisioner="csi.test", volume_binding_mode="Immediate")

_numbers = itertools.count()


@dataclass
class Bench:
    """One namespace, and the actors of both controllers."""

    client: Client
    namespace: str

    def __post_init__(self) -> None:
        recorder = Recorder(self.client, "cdi-controller")
        followers = Followers(self.client, lambda _: None)
        self.actor = Actor(self.client, recorder, followers, Written(), SETTINGS)
        self.volumes = volumes.Actor(self.client, recorder, Written(), Signer(key_pair().private))

    async def claim(self, annotations: dict[str, str], phase: str, **spec: Any) -> PersistentVolumeClaim:
        metadata = {"name": "disk", "namespace": self.namespace, "annotations": annotations}
        await self.client.create(CLAIMS, {"metadata": metadata, "spec": SPEC | spec})
        return await self.patch({"status": {"phase": phase}}, "status")

    async def patch(self, patch: dict[str, Any], subresource: str = "") -> PersistentVolumeClaim:
        return await self.client.merge_patch(CLAIMS, "disk", patch, namespace=self.namespace, subresource=subresource)

    async def annotate(self, annotations: dict[str, str | None]) -> PersistentVolumeClaim:
        return await self.patch({"metadata": {"annotations": annotations}})

    async def pods(self) -> list[str]:
        return [pod.metadata.name for pod in await self.client.list(PODS, self.namespace)]

    async def claims(self) -> list[str]:
        return [claim.metadata.name for claim in await self.client.list(CLAIMS, self.namespace)]


@asynccontextmanager
async def bench(api: ApiServer) -> AsyncIterator[Bench]:
    async with Client(load(str(api.kubeconfig()))) as client:
        namespace = f"stale-{next(_numbers)}"
        await client.create(NAMESPACES, {"metadata": {"name": namespace}})
        yield Bench(client, namespace)


def decided(claim: PersistentVolumeClaim) -> Plan:
    return decide(Observed(claim, source=SOURCE, storage_class=CLASS, settings=SETTINGS))


def of_kind(plan: Plan, kind: object) -> Plan:
    """Only actions of this kind; there must be one."""
    chosen = tuple(action for action in plan.actions if sort_of(action) is kind)
    assert chosen, plan
    return Plan(chosen)


async def is_refused(bench: Bench, plan: Plan) -> None:
    with pytest.raises(Conflict):
        await bench.actor.act(plan)


CHANGES: dict[str, Callable[[Bench], Any]] = {
    "it has succeeded": lambda at: at.annotate({a.POD_PHASE: "Succeeded"}),
    "it has failed for good": lambda at: at.annotate({a.POD_PHASE: "Failed", a.FATAL: "true"}),
    "somebody touched it": lambda at: at.annotate({"example.com/note": "x"}),
    "it is gone": lambda at: at.client.delete(CLAIMS, "disk", at.namespace),
}


@asynchronous
async def test_a_worker_is_made_on_the_claim_as_it_is(api: ApiServer) -> None:
    async with bench(api) as at:
        seen = await at.claim(ASKS, "Bound", volumeName="volume")
        await at.actor.act(decided(seen))
        assert await at.pods() == ["importer-disk"]
        assert (await at.client.get(CLAIMS, "disk", at.namespace)).metadata.annotations[a.POD_NAME] == "importer-disk"


@pytest.mark.parametrize("change", CHANGES)
@asynchronous
async def test_no_worker_is_made_on_a_claim_that_has_changed_since(api: ApiServer, change: str) -> None:
    async with bench(api) as at:
        stale = await at.claim(ASKS | {a.POD_PHASE: "Running"}, "Bound", volumeName="volume")
        await CHANGES[change](at)
        await is_refused(at, of_kind(decided(stale), Role.WORKER))
        assert await at.pods() == []


@asynchronous
async def test_no_worker_is_made_on_a_claim_that_has_its_name_since(api: ApiServer) -> None:
    async with bench(api) as at:
        stale = await at.claim(ASKS, "Bound", volumeName="volume")
        await at.patch({"metadata": {"finalizers": None}})
        await at.client.delete(CLAIMS, "disk", at.namespace)
        again = await at.claim(ASKS | {a.POD_PHASE: "Succeeded"}, "Bound", volumeName="volume")
        assert again.metadata.uid != stale.metadata.uid
        await is_refused(at, of_kind(decided(stale), Role.WORKER))
        assert await at.pods() == []


@asynchronous
async def test_outputs_that_were_not_seen_are_not_taken_back(api: ApiServer) -> None:
    """A new attempt removes what the one before said: of a result that came meanwhile nothing may be lost."""
    async with bench(api) as at:
        stale = await at.claim(ASKS | {a.POD_PHASE: "Running", a.RUNNING: "true"}, "Bound", volumeName="volume")
        done = await at.annotate({a.POD_PHASE: "Succeeded", a.RUNNING: "false"})
        await is_refused(at, of_kind(decided(stale), Annotate))
        now = await at.client.get(CLAIMS, "disk", at.namespace)
        assert now.metadata.annotations == done.metadata.annotations


@asynchronous
async def test_no_second_claim_is_made_for_one_that_has_its_volume_since(api: ApiServer) -> None:
    async with bench(api) as at:
        stale = await at.claim({}, "Pending", **FROM_SOURCE)
        await at.patch({"spec": {"volumeName": "volume"}})
        await is_refused(at, of_kind(decided(stale), Role.PRIME))
        assert await at.claims() == ["disk"]


@asynchronous
async def test_a_claim_that_has_changed_is_not_deleted(api: ApiServer) -> None:
    async with bench(api) as at:
        stale = await at.claim({}, "Lost")
        await at.annotate({a.RETAIN: "true"})
        with pytest.raises(Conflict):
            await at.volumes.act(VolumeObserved(volume_of(at)), volume_plan.Plan((volume_plan.DeleteClaim(stale),)))
        await at.actor.act(Plan((DeleteClaim(ref(stale)),)))  # looks again when the store shows the change
        assert (await at.client.get(CLAIMS, "disk", at.namespace)).metadata.deletion_timestamp is None


def volume_of(at: Bench) -> DataVolume:
    return msgspec.convert({"metadata": {"name": "disk", "namespace": at.namespace, "uid": "d"}}, DataVolume)


@asynchronous
async def test_a_claim_is_told_what_to_import_as_it_was_decided_on(api: ApiServer) -> None:
    """Twice in one plan, where the second knows of the first; and not when somebody else was faster."""
    async with bench(api) as at:
        seen = await at.claim(ASKS, "Bound", volumeName="volume")
        both = volume_plan.Plan(
            (
                volume_plan.AnnotateClaim(seen, {a.OWN_FAILURE_POLICY: "Fail"}),
                volume_plan.AnnotateClaim(seen, {a.ENDPOINT: "http://192.0.2.1/other.img"}),
            )
        )
        observed = VolumeObserved(volume_of(at), claim=seen)
        result = await at.volumes.act(observed, both)
        assert result.claim is not None
        assert result.claim.metadata.annotations[a.OWN_FAILURE_POLICY] == "Fail"
        with pytest.raises(Conflict):
            await at.volumes.act(
                observed, volume_plan.Plan((volume_plan.AnnotateClaim(seen, {a.ENDPOINT: "http://x"}),))
            )
        assert (
            (await at.client.get(CLAIMS, "disk", at.namespace)).metadata.annotations[a.ENDPOINT].endswith("other.img")
        )


@asynchronous
async def test_a_claim_that_no_store_shows_yet_is_read(api: ApiServer) -> None:
    async with bench(api) as at:
        there = await at.claim(ASKS, "Pending")
        body = {"metadata": {"name": "disk", "namespace": at.namespace}, "spec": SPEC}
        result = await at.volumes.act(VolumeObserved(volume_of(at)), volume_plan.Plan((volume_plan.CreateClaim(body),)))
        assert result.claim is not None
        assert result.claim.metadata.uid == there.metadata.uid
