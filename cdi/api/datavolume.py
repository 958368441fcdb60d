"""DataVolume, ``cdi.kubevirt.io`` v1beta1 and v1alpha1 (one schema). Field docs: the contract's meanings."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Struct, field

from cdi.api.marks import Int64, Required, Time, one_of, shaped
from cdi.api.placement import LabelSelector
from cdi.api.quantity import Quantity

GROUP = "cdi.kubevirt.io"
VERSIONS = ("v1beta1", "v1alpha1")
KIND = "DataVolume"
FROM_PROFILE = "FromStorageProfile"  # a volume mode of claims that the webhook completes: as if none was given


class HttpSource(Struct, rename="camel", omit_defaults=True):
    """A file on a web server."""

    url: Required[str] = ""
    """URL of the file, http or https."""
    secret_ref: str = ""
    """Secret with accessKeyId (user) and secretKey (password) for basic authentication."""
    cert_config_map: str = ""
    """ConfigMap with the certificates that the server is verified with."""
    extra_headers: list[str] = []
    """Headers, as in a request, that are sent with every request."""
    secret_extra_headers: list[str] = []
    """Secrets whose key secretHeader is such a header."""
    checksum: str = ""
    """Checksum of the file as it is served, algorithm:hex, such as sha256:9f86d0..."""
    insecure_skip_verify: bool | None = None
    """Whether the server's certificate is not verified."""


class S3Source(Struct, rename="camel", omit_defaults=True):
    """An object in an S3 store."""

    url: Required[str] = ""
    """URL of the object, http or https: the endpoint, then bucket and key as its path."""
    secret_ref: str = ""
    """Secret with accessKeyId and secretKey."""
    cert_config_map: str = ""
    """ConfigMap with the certificates that the server is verified with."""


class GcsSource(Struct, rename="camel", omit_defaults=True):
    """An object in Google Cloud Storage."""

    url: Required[str] = ""
    """URL of the object, gs or https."""
    secret_ref: str = ""
    """Secret with the file credentials.json."""


class Platform(Struct, rename="camel", omit_defaults=True):
    """Which image of a list is taken."""

    architecture: str = ""
    """CPU architecture, such as amd64 or arm64."""


class RegistrySource(Struct, rename="camel", omit_defaults=True):
    """``None`` and empty differ: the contract refuses a pull method or image stream that is there but empty."""

    url: str | None = None
    """Image, with the scheme docker or oci-archive."""
    image_stream: str | None = None
    """OpenShift image stream, instead of a URL."""
    pull_method: str | None = None
    """pod, which is the default, or node to let the node pull the image."""
    secret_ref: str | None = None
    """Secret with accessKeyId (user) and secretKey (password) of the registry."""
    cert_config_map: str | None = None
    """ConfigMap with the certificates that the registry is verified with."""
    platform: Annotated[dict[str, str] | None, shaped(Platform)] = None
    """Which image of a list is taken."""


class ImageioSource(Struct, rename="camel", omit_defaults=True):
    """A disk of oVirt."""

    url: Required[str] = ""
    """URL of the engine."""
    disk_id: Required[str] = ""
    """The disk, or snapshot of it."""
    secret_ref: str = ""
    """Secret with accessKeyId (user) and secretKey (password) of the engine."""
    cert_config_map: str = ""
    """ConfigMap with the certificates that the engine is verified with."""
    insecure_skip_verify: bool | None = None
    """Whether certificates are not verified."""


class VddkSource(Struct, rename="camel", omit_defaults=True):
    """A disk of VMware vSphere."""

    url: str = ""
    """URL of the vCenter or ESXi host."""
    uuid: str = ""
    """UUID of the virtual machine."""
    backing_file: str = ""
    """Path of the disk, such as [datastore] vm/vm.vmdk."""
    thumbprint: str = ""
    """Fingerprint of the host's certificate."""
    secret_ref: str = ""
    """Secret with accessKeyId (user) and secretKey (password) of the host."""
    cert_config_map: str = ""
    """ConfigMap with the certificates that the host is verified with."""
    init_image_url: str = field(default="", name="initImageURL")
    """Image that holds the VDDK library; by default that of the ConfigMap v2v-vmware."""
    extra_args: str = ""
    """ConfigMap with further arguments of the library."""


class VolumeRef(Struct, rename="camel", omit_defaults=True):
    """An object by namespace and name."""

    namespace: Required[str] = ""
    """Its namespace."""
    name: Required[str] = ""
    """Its name."""


