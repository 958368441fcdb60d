"""OvirtVolumePopulator and OpenstackVolumePopulator, ``forklift.cdi.kubevirt.io/v1beta1``: migrations of Forklift."""

from __future__ import annotations

from msgspec import Struct, field

from cdi.api.datavolume import ObjectMeta
from cdi.api.marks import Required

GROUP = "forklift.cdi.kubevirt.io"
OVIRT_KIND = "OvirtVolumePopulator"
OPENSTACK_KIND = "OpenstackVolumePopulator"


class OvirtVolumePopulatorSpec(Struct, rename="camel", omit_defaults=True):
    disk_id: Required[str] = ""
    """The disk."""
    engine_url: Required[str] = ""
    """URL of the engine."""
    secret_ref: Required[str] = ""
    """Secret that is handed to the populator."""
    transfer_network: str | None = None
    """Network attachment, namespace/name, over which the data comes."""


class OpenstackVolumePopulatorSpec(Struct, rename="camel", omit_defaults=True):
    identity_url: Required[str] = ""
    """URL of the identity service."""
    image_id: Required[str] = ""
    """The image."""
    secret_ref: Required[str] = ""
    """Secret that is handed to the populator."""
    transfer_network: str | None = None
    """Network attachment, namespace/name, over which the data comes."""


class PopulatorStatus(Struct, rename="camel", omit_defaults=True):
    progress: str = ""
    """How much is transferred."""


class OvirtVolumePopulator(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """OvirtVolumePopulator fills claims from a disk of oVirt."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = OVIRT_KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[OvirtVolumePopulatorSpec] = field(default_factory=OvirtVolumePopulatorSpec)
    """Which disk, and how to get at it."""
    status: PopulatorStatus = field(default_factory=PopulatorStatus)
    """How far it is."""


class OpenstackVolumePopulator(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """OpenstackVolumePopulator fills claims from an image of OpenStack."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = OPENSTACK_KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[OpenstackVolumePopulatorSpec] = field(default_factory=OpenstackVolumePopulatorSpec)
    """Which image, and how to get at it."""
    status: PopulatorStatus = field(default_factory=PopulatorStatus)
    """How far it is."""
