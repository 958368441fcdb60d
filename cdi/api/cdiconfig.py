"""CDIConfig, ``cdi.kubevirt.io/v1beta1``: the one object ``config``. Its spec is what ``CDI.spec.config`` says."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Struct, field

from cdi.api.datavolume import GROUP, ObjectMeta
from cdi.api.marks import Nullable, Required, keyed_by, matching, one_of
from cdi.api.quantity import Quantity

KIND = "CDIConfig"
NAME = "config"

_PERCENT = r"^(0(?:\.\d{1,3})?|1)$"

# A fraction of the volume, such as 0.06; text on the wire.
Percent = Annotated[str, matching(_PERCENT)]


class ImportProxy(Struct, omit_defaults=True):
    """What importers are told about proxies. The names on the wire are not camel case."""

    http_proxy: str | None = field(default=None, name="HTTPProxy")
    """URL of the proxy for http, http://<username>:<password>@<ip>:<port>."""
    https_proxy: str | None = field(default=None, name="HTTPSProxy")
    """URL of the proxy for https, https://<username>:<password>@<ip>:<port>."""
    no_proxy: str | None = field(default=None, name="noProxy")
    """Hosts, domains and networks that are reached without a proxy, separated by commas."""
    trusted_ca_proxy: str | None = field(default=None, name="trustedCAProxy")
    """Name of a ConfigMap in the CDI namespace with the certificates of a proxy that opens connections."""


class FilesystemOverhead(Struct, rename="camel", omit_defaults=True):
    global_: Percent | None = field(default=None, name="global")
    """The fraction of a filesystem volume that is kept for the filesystem; 0.06 without it."""
    storage_class: dict[str, Percent] = {}
    """The same for single storage classes, by name."""


class ResourceClaim(Struct, rename="camel", omit_defaults=True):
    name: Required[str] = ""
    """The claim of the pod's spec.resourceClaims."""
    request: str = ""
    """The request in the claim; all of them without it."""


class PodResources(Struct, rename="camel", omit_defaults=True):
    claims: Annotated[list[ResourceClaim], keyed_by("name")] = []
    """Devices that the pods use. Ignored for worker pods."""
    limits: dict[str, Quantity] = {}
    """The most that a pod may use. Only cpu and memory are read."""
    requests: dict[str, Quantity] = {}
    """What is set aside for a pod. Only cpu and memory are read."""


class LocalObjectReference(Struct, rename="camel", omit_defaults=True):
    atomic: ClassVar[bool] = True

    name: str = ""
    """Name of the object in the same namespace."""


class CustomTlsProfile(Struct, omit_defaults=True):
    ciphers: Required[list[str]] = []
    """Cipher suites by their OpenSSL names; unknown ones are left out."""
    min_tls_version: Required[
        Annotated[str, one_of("VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13")]
    ] = field(default="", name="minTLSVersion")
    """The oldest TLS version that is accepted."""


class TlsSecurityProfile(Struct, rename="camel", omit_defaults=True):
    type: Annotated[str, one_of("Old", "Intermediate", "Modern", "Custom")] = ""
    """Old, Intermediate, Modern or Custom. Intermediate without it."""
    old: Nullable[dict[str, Any] | None] = None
    """For clients of long ago: TLS 1.0 and more suites."""
    intermediate: Nullable[dict[str, Any] | None] = None
    """For most clients: TLS 1.2 at least."""
    modern: Nullable[dict[str, Any] | None] = None
    """TLS 1.3 only."""
    custom: Nullable[CustomTlsProfile | None] = None
    """Your own choice of suites and version; where it is there, it counts whatever type says."""


class CDIConfigSpec(Struct, rename="camel", omit_defaults=True):
    data_volume_ttl_seconds: int | None = field(default=None, name="dataVolumeTTLSeconds")
    """Deprecated, without effect: DataVolumes are not removed after they are complete."""
    feature_gates: list[str] = []
    """Names of behaviour to turn on."""
    filesystem_overhead: FilesystemOverhead | None = None
    """How much of a filesystem volume is kept for the filesystem itself."""
    image_pull_secrets: list[LocalObjectReference] = []
    """Pull secrets of all worker pods and of the control plane."""
    import_proxy: ImportProxy | None = None
    """How importers reach the outside."""
    insecure_registries: list[str] = []
    """Container registries, host[:port], whose certificates are not verified."""
    log_verbosity: int | None = None
    """How much the pods log; 1 is normal, larger is more."""
    pod_resource_requirements: PodResources | None = None
    """cpu and memory of worker pods, over the defaults."""
    preallocation: bool | None = None
    """Whether DataVolumes that say nothing allocate the whole volume."""
    scratch_space_storage_class: str | None = None
    """Storage class of scratch space; the target's without it."""
    tls_security_profile: TlsSecurityProfile | None = None
    """TLS versions and suites of all our servers."""
    upload_proxy_url_override: str | None = field(default=None, name="uploadProxyURLOverride")
    """URL of the upload proxy, over what is found from Ingress or Route."""
    webhook_pvc_rendering: str | None = None
    """Disabled turns the completion of labelled claims off; everything else leaves it on."""


class CDIConfigStatus(Struct, rename="camel", omit_defaults=True):
    """CDIConfigStatus holds the most recently observed status of the configuration: what is in effect."""

    default_pod_resource_requirements: PodResources | None = None
    """cpu and memory of worker pods."""
    filesystem_overhead: FilesystemOverhead | None = None
    """The overhead in effect: global, and for every storage class there is."""
    image_pull_secrets: list[LocalObjectReference] = []
    """Pull secrets of all worker pods."""
    import_proxy: ImportProxy | None = None
    """The proxy configuration in effect."""
    preallocation: bool = False
    """Whether DataVolumes that say nothing allocate the whole volume."""
    scratch_space_storage_class: str = ""
    """Storage class of scratch space, empty for the target's."""
    upload_proxy_ca: str | None = field(default=None, name="uploadProxyCA")
    """Certificates that verify the upload proxy, PEM."""
    upload_proxy_url: str | None = field(default=None, name="uploadProxyURL")
    """The calculated upload proxy URL."""


class CDIConfig(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """CDIConfig holds the configuration in effect. It is written by the controller: edit the CDI object instead."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[CDIConfigSpec] = field(default_factory=CDIConfigSpec)
    """A copy of spec.config of the CDI object; edits are undone."""
    status: CDIConfigStatus = field(default_factory=CDIConfigStatus)
