"""Keeps one StorageProfile for each storage class."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from msgspec import to_builtins

from cdi.api.cdi import CDI
from cdi.api.storageprofile import StorageProfile
from cdi.contract import annotations as a
from cdi.contract.ownership import owned_by_system
from cdi.contract.systems import active_of
from cdi.controllers.changes import difference
from cdi.controllers.clock import now
from cdi.controllers.offers import Offers
from cdi.controllers.storageprofile.decide import Observed, annotations_of, status_of
from cdi.kube.cdi_resources import STORAGE_PROFILES
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.errors import AlreadyExists
from cdi.kube.objects import ConfigMap
from cdi.kube.storage import PersistentVolume, StorageClass, VolumeSnapshotClass
from cdi.kube.store import Key, Store
from storageprofiles.legacy import NAME as LEGACY
from storageprofiles.rendering import ClaimNotValid

log = logging.getLogger(__name__)

_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_PROVISIONER, _DRIVER = "provisioner", "driver"  # indexes of classes, and of classes of snapshots


@dataclass(frozen=True)
class Stores:
    profiles: Store[StorageProfile]
    classes: Store[StorageClass]
    volumes: Store[PersistentVolume]
    maps: Store[ConfigMap]
    systems: Store[CDI]
    snapshot_classes: Store[VolumeSnapshotClass]


class StorageProfiles:
    """``namespace``: where the system is installed, and the ConfigMap of legacy clusters is looked for."""

    def __init__(self, client: Client, stores: Stores, namespace: str) -> None:
        self._client = client
        self._stores = stores
        self._namespace = namespace
        self.controller = Controller("storageprofile", self._reconcile)
        self._offers = Offers(stores.volumes, lambda name, _: self._offered(name))
        stores.classes.index(_PROVISIONER, _provisioner_of)
        stores.snapshot_classes.index(_DRIVER, _driver_of)
        self.controller.watches(stores.classes, lambda item: [Key("", item.metadata.name)])
        self.controller.watches(stores.profiles, lambda item: [Key("", item.metadata.name)])
        self.controller.watches(stores.maps, lambda item: self._all() if item.metadata.name == LEGACY else [])
        self.controller.watches(stores.systems, lambda _: self._all(), _of_system)
        self.controller.watches(stores.snapshot_classes, self._keys_of_snapshots)

    def _all(self) -> list[Key]:
        return [Key("", item.metadata.name) for item in self._stores.classes.all()]

    def _offered(self, class_name: str) -> None:
        """Only volumes that nobody provisions say what their class can do."""
        found = self._stores.classes.get(class_name)
        if found is not None and found.provisioner == _NO_PROVISIONER:
            self.controller.enqueue(Key("", class_name))

    def _keys_of_snapshots(self, snapshots: VolumeSnapshotClass) -> list[Key]:
        return [Key("", item.metadata.name) for item in self._stores.classes.by(_PROVISIONER, snapshots.driver)]

    async def _reconcile(self, key: Key) -> float | None:
        storage_class = self._stores.classes.get(key.name)
        profile = self._stores.profiles.get(key.name)
        if storage_class is None:
            if profile is not None:
                await self._client.delete(STORAGE_PROFILES, key.name, uid=profile.metadata.uid)
            return None
        if profile is None:
            await self._create(storage_class)
            return None
        await self._refresh(storage_class, profile)
        return None

    async def _create(self, storage_class: StorageClass) -> None:
        """Bare: what else it needs is added when the store has it."""
        metadata = {"name": storage_class.metadata.name, "labels": a.APP | {a.COMPONENT: ""}}
        try:
            await self._client.create(STORAGE_PROFILES, {"metadata": metadata, "spec": {}})
        except AlreadyExists:
            log.debug("profile %s is there already", storage_class.metadata.name)

    async def _refresh(self, storage_class: StorageClass, profile: StorageProfile) -> None:
        name = storage_class.metadata.name
        seen = self._observe(storage_class, profile)
        changed = owned_by_system(profile.metadata, active_of(self._stores.systems.all()))
        annotations = annotations_of(seen, profile.metadata.annotations)
        if annotations:
            changed["annotations"] = annotations
        if changed:
            await self._client.merge_patch(STORAGE_PROFILES, name, {"metadata": changed})
        try:
            status = status_of(seen)
        except ClaimNotValid as refused:
            log.warning("StorageProfile %s: %s", name, refused)
            return
        changes = difference(to_builtins(profile.status), to_builtins(status))
        if changes:
            await self._client.merge_patch(STORAGE_PROFILES, name, {"status": changes}, subresource="status")

    def _observe(self, storage_class: StorageClass, profile: StorageProfile) -> Observed:
        stores = self._stores
        legacy = stores.maps.get(LEGACY, self._namespace)
        return Observed(
            storage_class,
            profile.spec,
            profile.status,
            tuple(stores.snapshot_classes.by(_DRIVER, storage_class.provisioner)),
            tuple(self._offers.of(storage_class.metadata.name)),
            dict(legacy.data) if legacy else None,
            now(),
        )


def _provisioner_of(item: StorageClass) -> list[str]:
    return [item.provisioner]


def _driver_of(item: VolumeSnapshotClass) -> list[str]:
    return [item.driver]


def _of_system(item: CDI) -> object:
    """What decides which CDI object owns the profiles."""
    return item.metadata.uid, item.metadata.deletion_timestamp, item.status.phase
