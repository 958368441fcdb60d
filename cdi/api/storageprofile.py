"""StorageProfile, ``cdi.kubevirt.io/v1beta1``: named like the storage class that it describes."""

from __future__ import annotations

from msgspec import Struct, field

from cdi.api.datavolume import GROUP, Condition, ObjectMeta

KIND = "StorageProfile"
MINIMUM_SIZE = "cdi.kubevirt.io/minimumSupportedPvcSize"  # annotation


class ClaimPropertySet(Struct, rename="camel", omit_defaults=True):
    access_modes: list[str] = []
    volume_mode: str = ""


class StorageProfileSpec(Struct, rename="camel", omit_defaults=True):
    """What a user wrote; a list of sets replaces detection completely."""

    claim_property_sets: list[ClaimPropertySet] = []
    clone_strategy: str | None = None
    data_import_cron_source_format: str | None = None
    snapshot_class: str | None = None


class StorageProfileStatus(Struct, rename="camel", omit_defaults=True):
    storage_class: str | None = None
    provisioner: str | None = None
    claim_property_sets: list[ClaimPropertySet] = []
    clone_strategy: str | None = None
    data_import_cron_source_format: str | None = None
    snapshot_class: str | None = None
    conditions: list[Condition] = []


class StorageProfile(Struct, rename="camel", omit_defaults=True, kw_only=True):
    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: StorageProfileSpec = field(default_factory=StorageProfileSpec)
    status: StorageProfileStatus = field(default_factory=StorageProfileStatus)
