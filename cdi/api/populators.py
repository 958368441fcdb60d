"""VolumeImportSource, VolumeUploadSource, VolumeCloneSource, ``cdi.kubevirt.io/v1beta1``.

A claim whose ``dataSourceRef`` names one of these is filled from it. One of them may serve many claims.
"""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct, field

from cdi.api.datavolume import (
    GROUP,
    Checkpoint,
    GcsSource,
    HttpSource,
    ImageioSource,
    ObjectMeta,
    RegistrySource,
    S3Source,
    VddkSource,
)
from cdi.api.marks import Required

IMPORT_KIND = "VolumeImportSource"
UPLOAD_KIND = "VolumeUploadSource"
CLONE_KIND = "VolumeCloneSource"


class ImportSource(Struct, rename="camel", omit_defaults=True):
    """Exactly one member is set."""

    blank: dict[str, Any] | None = None
    """An empty disk."""
    gcs: GcsSource | None = None
    """An object in Google Cloud Storage."""
    http: HttpSource | None = None
    """A file on a web server."""
    imageio: ImageioSource | None = None
    """A disk of oVirt."""
    registry: RegistrySource | None = None
    """A container image that holds a disk."""
    s3: S3Source | None = None
    """An object in an S3 store."""
    vddk: VddkSource | None = None
    """A disk of VMware vSphere."""

    @property
    def members(self) -> list[str]:
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class VolumeImportSourceSpec(Struct, rename="camel", omit_defaults=True):
    checkpoints: list[Checkpoint] = []
    """Stages of a warm migration, each one change to the disk."""
    content_type: str = ""
    """kubevirt for a disk, which is the default, or archive for a tar that is unpacked."""
    final_checkpoint: bool | None = None
    """Whether the last checkpoint ends the migration."""
    preallocation: bool | None = None
    """Whether the whole volume is allocated."""
    source: ImportSource | None = None
    """Where the data is."""
    target_claim: str | None = None
    """The only claim that is served, needed for a warm migration."""


class VolumeImportSource(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """VolumeImportSource fills claims from outside the cluster."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = IMPORT_KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[VolumeImportSourceSpec] = field(default_factory=VolumeImportSourceSpec)
    """What is imported, and how."""
    status: dict[str, Any] | None = None
    """Nothing yet."""


class VolumeUploadSourceSpec(Struct, rename="camel", omit_defaults=True):
    content_type: str = ""
    """kubevirt for a disk, which is the default, or archive for a tar that is unpacked."""
    preallocation: bool | None = None
    """Whether the whole volume is allocated."""


class VolumeUploadSource(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """VolumeUploadSource fills claims with what a client uploads."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = UPLOAD_KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[VolumeUploadSourceSpec] = field(default_factory=VolumeUploadSourceSpec)
    """How uploaded data is treated."""
    status: dict[str, Any] | None = None
    """Nothing yet."""


class CloneOrigin(Struct, rename="camel", omit_defaults=True):
    atomic: ClassVar[bool] = True

    api_group: str | None = None
    """Empty for claims, snapshot.storage.k8s.io for snapshots."""
    kind: Required[str] = ""
    """PersistentVolumeClaim or VolumeSnapshot."""
    name: Required[str] = ""
    """Its name, in the namespace of this object."""


class VolumeCloneSourceSpec(Struct, rename="camel", omit_defaults=True):
    preallocation: bool | None = None
    """Whether the whole volume is allocated."""
    priority_class_name: str | None = None
    """Priority class of the pods that copy."""
    source: Required[CloneOrigin] = field(default_factory=CloneOrigin)
    """What is cloned."""


class VolumeCloneSource(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """VolumeCloneSource fills claims with a copy of another volume."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = CLONE_KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[VolumeCloneSourceSpec] = field(default_factory=VolumeCloneSourceSpec)
    """What is cloned, and how."""


VolumeSource = VolumeImportSource | VolumeUploadSource | VolumeCloneSource
