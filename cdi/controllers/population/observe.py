"""From the stores to one ``Observed``: all that is known of a target claim at this moment."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import NAME as CONFIG
from cdi.api.cdiconfig import CDIConfig
from cdi.api.populators import VolumeImportSource
from cdi.controllers import annotations as a
from cdi.controllers.cluster import Cluster, cluster_of
from cdi.controllers.installation.decide import active_of
from cdi.controllers.population import names
from cdi.controllers.population.events import newest_event
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.progress import Followers
from cdi.controllers.population.way import awaits_consumer, is_bound
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.objects import Event
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from cdi.kube.store import Key, Store
from storageprofiles.classes import KUBERNETES_DEFAULT

TARGET, MOUNTS, OWNER = "target", "mounts", "owner"  # indexes


@dataclass(frozen=True)
class Stores:
    claims: Store[PersistentVolumeClaim]
    pods: Store[Pod]
    volumes: Store[PersistentVolume]
    sources: Store[VolumeImportSource]
    classes: Store[StorageClass]
    configs: Store[CDIConfig]
    systems: Store[CDI]

    def cluster(self) -> Cluster:
        return cluster_of(self.configs.get(CONFIG), active_of(self.systems.all()))


def add_indexes(stores: Stores) -> None:
    stores.pods.index(TARGET, target_of_pod)
    stores.pods.index(MOUNTS, _mounted)
    stores.claims.index(OWNER, owners_of)


def target_of_pod(pod: Pod) -> list[str]:
    name = pod.metadata.annotations.get(a.OWN_TARGET)
    return [f"{pod.metadata.namespace}/{name}"] if name else []


def owners_of(claim: PersistentVolumeClaim) -> list[str]:
    """Claims that a claim works for: of a PVC' its target."""
    owners = claim.metadata.owner_references
    return [f"{claim.metadata.namespace}/{owner.name}" for owner in owners if owner.kind == "PersistentVolumeClaim"]


def _mounted(pod: Pod) -> Iterable[str]:
    if pod.status.phase in {"Succeeded", "Failed"}:
        return []
    return [f"{pod.metadata.namespace}/{name}" for name in pod.claims]


class Observer:
    def __init__(
        self, stores: Stores, settings: Settings, followers: Followers, written: Written, client: Client
    ) -> None:
        self._stores = stores
        self._settings = settings
        self._followers = followers
        self._written = written
        self._client = client

    async def observe(self, key: Key) -> Observed | None:
        """None: the stores do not show yet what we did last; they will, and then we are called again."""
        stores = self._stores
        target = stores.claims.get(key.name, key.namespace)
        prime = self._prime(target, key)
        if any(found and not self._written.is_seen(found.metadata) for found in (target, prime)):
            return None
        worked_on = prime or target
        pod = self._pod(worked_on, key)
        scratch = worked_on and stores.claims.get(names.scratch(worked_on.metadata.name), key.namespace)
        cluster = stores.cluster()
        latest = self._followers.latest(pod.metadata.uid) if pod else None
        return Observed(
            target=target,
            prime=prime,
            volume=stores.volumes.get(prime.spec.volume_name) if prime and prime.spec.volume_name else None,
            source=self._source(target, key),
            pod=pod,
            scratch=scratch,
            storage_class=self._class(target),
            overhead=self._overhead(cluster, worked_on),
            scratch_overhead=cluster.overhead(self._scratch_class(cluster, worked_on), "Filesystem"),
            users=self._users(worked_on, pod),
            percent=latest.percent if latest else None,
            durable=latest.record if latest else "",
            event=await self._event(worked_on),
            now=datetime.datetime.now(datetime.UTC).isoformat(),
            cluster=cluster,
            settings=self._settings,
        )

    def _prime(self, target: PersistentVolumeClaim | None, key: Key) -> PersistentVolumeClaim | None:
        if target is not None:
            return self._stores.claims.get(names.prime(target.metadata.uid), key.namespace)
        return next(iter(self._stores.claims.by(OWNER, str(key))), None)

    def _pod(self, claim: PersistentVolumeClaim | None, key: Key) -> Pod | None:
        if claim is None:
            return next(iter(self._stores.pods.by(TARGET, str(key))), None)
        return self._stores.pods.get(names.importer(claim.metadata.name), key.namespace)

    def _source(self, target: PersistentVolumeClaim | None, key: Key) -> VolumeImportSource | None:
        reference = target.spec.data_source_ref if target else None
        return self._stores.sources.get(reference.name, key.namespace) if reference else None

    def _class(self, target: PersistentVolumeClaim | None) -> StorageClass | None:
        name = target.spec.storage_class_name if target else None
        return self._stores.classes.get(name) if name else None

    def _overhead(self, cluster: Cluster, claim: PersistentVolumeClaim | None) -> str:
        if claim is None:
            return "0"
        return cluster.overhead(self._known_class(claim.spec.storage_class_name), claim.spec.volume_mode or "")

    def _scratch_class(self, cluster: Cluster, claim: PersistentVolumeClaim | None) -> str | None:
        return self._known_class(cluster.scratch_class or (claim.spec.storage_class_name if claim else None))

    def _known_class(self, name: str | None) -> str | None:
        """A class that does not exist counts as none: then the default's overhead holds."""
        if name == "" or (name and self._stores.classes.get(name)):
            return name
        defaults = (
            item for item in self._stores.classes.all() if item.metadata.annotations.get(KUBERNETES_DEFAULT) == "true"
        )
        return next((item.metadata.name for item in defaults), None)

    def _users(self, claim: PersistentVolumeClaim | None, worker: Pod | None) -> tuple[str, ...]:
        if claim is None or worker is not None:
            return ()
        found = self._stores.pods.by(MOUNTS, f"{claim.metadata.namespace}/{claim.metadata.name}")
        return tuple(pod.metadata.name for pod in found)

    async def _event(self, claim: PersistentVolumeClaim | None) -> Event | None:
        """Events are asked for only while a claim that should be bound is not."""
        if claim is None or is_bound(claim) or awaits_consumer(claim, self._class(claim)):
            return None
        return await newest_event(self._client, claim)
