"""DataSource, ``cdi.kubevirt.io/v1beta1``: a name for the image of the day, which DataVolumes refer to."""

from __future__ import annotations

from msgspec import Struct, field

from cdi.api.datavolume import GROUP, Condition, ObjectMeta, VolumeRef
from cdi.api.marks import Required

KIND = "DataSource"


class DataSourceOrigin(Struct, rename="camel", omit_defaults=True):
    """One member is meant to be set. Nothing enforces it: dataSource wins over pvc, pvc over snapshot."""

    data_source: VolumeRef | None = None
    """Another DataSource of the same namespace, which must not be a reference itself."""
    pvc: VolumeRef | None = None
    """A claim."""
    snapshot: VolumeRef | None = None
    """A volume snapshot."""


class DataSourceSpec(Struct, rename="camel", omit_defaults=True):
    source: Required[DataSourceOrigin] = field(default_factory=DataSourceOrigin)
    """What DataVolumes that refer to this one are cloned from."""


class DataSourceStatus(Struct, rename="camel", omit_defaults=True):
    conditions: list[Condition] = []
    """Ready, with the reason why not."""
    source: DataSourceOrigin = field(default_factory=DataSourceOrigin)
    """The claim or snapshot that spec.source leads to; empty while it is not ready."""


class DataSource(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """DataSource names a claim or snapshot that DataVolumes are cloned from."""

    api_version: str = f"{GROUP}/v1beta1"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: Required[DataSourceSpec] = field(default_factory=DataSourceSpec)
    """What it names."""
    status: DataSourceStatus = field(default_factory=DataSourceStatus)
    """Whether that can be used."""
