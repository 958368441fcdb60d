"""The DataVolume controller: observe, decide, act, then the status from the same observation."""

from __future__ import annotations

from dataclasses import replace

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.api.phase import Phase
from cdi.api.populators import CLONE_KIND, VolumeSource
from cdi.api.storageprofile import StorageProfile
from cdi.contract import annotations as a
from cdi.controllers.claims.indexes import claims_of
from cdi.controllers.claims.stores import Stores
from cdi.controllers.claims.unconfigured import Unconfigured
from cdi.controllers.cluster import cluster_of
from cdi.controllers.datavolume import detection
from cdi.controllers.datavolume.act import Actor
from cdi.controllers.datavolume.conditions import condition_events
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.filling import filling_of
from cdi.controllers.datavolume.observe import Observer, Population, VolumeStores
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.origin import origin_of
from cdi.controllers.datavolume.phases import announcement
from cdi.controllers.datavolume.status import status_of
from cdi.controllers.defaults import marks_of
from cdi.controllers.named_sources import NAMES, named
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.pods import Pod
from cdi.kube.recorder import Recorder
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotContent,
)
from cdi.kube.store import Key

_REFERENCE = "reference"  # index of unfinished DataVolumes by the DataSource that they name
_SOURCE = "source"  # index of DataVolumes by the name of their source object
_WAITING = "waiting"  # index of DataVolumes that may have no claim yet, by class, and of all of them
_DEFAULT, _ALL = "", "*"  # of those that name no class; of all
_CLONED = "cloned"  # index of DataVolumes without a claim by what they are cloned from
_UNMADE = ("", "Pending", "CloneScheduled")  # phases of a DataVolume that may have no claim yet


class DataVolumes:
    def __init__(
        self,
        client: Client,
        stores: tuple[Stores, VolumeStores],
        recorder: Recorder,
        settings: Settings,
        population: Population,
    ) -> None:
        shared, own = stores
        written = Written()
        self.controller = Controller("datavolume", self._reconcile)
        self._stores, self._own = shared, own
        self._observer = Observer(shared, own, settings, population, written)
        self._actor = Actor(client, recorder, written, own.signer)
        self._unconfigured = Unconfigured(shared, self.controller.enqueue)
        own.volumes.index(_WAITING, _waits_for)
        own.volumes.index(_REFERENCE, _references)
        own.volumes.index(_SOURCE, _source_name)
        own.volumes.index(_CLONED, _cloned)
        own.referred.index(NAMES, named)
        self._watch()
        population.on_progress(self.controller.enqueue)

    async def _reconcile(self, key: Key) -> float | None:
        if self._unconfigured.holds(key):
            return None
        seen = self._observer.observe(key)
        if seen is None:
            if self._own.volumes.get(key.name, key.namespace) is None:
                self._actor.refusals.forget(key)
            return None
        if seen.claim is None and seen.volume.status.claim_name:
            seen = replace(seen, claim=await self._actor.look(key))  # it had one: the store of claims may lag
        plan = decide(seen)
        result = await self._actor.act(seen, plan)
        if not plan.status:
            return result.wait
        after = replace(seen, claim=result.claim)
        status = status_of(after, result.hold)
        await self._actor.write_status(seen, status)
        self._announce(after, status)
        return result.wait

    def _announce(self, seen: Observed, status: DataVolumeStatus) -> None:
        """Written after the status: an event that is lost is better than one that comes twice."""
        phase = announcement(seen, status.phase)
        if phase is not None:
            self._actor.emit(seen.volume, phase)
        for event in condition_events(seen.volume.status.conditions, status.conditions):
            self._actor.emit(seen.volume, event)

    def _watch(self) -> None:
        shared, own, refusals = self._stores, self._own, self._actor.refusals
        refusals.on_turn(self.controller.enqueue)
        shared.quotas.subscribe(refusals.quota_changed)
        self.controller.watches(own.volumes, lambda item: [_key(item)])
        self.controller.watches(shared.claims, self._keys_of_claim)
        for store in shared.sources.values():
            self.controller.watches(store, self._keys_of_source)
        self.controller.watches(shared.classes, self._keys_of_class, _of_class)
        self.controller.watches(own.profiles, lambda item: self._waiting_for(item.metadata.name), _of_profile)
        self.controller.watches(shared.configs, lambda _: self._unmade(_ALL), lambda item: cluster_of(item, None))
        self.controller.watches(shared.volumes, self._keys_of_volume, _of_volume)
        self.controller.watches(own.referred, self._keys_of_reference, lambda item: (item.spec, item.status.source))
        self._observer.on_offer(self._offered)
        self.controller.watches(shared.claims, self._keys_of_origin, _of_origin)
        self.controller.watches(own.volumes, self._keys_of_origin, lambda item: item.status.phase == Phase.SUCCEEDED)
        self.controller.watches(own.snapshots.taken, self._keys_of_snapshot, lambda item: (item.spec, item.status))
        self.controller.watches(own.snapshots.contents, self._keys_of_content)
        self.controller.watches(shared.pods, self._keys_of_detection)

    def _keys_of_claim(self, claim: PersistentVolumeClaim) -> list[Key]:
        key = Key(claim.metadata.namespace, claim.metadata.name)
        return [key] if self._own.volumes.get(key.name, key.namespace) else []

    def _keys_of_source(self, source: VolumeSource) -> list[Key]:
        """A clone's may stand in another namespace: its name has the uid of the one that it is for."""
        found, namespace = self._own.volumes.by(_SOURCE, source.metadata.name), source.metadata.namespace
        return [_key(item) for item in found if item.metadata.namespace == namespace or source.kind == CLONE_KIND]

    def _keys_of_origin(self, item: PersistentVolumeClaim | DataVolume) -> list[Key]:
        """A claim that is a source, or the DataVolume whose claim is one."""
        return self._waiting_for_origin(f"pvc/{item.metadata.namespace}/{item.metadata.name}")

    def _keys_of_snapshot(self, snapshot: VolumeSnapshot) -> list[Key]:
        return self._waiting_for_origin(f"snapshot/{snapshot.metadata.namespace}/{snapshot.metadata.name}")

    def _keys_of_content(self, content: VolumeSnapshotContent) -> list[Key]:
        taken = content.spec.volume_snapshot_ref
        return self._waiting_for_origin(f"snapshot/{taken.namespace}/{taken.name}") if taken is not None else []

    def _keys_of_detection(self, pod: Pod) -> list[Key]:
        if not pod.metadata.name.startswith(detection.PREFIX):
            return []
        return [key for place in claims_of(pod) for key in self._waiting_for_origin(f"pvc/{place}")]

    def _waiting_for_origin(self, origin: str) -> list[Key]:
        """Those without a claim that are cloned from it, or from a DataSource that names it."""
        _, _, place = origin.partition("/")
        sources = self._own.referred.by(NAMES, place)
        referring = [key for source in sources for key in self._keys_of_reference(source)]
        return [*map(_key, self._own.volumes.by(_CLONED, origin)), *referring]

    def _unmade(self, waits_for: str) -> list[Key]:
        """Those without a claim that wait for a class: it, or its profile, may be what they wait for."""
        waiting = map(_key, self._own.volumes.by(_WAITING, waits_for))
        found = [key for key in waiting if self._stores.claims.get(key.name, key.namespace) is None]
        for key in found:
            self._actor.refusals.lift(key)
        return found

    def _keys_of_class(self, storage_class: StorageClass) -> list[Key]:
        """``storage_class``: as it is, or as it was: what was a default one may be none any more."""
        found = self._unmade(storage_class.metadata.name)
        return [*found, *self._unmade(_DEFAULT)] if marks_of(storage_class) else found

    def _waiting_for(self, class_name: str) -> list[Key]:
        storage_class = self._stores.classes.get(class_name)
        return self._keys_of_class(storage_class) if storage_class is not None else self._unmade(class_name)

    def _offered(self, class_name: str) -> None:
        for key in self._waiting_for(class_name):
            self.controller.enqueue(key)

    def _keys_of_volume(self, volume: PersistentVolume) -> list[Key]:
        """The claim that it is reserved for; who waits for a volume of its class hears of each new sort."""
        owner = volume.spec.claim_ref
        is_free = owner is not None and volume.status.phase == "Available"
        return [Key(owner.namespace, owner.name)] if owner is not None and is_free else []

    def _keys_of_reference(self, source: DataSource) -> list[Key]:
        metadata = source.metadata
        return [_key(item) for item in self._own.volumes.by(_REFERENCE, f"{metadata.namespace}/{metadata.name}")]


