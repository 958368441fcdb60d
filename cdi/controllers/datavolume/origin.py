"""What a DataVolume is cloned from: a claim, a snapshot, or what a DataSource stands for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume, VolumeRef
from cdi.trust.tokens import Permit, Place

SNAPSHOT_GROUP = "snapshot.storage.k8s.io"


@dataclass(frozen=True, slots=True)
class Origin:
    namespace: str
    name: str
    is_snapshot: bool = False

    def __str__(self) -> str:
        """As the contract's texts have it."""
        return f"{self.namespace}/{self.name}"

    @property
    def kind(self) -> str:
        """As the contract's texts have it."""
        return "snapshot" if self.is_snapshot else "pvc"

    def permit(self, namespace: str, name: str, uid: str) -> Permit:
        """That it may be cloned into the DataVolume or claim of that name and uid."""
        return Permit(Place(self.namespace, self.name), Place(namespace, name), self.is_snapshot, uid)


def origin_of(volume: DataVolume, referred: DataSource | None) -> Origin | None:
    """``referred``: what ``sourceRef`` names. None: nothing is cloned, or it is not known yet what."""
    spec, here = volume.spec, volume.metadata.namespace
    if spec.source_ref is not None:
        return _referred(referred) if referred is not None else None
    if spec.source is None:
        return None
    return _placed(spec.source.pvc, here, is_snapshot=False) or _placed(spec.source.snapshot, here, is_snapshot=True)


def why_not(volume: DataVolume, referred: DataSource | None) -> str:
    """Why a DataSource leads to nothing, as it says itself."""
    reference = volume.spec.source_ref
    name = reference.name if reference else ""
    if referred is None:
        return f'datasources.cdi.kubevirt.io "{name}" not found'
    ready = next((item for item in referred.status.conditions if item.type == "Ready"), None)
    told = f": {ready.reason}, {ready.message}" if ready is not None and ready.status != "True" else ""
    return f"Empty source field in '{name}'. DataSource may not be ready yet{told}"


def _referred(found: DataSource) -> Origin | None:
    """A pointer stands for what its controller has found: one step, in its own namespace, or nothing."""
    origin = found.status.source if found.spec.source.data_source is not None else found.spec.source
    here = found.metadata.namespace
    return _placed(origin.pvc, here, is_snapshot=False) or _placed(origin.snapshot, here, is_snapshot=True)


def _placed(reference: VolumeRef | None, namespace: str, *, is_snapshot: bool) -> Origin | None:
    return Origin(reference.namespace or namespace, reference.name, is_snapshot) if reference is not None else None