class DataVolumeSource(Struct, rename="camel", omit_defaults=True):
    """Exactly one member is set."""

    http: HttpSource | None = None
    """A file on a web server."""
    s3: S3Source | None = None
    """An object in an S3 store."""
    pvc: VolumeRef | None = None
    """A claim, which is cloned."""
    blank: dict[str, Any] | None = None
    """An empty disk."""
    upload: dict[str, Any] | None = None
    """Nothing yet: a client uploads the data."""
    gcs: GcsSource | None = None
    """An object in Google Cloud Storage."""
    registry: RegistrySource | None = None
    """A container image that holds a disk."""
    snapshot: VolumeRef | None = None
    """A volume snapshot, which is cloned."""
    imageio: ImageioSource | None = None
    """A disk of oVirt."""
    vddk: VddkSource | None = None
    """A disk of VMware vSphere."""

    @property
    def members(self) -> list[str]:
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


class SourceRef(Struct, rename="camel", omit_defaults=True):
    """What is cloned, by a name that others keep up to date."""

    kind: Required[str] = ""
    """DataSource."""
    name: Required[str] = ""
    """Its name."""
    namespace: str | None = None
    """Its namespace; by default that of the DataVolume."""


class DataSourceRef(Struct, rename="camel", omit_defaults=True):
    """What a claim is filled from, in the terms of Kubernetes."""

    api_group: str | None = None
    """Group of the object; empty for claims."""
    kind: Required[str] = ""
    """Kind of the object."""
    name: Required[str] = ""
    """Its name."""
    namespace: str | None = None
    """Its namespace, where the cluster allows another than the claim's."""


class LocalDataSourceRef(Struct, rename="camel", omit_defaults=True):
    """The same, in the claim's own namespace."""

    atomic: ClassVar[bool] = True

    api_group: str | None = None
    """Group of the object; empty for claims."""
    kind: Required[str] = ""
    """Kind of the object."""
    name: Required[str] = ""
    """Its name."""


class Checkpoint(Struct, rename="camel", omit_defaults=True):
    """A stage of a warm migration."""

    previous: Required[str] = ""
    """The snapshot before, empty for the first stage."""
    current: Required[str] = ""
    """The snapshot that is copied."""


class Resources(Struct, rename="camel", omit_defaults=True):
    """How large a volume is."""

    requests: dict[str, Quantity] = {}
    """The least that is wanted: storage, such as 20Gi."""
    limits: dict[str, Quantity] = {}
    """The most that is allowed."""


class StorageSpec(Struct, rename="camel", omit_defaults=True):
    """``spec.pvc`` (a claim as it is) and ``spec.storage`` (completed from the profile): the fields they share."""

    access_modes: list[str] = []
    """ReadWriteOnce, ReadWriteMany, ReadOnlyMany or ReadWriteOncePod."""
    resources: Resources = field(default_factory=Resources)
    """How large the volume is."""
    storage_class_name: str | None = None
    """Name of the storage class; the default one without it."""
    volume_mode: str = ""
    """Filesystem or Block."""
    volume_name: str = ""
    """A certain volume."""
    selector: Annotated[dict[str, Any] | None, shaped(LabelSelector)] = None
    """Labels of the volumes to choose from."""
    data_source: Annotated[DataSourceRef | None, shaped(LocalDataSourceRef)] = None
    """A claim or snapshot to fill the volume from."""
    data_source_ref: DataSourceRef | None = None
    """An object of any kind to fill the volume from, where something in the cluster populates from it."""

    @property
    def given_mode(self) -> str:
        """The volume mode; empty where the profile decides."""
        return "" if self.volume_mode == FROM_PROFILE else self.volume_mode


class ClaimSpec(StorageSpec, rename="camel", omit_defaults=True):
    """A claim as Kubernetes has it."""

    volume_attributes_class_name: str | None = None
    """Name of the VolumeAttributesClass of the volume."""


class DataVolumeSpec(Struct, rename="camel", omit_defaults=True):
    """What the volume shall hold, and how it shall be stored. It cannot be changed."""

    source: DataVolumeSource | None = None
    """Where the data is."""
    source_ref: SourceRef | None = None
    """Where the data is, by a name that others keep up to date."""
    pvc: ClaimSpec | None = None
    """The claim, exactly."""
    storage: StorageSpec | None = None
    """The claim; what is left out is chosen by the StorageProfile of its class."""
    priority_class_name: str = ""
    """Priority class of the worker pods."""
    service_account_name: str = ""
    """Service account of the worker pods."""
    content_type: Annotated[str, one_of("kubevirt", "archive")] = ""
    """kubevirt for a disk, which is the default, or archive for a tar that is unpacked."""
    checkpoints: list[Checkpoint] = []
    """Stages of a warm migration, each one change to the disk."""
    final_checkpoint: bool = False
    """Whether the last checkpoint ends the migration."""
    preallocation: bool | None = None
    """Whether the whole volume is allocated; by default as CDIConfig says."""

    @property
    def target(self) -> StorageSpec:
        """``pvc`` or ``storage``, whichever is there."""
        return self.pvc or self.storage or StorageSpec()

    @property
    def is_archive(self) -> bool:
        return self.content_type == "archive"