def _cloned(volume: DataVolume) -> list[str]:
    """What it waits for, by kind, namespace and name; once it has a claim it waits for nothing."""
    origin = origin_of(volume, None) if not volume.status.claim_name else None
    return [f"{origin.kind}/{origin}"] if origin is not None else []


def _of_origin(claim: PersistentVolumeClaim) -> object:
    """What of a source decides about its clones."""
    metadata = claim.metadata
    said = [metadata.annotations.get(key) for key in (a.CONTENT_TYPE, a.VIRTUAL_SIZE, a.SOURCE_CAPACITY)]
    return metadata.uid, metadata.deletion_timestamp, claim.spec, claim.status.phase, claim.status.capacity, said


def _source_name(volume: DataVolume) -> list[str]:
    filling = filling_of(volume)
    return [] if filling is None else [filling.source_name(volume.metadata.uid)]


def _key(volume: DataVolume) -> Key:
    return Key(volume.metadata.namespace, volume.metadata.name)


def _references(volume: DataVolume) -> list[str]:
    reference = volume.spec.source_ref if volume.status.phase != Phase.SUCCEEDED else None
    return [f"{reference.namespace or volume.metadata.namespace}/{reference.name}"] if reference else []


def _waits_for(volume: DataVolume) -> list[str]:
    if volume.status.phase not in _UNMADE:
        return []
    return [volume.spec.target.storage_class_name or _DEFAULT, _ALL]


def _of_class(item: StorageClass) -> object:
    """What of a class a claim depends on."""
    return item.provisioner, item.parameters, item.metadata.annotations, item.volume_binding_mode


def _of_profile(item: StorageProfile) -> object:
    return item.status.provisioner, item.status.claim_property_sets, item.metadata.annotations


def _of_volume(item: PersistentVolume) -> object:
    return item.spec, item.status.phase, item.metadata.deletion_timestamp
