"""The population controller: observe, decide, act, for one target claim at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.api.populators import CLONE_KIND, VolumeSource
from cdi.base.wire.progress import ProgressLine
from cdi.contract import annotations as a
from cdi.controllers.claims.stores import Stores
from cdi.controllers.claims.unconfigured import Unconfigured
from cdi.controllers.population.act import Actor
from cdi.controllers.population.cloning.observe import namespace_of
from cdi.controllers.population.decide import decide
from cdi.controllers.population.kinds import KINDS, kind_of_worker
from cdi.controllers.population.observe import Observer, add_indexes, owners_of, target_of_pod
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.progress import Followers
from cdi.controllers.population.way import is_being_filled, kind_of
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.controller import Controller
from cdi.kube.objects import Metadata, Object
from cdi.kube.pods import Pod
from cdi.kube.recorder import Recorder
from cdi.kube.resources import CLAIMS, SNAPSHOTS
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot
from cdi.kube.store import Key

_SOURCE_NAME, _CLASS = "source", "class"  # indexes of claims that have no volume yet


class Population:
    """``controller`` is to be run."""

    def __init__(self, outside: Outside, stores: Stores, recorder: Recorder, settings: Settings) -> None:
        written = Written()
        self.controller = Controller("population", self._reconcile)
        self._followers = Followers(outside.client, self._progressed)
        self._listeners: list[Callable[[Key], None]] = []
        self._observer = Observer(stores, settings, self._followers, written, outside)
        self._actor = Actor(outside.client, recorder, self._followers, written, settings)
        self._stores = stores
        self._actor.refusals.on_turn(self.controller.enqueue)
        add_indexes(stores)
        stores.claims.index(_SOURCE_NAME, _source_of)
        stores.claims.index(_CLASS, _awaited_class)
        self._unconfigured = Unconfigured(stores, self.controller.enqueue)
        self._watch()

    def is_being_filled(self, claim: PersistentVolumeClaim) -> bool:
        """Something was asked for, and there is no sign that it was done."""
        return is_being_filled(claim)

    def progress(self, worker: str) -> ProgressLine | None:
        """``worker``: the uid of its pod. None while it has said nothing."""
        return self._followers.latest(worker)

    def on_progress(self, listener: Callable[[Key], None]) -> None:
        """``listener`` gets the key of the target claim."""
        self._listeners.append(listener)

    async def _reconcile(self, key: Key) -> float | None:
        if self._unconfigured.holds(key):
            return None
        seen = await self._observer.observe(key)
        if seen is None:
            return None
        if seen.target is None:
            self._actor.refusals.forget(key)
        return await self._actor.act(decide(seen))

    def _progressed(self, key: Key) -> None:
        self.controller.enqueue(key)
        for listener in self._listeners:
            listener(key)

    def _watch(self) -> None:
        stores = self._stores
        stores.quotas.subscribe(self._actor.refusals.quota_changed)
        stores.pods.subscribe(self._forget_gone)
        stores.datavolumes.subscribe(self._taken_back)
        self.controller.watches(stores.claims, self._keys_of_claim)
        self.controller.watches(stores.pods, self._keys_of_pod)
        self.controller.watches(stores.volumes, self._keys_of_volume)
        for kind, store in stores.sources.items():
            self.controller.watches(store, partial(self._keys_of_source, kind))
        for companions in stores.companions.values():
            self.controller.watches(companions, self._keys_of_companion)
        self.controller.watches(stores.snapshots.taken, self._keys_of_snapshot)
        self.controller.watches(stores.classes, self._keys_of_class, _of_class)

    def _forget_gone(self, old: Pod | None, new: Pod | None) -> None:
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._followers.forget(old.metadata.uid)

    def _taken_back(self, old: DataVolume | None, new: DataVolume | None) -> None:
        """A DataVolume has Succeeded no more: its claim was not worked on before."""
        was_over = old is not None and old.status.phase == Phase.SUCCEEDED
        if was_over and new is not None and new.status.phase != Phase.SUCCEEDED:
            self.controller.enqueue(Key(new.metadata.namespace, new.metadata.name))

    def _keys_of_pod(self, pod: Pod) -> list[Key]:
        """A worker of another version does not say for which target; its owner is the claim that it writes to. Any pod
        keeps the claims that it mounts from being filled, and from being cloned."""
        clones, find = self._observer.clones, self._stores.claims.get
        used = [claim for name in pod.claims if (claim := find(name, pod.metadata.namespace)) is not None]
        cloned = [key for claim in used for key in self._cloning(CLAIMS.kind, claim.metadata)]
        named = [Key(*text.split("/", 1)) for text in target_of_pod(pod)]
        return [*(named or self._keys_of_mounted(pod, used)), *cloned, *clones.targets_of_made(pod)]

    def _keys_of_mounted(self, pod: Pod, used: list[PersistentVolumeClaim]) -> list[Key]:
        if kind_of_worker(pod) is None:
            return [key for claim in used if _asks(claim) for key in _keys_of_working(claim)]
        owners = [owner.name for owner in pod.metadata.owner_references if owner.controller]
        found = (self._stores.claims.get(name, pod.metadata.namespace) for name in owners)
        return [key for claim in found if claim is not None for key in _keys_of_working(claim)]

    def _keys_of_source(self, kind: str, source: VolumeSource) -> list[Key]:
        """Of the claims that name it, wherever they are: those of other namespaces need a token."""
        metadata = source.metadata
        found = self._stores.claims.by(_SOURCE_NAME, f"{kind}/{metadata.namespace}/{metadata.name}")
        return [_key(claim) for claim in found]

    def _keys_of_claim(self, claim: PersistentVolumeClaim) -> list[Key]:
        """Of the claims that it works for, or is the source of."""
        made = self._observer.clones.targets_of_made(claim)
        return [*_keys_of_working(claim), *made, *self._cloning(CLAIMS.kind, claim.metadata)]

    def _keys_of_snapshot(self, snapshot: VolumeSnapshot) -> list[Key]:
        made = self._observer.clones.targets_of_made(snapshot)
        return [*made, *self._cloning(SNAPSHOTS.kind, snapshot.metadata)]

    def _cloning(self, kind: str, metadata: Metadata) -> list[Key]:
        """Claims into which this is cloned."""
        sources = self._observer.clones.sources_of(kind, metadata.namespace, metadata.name)
        named = [key for source in sources for key in self._keys_of_source(CLONE_KIND, source)]
        return named + self._observer.clones.targets_of_source(kind, metadata.namespace, metadata.name)

    def _keys_of_companion(self, item: Object) -> list[Key]:
        """Of the claim that owns it."""
        metadata = item.metadata
        owners = (owner.name for owner in metadata.owner_references if owner.controller and owner.kind == CLAIMS.kind)
        claims = (self._stores.claims.get(name, metadata.namespace) for name in owners)
        return [key for claim in claims if claim is not None for key in _keys_of_working(claim)]

    def _keys_of_volume(self, volume: PersistentVolume) -> list[Key]:
        owner = volume.spec.claim_ref
        claim = self._stores.claims.get(owner.name, owner.namespace) if owner else None
        return self._keys_of_claim(claim) if claim else []

    def _keys_of_class(self, storage_class: StorageClass) -> list[Key]:
        """Claims that wait for their class."""
        return [_key(claim) for claim in self._stores.claims.by(_CLASS, storage_class.metadata.name)]


def _key(claim: PersistentVolumeClaim) -> Key:
    return Key(claim.metadata.namespace, claim.metadata.name)


def _keys_of_working(claim: PersistentVolumeClaim) -> list[Key]:
    """A PVC' and a scratch claim are looked at with the target that they are there for."""
    target = claim.metadata.annotations.get(a.OWN_TARGET)
    owned = [Key(*text.split("/", 1)) for text in owners_of(claim)]
    return [Key(claim.metadata.namespace, target)] if target else owned or [_key(claim)]


def _asks(claim: PersistentVolumeClaim) -> bool:
    """Whether work on it is still to be done."""
    return kind_of(claim) is not None and claim.metadata.annotations.get(a.POD_PHASE) != "Succeeded"


def _source_of(claim: PersistentVolumeClaim) -> list[str]:
    reference = claim.spec.data_source_ref
    if reference is None or claim.spec.volume_name or all(kind.source_kind != reference.kind for kind in KINDS):
        return []
    return [f"{reference.kind}/{namespace_of(claim)}/{reference.name}"]


def _awaited_class(claim: PersistentVolumeClaim) -> list[str]:
    name = claim.spec.storage_class_name
    return [name] if name and _source_of(claim) else []


def _of_class(item: StorageClass) -> object:
    """What of a class a population depends on."""
    return item.provisioner, item.volume_binding_mode
