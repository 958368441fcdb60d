"""Views of the kinds that volumes are made of."""

# ruff: noqa: RUF012 - msgspec copies empty defaults; ruff knows that of direct subclasses of Struct only
from __future__ import annotations

from msgspec import field

from cdi.kube.objects import Condition, Object, ObjectReference, View


class TypedReference(View, frozen=True):
    """``dataSource`` and ``dataSourceRef`` of a claim."""

    api_group: str | None = None
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class Resources(View, frozen=True):
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Selector(View, frozen=True):
    match_labels: dict[str, str] = {}


class ClaimSpec(View, frozen=True):
    access_modes: list[str] = []
    resources: Resources = field(default_factory=Resources)
    storage_class_name: str | None = None
    volume_mode: str | None = None
    volume_name: str = ""
    selector: Selector | None = None
    data_source: TypedReference | None = None
    data_source_ref: TypedReference | None = None


class ClaimStatus(View, frozen=True):
    phase: str = ""
    capacity: dict[str, str] = {}
    access_modes: list[str] = []
    conditions: list[Condition] = []


class PersistentVolumeClaim(Object, frozen=True):
    spec: ClaimSpec = field(default_factory=ClaimSpec)
    status: ClaimStatus = field(default_factory=ClaimStatus)


class CsiSource(View, frozen=True):
    driver: str = ""
    volume_handle: str = ""


class VolumeSpec(View, frozen=True):
    capacity: dict[str, str] = {}
    access_modes: list[str] = []
    claim_ref: ObjectReference | None = None
    persistent_volume_reclaim_policy: str = ""
    storage_class_name: str = ""
    volume_mode: str | None = None
    csi: CsiSource | None = None


class VolumeStatus(View, frozen=True):
    phase: str = ""


class PersistentVolume(Object, frozen=True):
    spec: VolumeSpec = field(default_factory=VolumeSpec)
    status: VolumeStatus = field(default_factory=VolumeStatus)


class StorageClass(Object, frozen=True):
    provisioner: str = ""
    parameters: dict[str, str] = {}
    reclaim_policy: str | None = None
    volume_binding_mode: str | None = None
    allow_volume_expansion: bool | None = None


class CsiDriverSpec(View, frozen=True):
    storage_capacity: bool | None = None
    fs_group_policy: str | None = None


class CsiDriver(Object, frozen=True):
    spec: CsiDriverSpec = field(default_factory=CsiDriverSpec)


class VolumeSnapshotClass(Object, frozen=True):
    driver: str = ""
    deletion_policy: str = ""
    parameters: dict[str, str] = {}


class SnapshotSource(View, frozen=True):
    persistent_volume_claim_name: str | None = None
    volume_snapshot_content_name: str | None = None


class SnapshotSpec(View, frozen=True):
    source: SnapshotSource = field(default_factory=SnapshotSource)
    volume_snapshot_class_name: str | None = None


class SnapshotError(View, frozen=True):
    message: str = ""
    time: str | None = None


class SnapshotStatus(View, frozen=True):
    """``creation_time``: RFC 3339, when the storage took it; from then on the source may change."""

    creation_time: str | None = None
    bound_volume_snapshot_content_name: str | None = None
    ready_to_use: bool | None = None
    restore_size: str | None = None
    error: SnapshotError | None = None


class VolumeSnapshot(Object, frozen=True):
    spec: SnapshotSpec = field(default_factory=SnapshotSpec)
    status: SnapshotStatus | None = None


class ContentSpec(View, frozen=True):
    driver: str = ""
    source_volume_mode: str | None = None
    volume_snapshot_ref: ObjectReference | None = None


class VolumeSnapshotContent(Object, frozen=True):
    spec: ContentSpec = field(default_factory=ContentSpec)
