"""The DataVolume controller: observe, decide, act, then the status from the same observation."""

from __future__ import annotations

from dataclasses import replace

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.api.populators import VolumeImportSource
from cdi.controllers.datavolume.act import Actor
from cdi.controllers.datavolume.claim import source_name
from cdi.controllers.datavolume.conditions import condition_events
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.observation import status_of
from cdi.controllers.datavolume.observe import CLASS, Observer, VolumeStores
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.phases import announcement
from cdi.controllers.population.observe import Stores
from cdi.controllers.population.reconciler import UNCONFIGURED_S, Population
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.recorder import Recorder
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim
from cdi.kube.store import Key

_REFERENCE = "reference"  # index of DataVolumes by the DataSource that they name
_SOURCE = "source"  # index of DataVolumes by the name of their source object
_UNMADE = ("", "Pending")  # phases of a DataVolume that may have no claim yet


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
        self._observer = Observer(shared, own, settings, population.followers, written)
        self._actor = Actor(client, recorder, written)
        shared.volumes.index(CLASS, lambda item: [item.spec.storage_class_name])
        own.volumes.index(_REFERENCE, _references)
        own.volumes.index(_SOURCE, lambda item: [source_name(item.metadata.uid)])
        self._watch()
        population.on_progress(self.controller.enqueue)

    async def _reconcile(self, key: Key) -> float | None:
        if not self._stores.are_configured:
            return UNCONFIGURED_S
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
        self.controller.watches(shared.sources, self._keys_of_source)
        self.controller.watches(shared.classes, lambda _: self._unmade())
        self.controller.watches(own.profiles, lambda _: self._unmade())
        self.controller.watches(shared.configs, lambda _: self._unmade())
        self.controller.watches(shared.volumes, self._keys_of_volume)
        self.controller.watches(own.referred, self._keys_of_reference)

    def _keys_of_claim(self, claim: PersistentVolumeClaim) -> list[Key]:
        key = Key(claim.metadata.namespace, claim.metadata.name)
        return [key] if self._own.volumes.get(key.name, key.namespace) else []

    def _keys_of_source(self, source: VolumeImportSource) -> list[Key]:
        found = self._own.volumes.by(_SOURCE, source.metadata.name)
        return [_key(item) for item in found if item.metadata.namespace == source.metadata.namespace]

    def _unmade(self) -> list[Key]:
        """Those without a claim: a new class or profile may be what they wait for."""
        waiting = (item for item in self._own.volumes.all() if item.status.phase in _UNMADE)
        return [key for key in map(_key, waiting) if self._stores.claims.get(key.name, key.namespace) is None]

    def _keys_of_volume(self, volume: PersistentVolume) -> list[Key]:
        owner = volume.spec.claim_ref
        if owner is not None:
            return [Key(owner.namespace, owner.name)] if volume.status.phase == "Available" else []
        return self._unmade() if volume.status.phase == "Available" else []

    def _keys_of_reference(self, source: DataSource) -> list[Key]:
        metadata = source.metadata
        return [_key(item) for item in self._own.volumes.by(_REFERENCE, f"{metadata.namespace}/{metadata.name}")]


def _key(volume: DataVolume) -> Key:
    return Key(volume.metadata.namespace, volume.metadata.name)


def _references(volume: DataVolume) -> list[str]:
    reference = volume.spec.source_ref
    return [f"{reference.namespace or volume.metadata.namespace}/{reference.name}"] if reference else []
