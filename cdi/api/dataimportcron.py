"""DataImportCron, ``cdi.kubevirt.io/v1beta1``: keeps a DataSource at the newest version of an image."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct, field

from cdi.api.datavolume import GROUP, Condition, DataVolumeSpec, DataVolumeStatus, ObjectMeta, VolumeRef
from cdi.api.marks import Required, Time, limited

KIND = "DataImportCron"


class DataVolumeTemplate(Struct, rename="camel", omit_defaults=True):
    """A DataVolume without a name. Its metadata is not kept: labels and annotations belong on the cron."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[DataVolumeSpec] = field(default_factory=DataVolumeSpec)
    """What is imported each time. The source is registry or pvc."""
    status: DataVolumeStatus = field(default_factory=DataVolumeStatus)
    """Without meaning here."""


class DataImportCronSpec(Struct, rename="camel", omit_defaults=True):
    garbage_collect: str | None = None
    """Outdated, which is the default, removes imports beyond importsToKeep; Never keeps all."""
    imports_to_keep: int | None = None
    """How many imports are kept; 3 without it."""
    managed_data_source: Required[str] = ""
    """Name of the DataSource that is kept at the newest import, in the same namespace."""
    retention_policy: str | None = None
    """Whether imports outlive this object: All, which is the default, or None."""
    schedule: Required[str] = ""
    """When the source is looked at, as five cron fields; empty for never."""
    service_account_name: Annotated[str | None, limited(minLength=1)] = None
    """Service account whose right to clone the source claim is checked."""
    template: Required[DataVolumeTemplate] = field(default_factory=DataVolumeTemplate)
    """The DataVolume of each import."""


class ImportStatus(Struct, omit_defaults=True):
    """One import. The names on the wire are not camel case."""

    data_volume_name: Required[str] = field(default="", name="DataVolumeName")
    """The DataVolume of the import."""
    digest: Required[str] = field(default="", name="Digest")
    """What was imported, sha256:... or uid:..."""


class DataImportCronStatus(Struct, rename="camel", omit_defaults=True):
    conditions: list[Condition] = []
    """Progressing and UpToDate."""
    current_imports: list[ImportStatus] = []
    """Imports that run, newest last."""
    last_execution_timestamp: Time | None = None
    """When the source was looked at."""
    last_import_timestamp: Time | None = None
    """When an import ended."""
    last_imported_pvc: VolumeRef | None = field(default=None, name="lastImportedPVC")
    """The newest import that is complete."""
    source_format: str | None = None
    """What is kept of an import: pvc or snapshot."""


class DataImportCron(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """DataImportCron imports an image again whenever it is new, and keeps a DataSource at it."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[DataImportCronSpec] = field(default_factory=DataImportCronSpec)
    """What is imported, and when."""
    status: DataImportCronStatus = field(default_factory=DataImportCronStatus)
    """What has been imported."""