class OwnerReference(Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(Struct, rename="camel", omit_defaults=True):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: list[OwnerReference] = []
    finalizers: list[str] = []
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = ""
    deletion_timestamp: str | None = None

    @property
    def controller_uid(self) -> str:
        """The uid of the owner that controls it, or ``""``."""
        return next((owner.uid for owner in self.owner_references if owner.controller), "")


class Condition(Struct, rename="camel", omit_defaults=True):
    """One aspect of the state."""

    type: str
    """The aspect."""
    status: str
    """True, False or Unknown."""
    reason: str = ""
    """A word that says why."""
    message: str = ""
    """A sentence that says why."""
    last_transition_time: Time = ""
    """When the status changed."""
    last_heartbeat_time: Time = ""
    """When the condition was written."""


class Failure(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: the last failure by its code. Times are RFC 3339."""

    code: str
    """The code of docs/errors.md."""
    permanent: bool
    """Whether somebody has to act; otherwise it may pass by itself."""
    since: Time
    """When it failed in this way first."""
    attempts: int
    """How often it was tried since."""
    next_attempt: Time = ""
    """When it is tried again."""
    message: str = ""
    """What happened, what it means, and what to do."""
    generation: Int64[int] = 0
    """The generation of the DataVolume that failed: a later one has been corrected."""


class Transfer(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: a worker's last progress line, and its rate and remaining time for people."""

    stage: str = ""
    """What the worker does."""
    bytes_done: Int64[int] = 0
    """Bytes that are dealt with."""
    bytes_total: Int64[int] = 0
    """Bytes in all, 0 while that is unknown."""
    rate_bps: Int64[int] = 0
    """Bytes per second."""
    eta_seconds: Int64[int] | None = None
    """Seconds that are left, as far as that is known."""
    rate: str = ""
    """Bytes per second, for people: 112 MiB/s."""
    eta: str = ""
    """Time that is left, for people: 3 min 05 s."""


class Provenance(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: which version of the source the volume holds."""

    etag: str = ""
    """The validator that the server gave."""
    last_modified: str = ""
    """When the server says that it was changed last."""
    verified: str = ""
    """The checksum that the transferred bytes had, as algorithm:hex."""


class Attempt(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: one run of a worker that has ended, as far as its end was seen."""

    start: Time = ""
    """When it was started."""
    end: Time = ""
    """When it ended."""
    outcome: str = ""
    """Succeeded, the code of docs/errors.md, or how the container ended."""
    node: str = ""
    """Where it ran."""
    bytes_done: Int64[int] = 0
    """Bytes that were dealt with, 0 where it did not say so."""


class RejectedMethod(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: a method that is not taken for a clone."""

    method: str
    """csi-clone, snapshot or copy."""
    code: str
    """A word that says why."""
    reason: str = ""
    """A sentence that says why."""


class Clone(Struct, rename="camel", omit_defaults=True):
    """Our extension of the status: how the volume is cloned. It is written before the work begins."""

    method: str = ""
    """csi-clone, snapshot or copy; empty where there is none."""
    asked: str = ""
    """The method that annotation cloneType asked for."""
    then: list[str] = []
    """Methods that follow if this one fails."""
    rejected: list[RejectedMethod] = []
    """The others, each with the reason."""
    moves_at_most: Int64[int] = 0
    """Bytes that pods copy, at most; 0 where the storage clones."""
    expands: bool = False
    """Whether the clone grows to the size that was asked for."""
    snapshot_class: str = ""
    """The class of the temporary snapshot."""
    restore_class: str = ""
    """The storage class by which a snapshot is restored to be copied."""


class DataVolumeStatus(Struct, rename="camel", omit_defaults=True):
    """DataVolumeStatus contains the current status of the DataVolume."""

    claim_name: str = ""
    """The claim that the volume is."""
    phase: str = ""
    """The phase: Pending, ImportInProgress, Succeeded and others."""
    progress: str = ""
    """How much is transferred, such as 42.10%, or N/A."""
    restart_count: int = 0
    """RestartCount is the number of times the pod populating the DataVolume has restarted."""
    conditions: list[Condition] = []
    """Bound, Running and Ready."""
    failure: Failure | None = None
    """The last failure, while it is not overcome."""
    transfer: Transfer | None = None
    """How fast the data comes, while it does."""
    provenance: Provenance | None = None
    """Which version of the source it is, after an import."""
    history: list[Attempt] = []
    """The last attempts, newest last."""
    clone: Clone | None = None
    """How it is cloned, and why not otherwise."""


class DataVolume(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """DataVolume is a claim together with the data that it shall hold."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[DataVolumeSpec] = field(default_factory=DataVolumeSpec)
    status: DataVolumeStatus = field(default_factory=DataVolumeStatus)
