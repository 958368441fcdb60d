"""From the stores to one ``Observed``: all that is known of a target claim at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from cdi.api.populators import VolumeSource
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.claims.binding import awaits_consumer, is_bound, is_prime_of
from cdi.controllers.claims.finished import names_clone_source, stays_succeeded
from cdi.controllers.claims.indexes import USED, claims_of
from cdi.controllers.claims.stores import Stores
from cdi.controllers.cluster import Cluster
from cdi.controllers.defaults import index_defaults, marked
from cdi.controllers.population.cloning.observe import CloneObserver, is_clone, namespace_of
from cdi.controllers.population.cloning.seen import Cloning
from cdi.controllers.population.complaints import Complaints
from cdi.controllers.population.kinds import kind_of_worker
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.plan import Role
from cdi.controllers.population.progress import Followers
from cdi.controllers.population.sightings import Sightings
from cdi.controllers.population.step import STUCK_S
from cdi.controllers.population.way import Way, kind_of, way_of
from cdi.controllers.population.work import seldom
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.objects import Event, Object
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from cdi.kube.store import Key
from storageprofiles.classes import KUBERNETES_DEFAULT

_ASKED_AGAIN_S = 2.0  # what is said of a claim that just began to wait, when there is a reason to look at it

TARGET, OWNER = "target", "owner"  # indexes


def add_indexes(stores: Stores) -> None:
    stores.pods.index(TARGET, target_of_pod)
    stores.pods.index(USED, claims_of)
    stores.claims.index(OWNER, owners_of)
    index_defaults(stores.classes)


def target_of_pod(pod: Pod) -> list[str]:
    """As namespace/name. A pod that works for a claim of another namespace says which."""
    name = pod.metadata.annotations.get(a.OWN_TARGET, "")
    return [name if name.count("/") == 1 else f"{pod.metadata.namespace}/{name}"] if name else []


def owners_of(claim: PersistentVolumeClaim) -> list[str]:
    """Claims that a claim works for: of a PVC' its target."""
    owners = claim.metadata.owner_references if a.POPULATOR_KIND in claim.metadata.annotations else []
    return [f"{claim.metadata.namespace}/{owner.name}" for owner in owners if owner.kind == "PersistentVolumeClaim"]


def _state(pod: Pod) -> tuple[str, str | None]:
    return pod.metadata.uid, pod.metadata.deletion_timestamp


