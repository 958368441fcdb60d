"""ObjectTransfer, ``cdi.kubevirt.io/v1beta1``, deprecated: moves a DataVolume or claim to another name or namespace."""

from __future__ import annotations

from msgspec import Struct, field

from cdi.api.datavolume import GROUP, Condition, ObjectMeta
from cdi.api.marks import Required

KIND = "ObjectTransfer"


class TransferSource(Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    """API version of the object."""
    kind: Required[str] = ""
    """DataVolume or PersistentVolumeClaim."""
    name: Required[str] = ""
    """Its name."""
    namespace: Required[str] = ""
    """Its namespace."""
    required_annotations: dict[str, str] = {}
    """Annotations that it must have before it is moved."""


class TransferTarget(Struct, rename="camel", omit_defaults=True):
    name: str | None = None
    """The new name; the old one without it."""
    namespace: str | None = None
    """The new namespace; the old one without it."""


class ObjectTransferSpec(Struct, rename="camel", omit_defaults=True):
    parent_name: str | None = None
    """The transfer that this is a part of."""
    source: Required[TransferSource] = field(default_factory=TransferSource)
    """What is moved."""
    target: Required[TransferTarget] = field(default_factory=TransferTarget)
    """Where to."""


class ObjectTransferStatus(Struct, rename="camel", omit_defaults=True):
    conditions: list[Condition] = []
    """Complete, and why not."""
    data: dict[str, str] = {}
    """What has to be remembered between the steps."""
    phase: str = ""
    """Pending, Running, Complete or Error."""


class ObjectTransfer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """ObjectTransfer moves a DataVolume or a claim to another name or namespace, without copying. Deprecated."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[ObjectTransferSpec] = field(default_factory=ObjectTransferSpec)
    """What is moved, and where to."""
    status: ObjectTransferStatus = field(default_factory=ObjectTransferStatus)
    """How far it is."""
