"""CDI, ``cdi.kubevirt.io`` v1beta1 and v1alpha1: the installation. Cluster scoped; one of them counts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct, field

from cdi.api.cdiconfig import CDIConfigSpec
from cdi.api.datavolume import GROUP, Condition, ObjectMeta
from cdi.api.marks import Required, limited, one_of
from cdi.api.placement import Infra, NodePlacement

KIND = "CDI"

# HonorWaitForFirstConsumer: what the contract's released object has. The other is ours: docs/compatibility.md.
FEATURE_GATES = ("HonorWaitForFirstConsumer", "DefaultClaimProperties")


class CertSection(Struct, rename="camel", omit_defaults=True):
    duration: str = ""
    """How long a certificate is valid, such as 48h0m0s."""
    renew_before: str = ""
    """How long before its end it is replaced."""


class CertConfig(Struct, rename="camel", omit_defaults=True):
    ca: CertSection | None = None
    """Signers. 48h and 24h by default."""
    client: CertSection | None = None
    """Client certificates. 24h and 12h by default."""
    server: CertSection | None = None
    """Server certificates. 24h and 12h by default."""


class Patch(Struct, rename="camel", omit_defaults=True):
    patch: Required[str] = ""
    """The patch itself, as JSON."""
    resource_name: Annotated[Required[str], limited(minLength=1)] = ""
    """Name of the objects to change; * for all of the type."""
    resource_type: Annotated[Required[str], limited(minLength=1)] = ""
    """Kind of the objects to change."""
    type: Required[str] = ""
    """json, merge or strategic."""


class Flags(Struct, rename="camel", omit_defaults=True):
    api: dict[str, str] = {}
    """Flags of the API server."""
    controller: dict[str, str] = {}
    """Flags of the controller."""
    upload_proxy: dict[str, str] = {}
    """Flags of the upload proxy."""


class CustomizeComponents(Struct, rename="camel", omit_defaults=True):
    flags: Flags | None = None
    """Values of command line flags of the control plane."""
    patches: list[Patch] = []
    """Changes to installed objects."""


class CDISpec(Struct, rename="camel", omit_defaults=True):
    cert_config: CertConfig | None = None
    """Lifetimes of the certificates that are issued here."""
    clone_strategy_override: Annotated[str | None, one_of("copy", "snapshot", "csi-clone")] = None
    """How volumes are cloned, whatever their storage could do."""
    config: CDIConfigSpec | None = None
    """The configuration of the system; CDIConfig is a copy of it."""
    customize_components: CustomizeComponents | None = None
    """Changes to what is installed."""
    image_pull_policy: Annotated[str, one_of("Always", "IfNotPresent", "Never")] = ""
    """When nodes pull our images."""
    infra: Infra | None = None
    """Placement and number of the pods of the control plane."""
    priority_class: str | None = None
    """Priority class of the control plane; kubevirt-cluster-critical where that exists."""
    uninstall_strategy: Annotated[str | None, one_of("RemoveWorkloads", "BlockUninstallIfWorkloadsExist")] = None
    """What happens to DataVolumes when this object is deleted: they go too, or they prevent it."""
    workload: NodePlacement | None = None
    """Placement of worker pods."""


class CDIStatus(Struct, rename="camel", omit_defaults=True):
    """CDIStatus defines the status of the installation."""

    conditions: list[Condition] = []
    """Available, Progressing and Degraded."""
    observed_version: str = ""
    """The version that was seen running."""
    operator_version: str = ""
    """The version of what installed it."""
    phase: str = ""
    """Deploying, Deployed, Upgrading, Deleting, Deleted or Error."""
    target_version: str = ""
    """The desired version of the resource."""


class CDI(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """CDI is the installation of the Containerized Data Importer and its configuration."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[CDISpec] = field(default_factory=CDISpec)
    """How it shall be."""
    status: CDIStatus = field(default_factory=CDIStatus)


def standard(pull_policy: str = "IfNotPresent") -> CDI:
    """The object of an installation that nobody has configured yet."""
    linux = {"kubernetes.io/os": "linux"}
    spec = CDISpec(
        config=CDIConfigSpec(feature_gates=list(FEATURE_GATES)),
        image_pull_policy=pull_policy,
        infra=Infra(node_selector=linux),
        workload=NodePlacement(node_selector=linux),
    )
    return CDI(metadata=ObjectMeta(name="cdi"), spec=spec)
