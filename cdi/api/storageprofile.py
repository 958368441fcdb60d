"""StorageProfile, ``cdi.kubevirt.io/v1beta1``: named like the storage class that it describes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

from cdi.api.datavolume import GROUP, Condition, ObjectMeta
from cdi.api.marks import Required, limited, one_of

KIND = "StorageProfile"
# Annotations. The last one is the controller's, the others are a person's to change.
MINIMUM_SIZE = "cdi.kubevirt.io/minimumSupportedPvcSize"
CRON_READ_WRITE_ONCE = "cdi.kubevirt.io/useReadWriteOnceForDataImportCron"
CRON_SNAPSHOT_CLASS = "cdi.kubevirt.io/snapshotClassForDataImportCron"


_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_LEGAL = Meta(
    extra_json_schema={
        "maxItems": 4,
        "x-kubernetes-validations": [
            {"rule": f"self.all(am, am in {list(_ACCESS_MODES)})", "message": "Illegal AccessMode"}
        ],
    }
)


class ClaimPropertySet(Struct, rename="camel", omit_defaults=True):
    """Access modes and a volume mode that go together."""

    access_modes: Annotated[Required[list[str]], _LEGAL] = []
    """The first is used where none is asked for."""
    volume_mode: Annotated[Required[str], one_of("Block", "Filesystem")] = ""
    """Block or Filesystem."""


class StorageProfileSpec(Struct, rename="camel", omit_defaults=True):
    """What a user wrote; a list of sets replaces detection completely."""

    claim_property_sets: Annotated[list[ClaimPropertySet], limited(maxItems=8)] = []
    """Modes that the storage can do, by preference."""
    clone_strategy: str | None = None
    """How volumes are cloned: copy, snapshot or csi-clone."""
    data_import_cron_source_format: str | None = None
    """What a DataImportCron keeps: pvc or snapshot."""
    snapshot_class: str | None = None
    """VolumeSnapshotClass of clones by snapshot."""


class StorageProfileStatus(Struct, rename="camel", omit_defaults=True):
    """What is used."""

    storage_class: str | None = None
    """The storage class that this is about."""
    provisioner: str | None = None
    """Its provisioner."""
    claim_property_sets: Annotated[list[ClaimPropertySet], limited(maxItems=8)] = []
    """Modes that the storage can do, by preference."""
    clone_strategy: str | None = None
    """How volumes are cloned: copy, snapshot or csi-clone."""
    data_import_cron_source_format: str | None = None
    """What a DataImportCron keeps: pvc or snapshot."""
    snapshot_class: str | None = None
    """VolumeSnapshotClass of clones by snapshot."""
    conditions: list[Condition] = []
    """Recognized: whether the provisioner is known."""


class StorageProfile(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """StorageProfile says how claims of the storage class of the same name are best made."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[StorageProfileSpec] = field(default_factory=StorageProfileSpec)
    """What you know better than the profile."""
    status: StorageProfileStatus = field(default_factory=StorageProfileStatus)
    """What is used: spec over what is known of the provisioner."""