class Observer:
    def __init__(
        self, stores: Stores, settings: Settings, followers: Followers, written: Written, outside: Outside
    ) -> None:
        self.clones = CloneObserver(stores, outside.verify)
        client = outside.client
        self._stores = stores
        self._settings = settings
        self._followers = followers
        self._written = written
        self._workers, self._waits = Sightings(), Sightings()
        self._of_claims, self._of_pods = Complaints(client), Complaints(client, warnings=True)
        self._of_clones = Complaints(client, warnings=True)

    async def observe(self, key: Key) -> Observed | None:
        """None: the stores do not show yet what we did last; they will, and then we are called again."""
        stores = self._stores
        target = stores.claims.get(key.name, key.namespace)
        made = self.clones.made_for(target) if target is not None and is_clone(target) else {}
        prime = self._prime(target, key, made)
        if any(found and not self._written.is_seen(found.metadata) for found in (target, prime)):
            return None
        by_mark = target is not None and names_clone_source(target)  # what is made for it was found by its mark
        ours = prime if prime and (target is None or by_mark or is_prime_of(prime, target)) else None
        worked_on = ours or target
        objects = self._objects(worked_on, key) | made
        pod = cast("Pod | None", objects.get(Role.WORKER))
        cluster = stores.cluster()
        waits = target is not None and worked_on is not None and self._waits_for_volume(target, worked_on)
        unbound_s = self._waits.age_s(key, worked_on.metadata.uid if worked_on and waits else None)
        latest = self._followers.latest(pod.metadata.uid) if pod else None
        return Observed(
            target=target,
            prime=prime,
            volume=stores.volumes.get(worked_on.spec.volume_name) if worked_on else None,
            source=self._source(target, key),
            objects=objects,
            pod_is_made=pod is not None and self._followers.has_made(pod.metadata.uid),
            storage_class=self._class(target),
            overhead=self._overhead(cluster, worked_on),
            scratch_overhead=cluster.overhead(self._scratch_class(cluster, worked_on), "Filesystem"),
            users=self._users(worked_on, pod),
            percent=latest.percent if latest else None,
            clone=await self._clone(target, ours, cluster, unbound_s),
            durable=latest.record if latest else "",
            strays=self._strays(pod, key),
            is_over=target is not None and self._is_over(target),
            pod_age_s=self._workers.age_s(key, _state(pod) if pod else None),
            unbound_s=unbound_s,
            event=await self._said_of_claim(key, worked_on if waits else None, unbound_s),
            pod_event=await self._said_of_pod(key, pod if pod and self._is_stuck(key, pod) else None),
            cluster=cluster,
            settings=self._settings,
        )

    def _prime(
        self, target: PersistentVolumeClaim | None, key: Key, made: Mapping[Role, Object]
    ) -> PersistentVolumeClaim | None:
        """``made``: for the clone that the target is."""
        if target is not None and names_clone_source(target):
            return cast("PersistentVolumeClaim | None", made.get(Role.PRIME))
        if target is not None:
            return self._stores.claims.get(names.prime(target.metadata.uid), key.namespace)
        return next(iter(self._stores.claims.by(OWNER, str(key))), None)

    def _objects(self, claim: PersistentVolumeClaim | None, key: Key) -> dict[Role, Object]:
        """What has the name of an object that works for ``claim``; where that is gone, the worker that is left."""
        stores, kind = self._stores, kind_of(claim) if claim is not None else None
        left = self._left(claim, key) if kind is None else None
        kind = kind_of_worker(left) if left is not None else kind
        if claim is None or kind is None:
            return {Role.WORKER: left} if left is not None else {}
        name, namespace = claim.metadata.name, claim.metadata.namespace
        found: dict[Role, Object | None] = {
            Role.WORKER: left or stores.pods.get(kind.worker_name(name), namespace),
            Role.SCRATCH: stores.claims.get(names.scratch(name), namespace),
        }
        for role, (resource, companion) in kind.companions(name).items():
            found[role] = stores.companions[resource].get(companion, namespace)
        return {role: item for role, item in found.items() if item is not None}

    def _left(self, claim: PersistentVolumeClaim | None, key: Key) -> Pod | None:
        """The worker of a claim that is gone, or asks for nothing any more. One of a former claim is a stray."""
        pods = self._stores.pods.by(TARGET, str(key))
        return next((pod for pod in pods if claim is None or pod.metadata.controller_uid == claim.metadata.uid), None)

    def _strays(self, pod: Pod | None, key: Key) -> tuple[Pod, ...]:
        """Of claims that had this name before, or of their PVC'."""
        return tuple(found for found in self._stores.pods.by(TARGET, str(key)) if found is not pod)

    def _is_over(self, target: PersistentVolumeClaim) -> bool:
        """Whatever its claim says, or does not say any more."""
        volume = self._stores.datavolumes.get(target.metadata.name, target.metadata.namespace)
        is_its = volume is not None and volume.metadata.uid == target.metadata.controller_uid
        return volume is not None and is_its and stays_succeeded(volume, target)

    def _source(self, target: PersistentVolumeClaim | None, key: Key) -> VolumeSource | None:
        reference = target.spec.data_source_ref if target else None
        store = self._stores.sources.get(reference.kind) if reference else None
        if store is None or reference is None:
            return None
        namespace = namespace_of(target) if target is not None else key.namespace
        return cast("VolumeSource | None", store.get(reference.name, namespace))

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
        return next((item.metadata.name for item in marked(self._stores.classes, KUBERNETES_DEFAULT)), None)

    def _users(self, claim: PersistentVolumeClaim | None, worker: Pod | None) -> tuple[str, ...]:
        if claim is None or worker is not None:
            return ()
        found = self._stores.pods.by(USED, f"{claim.metadata.namespace}/{claim.metadata.name}")
        return tuple(pod.metadata.name for pod in found if pod.status.phase not in {"Succeeded", "Failed"})

    def _waits_for_volume(self, target: PersistentVolumeClaim, claim: PersistentVolumeClaim) -> bool:
        """Whether the claim that the worker writes to should be bound and is not. A Lost one had its volume."""
        if way_of(target) not in (Way.DIRECT, Way.POPULATOR, Way.CLONE):
            return False
        if claim.status.phase == "Pending":
            return not awaits_consumer(claim, self._class(claim))
        # A PVC' that was bound before anybody looked: what its provisioner said last is still to be told.
        is_new = a.BOUND not in target.metadata.annotations and a.POD_PHASE not in claim.metadata.annotations
        return claim is not target and is_bound(claim) and not is_bound(target) and is_new

    async def _clone(
        self,
        target: PersistentVolumeClaim | None,
        prime: PersistentVolumeClaim | None,
        cluster: Cluster,
        unbound_s: float,
    ) -> Cloning | None:
        """Of a target that is cloned."""
        if target is None or not is_clone(target):
            return None
        found, key = self.clones.observe(target, cluster), Key(target.metadata.namespace, target.metadata.name)
        if prime is None or prime.status.phase != "Pending":
            self._of_clones.forget(key)
            return found
        pause_s = seldom(_ASKED_AGAIN_S, unbound_s)
        said = await self._of_clones.newest(key, prime.metadata, prime.status.phase, pause_s)
        return replace(found, complaint=said)

    def _is_stuck(self, key: Key, pod: Pod) -> bool:
        """Its node has it for a while, and its container is not there yet. Most start at once, and nobody asks."""
        has_begun = any(status.state.waiting is None for status in pod.status.container_statuses)
        placed = pod.status.phase == "Pending" and bool(pod.spec.node_name) and not has_begun
        return placed and self._workers.age_s(key, _state(pod)) >= STUCK_S

    async def _said_of_claim(self, key: Key, claim: PersistentVolumeClaim | None, unbound_s: float) -> Event | None:
        if claim is None:
            self._of_claims.forget(key)
            return None
        pause_s = seldom(_ASKED_AGAIN_S, unbound_s)
        return await self._of_claims.newest(key, claim.metadata, claim.status.phase, pause_s)

    async def _said_of_pod(self, key: Key, pod: Pod | None) -> Event | None:
        if pod is None:
            self._of_pods.forget(key)
            return None
        pause_s = seldom(STUCK_S, self._workers.age_s(key, _state(pod)))
        return await self._of_pods.newest(key, pod.metadata, pod.status.phase, pause_s)
