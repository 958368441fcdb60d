"""From the stores to one ``Observed``: all that is known of a DataVolume at this moment."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.api.populators import CLONE_KIND, VolumeSource
from cdi.api.storageprofile import StorageProfile
from cdi.base.wire.progress import ProgressLine
from cdi.contract import annotations as a
from cdi.controllers.claims.stores import Snapshots, Stores
from cdi.controllers.classes import is_assumed, plain, profile, sets_of_volumes
from cdi.controllers.cluster import Cluster
from cdi.controllers.datavolume.cloneobserver import CloneObserver
from cdi.controllers.datavolume.filling import filling_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.defaults import index_defaults, marked
from cdi.controllers.offers import Offers
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.storage import CsiDriver, PersistentVolume, PersistentVolumeClaim, StorageClass
from cdi.kube.store import Key, Store
from cdi.trust.tokens import Signer
from storageprofiles import classes
from storageprofiles.classes import KUBERNETES_DEFAULT, VIRT_DEFAULT
from storageprofiles.rendering import Profile

_RESERVED = "reserved"  # index of volumes by the claim that they are for


class Population(Protocol):
    """What fills claims, as far as it is asked here."""

    def is_being_filled(self, claim: PersistentVolumeClaim) -> bool:
        """Something was asked for, and there is no sign that it was done."""
        ...

    def progress(self, worker: str) -> ProgressLine | None:
        """``worker``: the uid of its pod. None while it has said nothing."""
        ...

    def on_progress(self, listener: Callable[[Key], None]) -> None:
        """``listener`` gets the key of the target claim."""
        ...


@dataclass(frozen=True)
class VolumeStores:
    """Beside those that the population uses. ``signer``: of clone tokens."""

    volumes: Store[DataVolume]
    profiles: Store[StorageProfile]
    drivers: Store[CsiDriver]
    referred: Store[DataSource]
    snapshots: Snapshots
    signer: Signer


class Observer:
    def __init__(
        self, stores: Stores, own: VolumeStores, settings: Settings, population: Population, written: Written
    ) -> None:
        self._stores = stores
        self._own = own
        self._settings = settings
        self._population = population
        self._written = written
        self._offered: Callable[[str], None] = lambda _: None
        self.offers = Offers(stores.volumes, lambda name, is_new: self._offered(name) if is_new else None)
        stores.volumes.index(_RESERVED, _reserved_for)
        index_defaults(stores.classes)
        self._clones = CloneObserver(stores, own.profiles, own.referred, own.snapshots, own.signer.verified)

    def on_offer(self, offered: Callable[[str], None]) -> None:
        """``offered`` gets the name of a class of which there is a new sort of volumes."""
        self._offered = offered

    def observe(self, key: Key) -> Observed | None:
        """None: it is gone, or the stores do not show yet what we wrote last."""
        volume = self._own.volumes.get(key.name, key.namespace)
        if volume is None or not self._written.is_seen(volume.metadata):
            return None
        claim = self._stores.claims.get(key.name, key.namespace)
        cluster = self._stores.cluster()
        named = self._named_class(volume)
        class_name = claim.spec.storage_class_name if claim else named if named is not None else self._default()
        storage_class = self._stores.classes.get(class_name) if class_name else None
        return Observed(
            volume=volume,
            claim=claim,
            source=self._source(volume),
            referred=self._referred(volume),
            storage_class=storage_class,
            named_class=named,
            profile=self._profile(cluster, storage_class, named),
            is_assumed=self._is_assumed(cluster, storage_class),
            has_driver=storage_class is not None and self._own.drivers.get(storage_class.provisioner) is not None,
            volumes=self._reserved(volume) if a.CHECK_STATIC in volume.metadata.annotations else (),
            progress=self._progress(claim, volume),
            now=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            cluster=cluster,
            settings=self._settings,
            is_being_filled=claim is not None and self._population.is_being_filled(claim),
            clone=self._clones.observe(volume, claim, named) if operation_of(volume)[0] is Operation.CLONE else None,
        )

    def _named_class(self, volume: DataVolume) -> str | None:
        """``spec.pvc`` leaves the choice of a default to Kubernetes, ``spec.storage`` makes it."""
        said = volume.spec.target.storage_class_name
        if said is not None or volume.spec.storage is None:
            return said
        return self._default(archive=volume.spec.is_archive)

    def _default(self, *, archive: bool = True) -> str | None:
        candidates = marked(self._stores.classes, VIRT_DEFAULT, KUBERNETES_DEFAULT)
        found = classes.default_class(map(plain, candidates), archive=archive)
        return found.name if found else None

    def _profile(self, cluster: Cluster, storage_class: StorageClass | None, named: str | None) -> Profile | None:
        if storage_class is None:
            sets = sets_of_volumes(self.offers.of(named)) if named is not None else ()
            return Profile(named or "", sets, cluster.overhead(named, "Filesystem")) if sets else None
        name = storage_class.metadata.name
        found = self._own.profiles.get(name)
        if found is None or found.status.provisioner is None:  # new: nothing is written into it yet
            overhead = cluster.overhead(name, "Filesystem")
            return classes.profile_of(plain(storage_class), overhead=overhead, volumes=self._modes(name))
        return profile(found, cluster)

    def _is_assumed(self, cluster: Cluster, storage_class: StorageClass | None) -> bool:
        found = self._own.profiles.get(storage_class.metadata.name) if storage_class else None
        return found is not None and is_assumed(found, cluster)

    def _modes(self, class_name: str) -> list[tuple[str, str]]:
        found = self.offers.of(class_name)
        return [(mode, item.spec.volume_mode or "Filesystem") for item in found for mode in item.spec.access_modes]

    def _referred(self, volume: DataVolume) -> DataSource | None:
        reference = volume.spec.source_ref
        if reference is None:
            return None
        return self._own.referred.get(reference.name, reference.namespace or volume.metadata.namespace)

    def _reserved(self, volume: DataVolume) -> tuple[PersistentVolume, ...]:
        metadata = volume.metadata
        found = self._stores.volumes.by(_RESERVED, f"{metadata.namespace}/{metadata.name}")
        return tuple(
            item for item in found if item.status.phase == "Available" and not item.metadata.deletion_timestamp
        )

    def _source(self, volume: DataVolume) -> VolumeSource | None:
        filling = filling_of(volume)
        if filling is None or filling.source_kind == CLONE_KIND:
            return None
        found = self._stores.sources[filling.source_kind].get(
            filling.source_name(volume.metadata.uid), volume.metadata.namespace
        )
        return cast("VolumeSource | None", found)

    def _progress(self, claim: PersistentVolumeClaim | None, volume: DataVolume) -> ProgressLine | None:
        filling = filling_of(volume)
        if claim is None or filling is None:
            return None
        worked_on = claim.metadata.annotations.get(a.PRIME, claim.metadata.name)
        pod = self._stores.pods.get(filling.worker_name(worked_on), claim.metadata.namespace)
        return self._population.progress(pod.metadata.uid) if pod else None


def _reserved_for(item: PersistentVolume) -> list[str]:
    owner = item.spec.claim_ref
    return [f"{owner.namespace}/{owner.name}"] if owner is not None else []
