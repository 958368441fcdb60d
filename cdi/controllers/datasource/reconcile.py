"""Resolves DataSources and keeps their Ready condition."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import to_builtins

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.controllers.changes import difference
from cdi.controllers.clock import now
from cdi.controllers.datasource.decide import Observed, decide, labels_of, origin_of, status_of
from cdi.controllers.named_sources import NAMES, named, place_of
from cdi.kube.cdi_resources import DATA_SOURCES
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.storage import PersistentVolumeClaim, VolumeSnapshot
from cdi.kube.store import Key, Store

_POINTERS = "pointers"  # index of DataSources by the one that they point to


@dataclass(frozen=True)
class Stores:
    sources: Store[DataSource]
    volumes: Store[DataVolume]
    claims: Store[PersistentVolumeClaim]
    snapshots: Store[VolumeSnapshot]


class DataSources:
    def __init__(self, client: Client, stores: Stores) -> None:
        self._client = client
        self._stores = stores
        stores.sources.index(NAMES, named)
        stores.sources.index(_POINTERS, _pointed)
        self.controller = Controller("datasource", self._reconcile)
        self.controller.watches(stores.sources, self._with_pointers)
        self.controller.watches(stores.volumes, self._users, lambda item: (item.metadata.labels, item.status.phase))
        self.controller.watches(stores.claims, self._users, lambda item: item.metadata.labels)
        self.controller.watches(stores.snapshots, self._users, lambda item: (item.metadata.labels, item.status))

    async def _reconcile(self, key: Key) -> float | None:
        source = self._stores.sources.get(key.name, key.namespace)
        if source is None:
            return None
        seen = self._observe(source)
        verdict = decide(seen)
        changes: dict[str, object] = {}
        status = difference(to_builtins(source.status), to_builtins(status_of(seen, verdict)))
        if status:
            changes["status"] = status
        labels = labels_of(seen, verdict)
        if labels:
            changes["metadata"] = {"labels": labels}
        if changes:
            await self._client.merge_patch(DATA_SOURCES, key.name, changes, namespace=key.namespace)
        return None

    def _observe(self, source: DataSource) -> Observed:
        stores, namespace = self._stores, source.metadata.namespace
        reference = source.spec.source.data_source
        pointed = stores.sources.get(reference.name, reference.namespace or namespace) if reference else None
        origin = origin_of(source, pointed)
        claim, snapshot = origin.pvc, origin.snapshot
        return Observed(
            source,
            pointed,
            stores.volumes.get(claim.name, claim.namespace or namespace) if claim else None,
            stores.claims.get(claim.name, claim.namespace or namespace) if claim else None,
            stores.snapshots.get(snapshot.name, snapshot.namespace or namespace) if snapshot else None,
            now(),
        )

    def _users(self, named: DataVolume | PersistentVolumeClaim | VolumeSnapshot) -> list[Key]:
        found = self._stores.sources.by(NAMES, f"{named.metadata.namespace}/{named.metadata.name}")
        return [key for item in found for key in self._with_pointers(item)]

    def _with_pointers(self, source: DataSource) -> list[Key]:
        metadata = source.metadata
        pointers = self._stores.sources.by(_POINTERS, f"{metadata.namespace}/{metadata.name}")
        return [Key(item.metadata.namespace, item.metadata.name) for item in (source, *pointers)]


def _pointed(source: DataSource) -> list[str]:
    """What it points to; not into another namespace, which is refused, whatever happens there."""
    reference = source.spec.source.data_source
    if reference is None or (reference.namespace or source.metadata.namespace) != source.metadata.namespace:
        return []
    return [place_of(source, reference)]
