"""DataSources by what they name, for all who follow that: one index, whoever asks for it first."""

from __future__ import annotations

from cdi.api.datasource import DataSource
from cdi.api.datavolume import VolumeRef

NAMES = "names"  # index of DataSources by the claim or snapshot that they name, as namespace/name


def named(source: DataSource) -> list[str]:
    origin = source.spec.source
    return [place_of(source, item) for item in (origin.pvc, origin.snapshot) if item is not None]


def place_of(source: DataSource, reference: VolumeRef) -> str:
    """Where ``reference`` of ``source`` leads, as namespace/name."""
    return f"{reference.namespace or source.metadata.namespace}/{reference.name}"
