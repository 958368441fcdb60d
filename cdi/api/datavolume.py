"""DataVolume, ``cdi.kubevirt.io`` v1beta1 and v1alpha1 (one schema). Field docs: the contract's meanings."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

GROUP = "cdi.kubevirt.io"
VERSIONS = ("v1beta1", "v1alpha1")
KIND = "DataVolume"


class HttpSource(Struct, rename="camel", omit_defaults=True):
    url: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    extra_headers: list[str] = []
    secret_extra_headers: list[str] = []
    checksum: str = ""
    insecure_skip_verify: bool | None = None


class S3Source(Struct, rename="camel", omit_defaults=True):
    url: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""


class GcsSource(Struct, rename="camel", omit_defaults=True):
    url: str = ""
    secret_ref: str = ""


class RegistrySource(Struct, rename="camel", omit_defaults=True):
    """``None`` and empty differ: the contract refuses a pull method or image stream that is there but empty."""

    url: str | None = None
    image_stream: str | None = None
    pull_method: str | None = None
    secret_ref: str | None = None
    cert_config_map: str | None = None
    platform: dict[str, str] | None = None


class ImageioSource(Struct, rename="camel", omit_defaults=True):
    url: str = ""
    disk_id: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    insecure_skip_verify: bool | None = None


class VddkSource(Struct, rename="camel", omit_defaults=True):
    url: str = ""
    uuid: str = ""
    backing_file: str = ""
    thumbprint: str = ""
    secret_ref: str = ""
    cert_config_map: str = ""
    init_image_url: str = field(default="", name="initImageURL")
    extra_args: str = ""


class VolumeRef(Struct, rename="camel", omit_defaults=True):
    namespace: str = ""
    name: str = ""


class DataVolumeSource(Struct, rename="camel", omit_defaults=True):
    """Exactly one member is set."""

    http: HttpSource | None = None
    s3: S3Source | None = None
    pvc: VolumeRef | None = None
    blank: dict[str, Any] | None = None
    upload: dict[str, Any] | None = None
    gcs: GcsSource | None = None
    registry: RegistrySource | None = None
    snapshot: VolumeRef | None = None
    imageio: ImageioSource | None = None
    vddk: VddkSource | None = None

    @property
    def members(self) -> list[str]:
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class SourceRef(Struct, rename="camel", omit_defaults=True):
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class DataSourceRef(Struct, rename="camel", omit_defaults=True):
    """A claim's ``dataSource`` and ``dataSourceRef``: who else populates it."""

    api_group: str | None = None
    kind: str = ""
    name: str = ""
    namespace: str | None = None


class Checkpoint(Struct, rename="camel", omit_defaults=True):
    previous: str = ""
    current: str = ""


class Resources(Struct, rename="camel", omit_defaults=True):
    requests: dict[str, str | int | float] = {}
    limits: dict[str, str | int | float] = {}


class StorageSpec(Struct, rename="camel", omit_defaults=True):
    """``spec.pvc`` (a claim as it is) and ``spec.storage`` (completed from the profile): the fields they share."""

    access_modes: list[str] = []
    resources: Resources = field(default_factory=Resources)
    storage_class_name: str | None = None
    volume_mode: str = ""
    volume_name: str = ""
    selector: dict[str, Any] | None = None
    data_source: DataSourceRef | None = None
    data_source_ref: DataSourceRef | None = None


class DataVolumeSpec(Struct, rename="camel", omit_defaults=True):
    source: DataVolumeSource | None = None
    source_ref: SourceRef | None = None
    pvc: StorageSpec | None = None
    storage: StorageSpec | None = None
    priority_class_name: str = ""
    service_account_name: str = ""
    content_type: str = ""
    checkpoints: list[Checkpoint] = []
    final_checkpoint: bool = False
    preallocation: bool | None = None

    @property
    def target(self) -> StorageSpec:
        """``pvc`` or ``storage``, whichever is there."""
        return self.pvc or self.storage or StorageSpec()

    @property
    def is_archive(self) -> bool:
        return self.content_type == "archive"


class ObjectMeta(Struct, rename="camel", omit_defaults=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    creation_timestamp: str = ""


class Condition(Struct, rename="camel", omit_defaults=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: str = ""
    last_heartbeat_time: str = ""


class Failure(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: the last failure by its code. Times are RFC 3339."""

    code: str
    permanent: bool
    since: str
    attempts: int
    next_attempt: str = ""


class DataVolumeStatus(Struct, rename="camel", omit_defaults=True):
    claim_name: str = ""
    phase: str = ""
    progress: str = ""
    restart_count: int = 0
    conditions: list[Condition] = []
    failure: Failure | None = None


class DataVolume(Struct, rename="camel", omit_defaults=True, kw_only=True):
    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: DataVolumeSpec = field(default_factory=DataVolumeSpec)
    status: DataVolumeStatus = field(default_factory=DataVolumeStatus)
