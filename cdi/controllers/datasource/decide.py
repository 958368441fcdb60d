"""What a DataSource stands for, and whether that can be used. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.api.datasource import DataSource, DataSourceOrigin, DataSourceStatus
from cdi.api.datavolume import Condition, DataVolume, VolumeRef
from cdi.kube.storage import PersistentVolumeClaim, VolumeSnapshot

_KUBEVIRT = re.compile(r"([\w.]+\.kubevirt\.io|kubevirt\.io)/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Observed:
    """``pointed``: what ``spec.source.dataSource`` names. ``volume``, ``claim``, ``snapshot``: what is named in the
    end, by this DataSource or by ``pointed``."""

    source: DataSource
    pointed: DataSource | None = None
    volume: DataVolume | None = None
    claim: PersistentVolumeClaim | None = None
    snapshot: VolumeSnapshot | None = None
    now: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    ready: bool
    reason: str
    message: str
    origin: DataSourceOrigin = field(default_factory=DataSourceOrigin)


_READY = ("Ready", "DataSource is ready to be consumed")


def origin_of(source: DataSource, pointed: DataSource | None) -> DataSourceOrigin:
    """A pointer stands for what the other one names: one step, no more."""
    if source.spec.source.data_source is None:
        return source.spec.source
    return pointed.spec.source if pointed is not None else DataSourceOrigin()


def decide(seen: Observed) -> Verdict:
    reference = seen.source.spec.source.data_source
    if reference is not None:
        refused = _refused_pointer(seen, reference)
        if refused is not None:
            return refused
    origin = origin_of(seen.source, seen.pointed)
    if origin.pvc is not None:
        return _of_claim(seen, DataSourceOrigin(pvc=_placed(seen, origin.pvc)))
    if origin.snapshot is not None:
        return _of_snapshot(seen, DataSourceOrigin(snapshot=_placed(seen, origin.snapshot)))
    return Verdict(False, "NoSource", "No source PVC set")


def _refused_pointer(seen: Observed, reference: VolumeRef) -> Verdict | None:
    metadata = seen.source.metadata
    if (reference.namespace or metadata.namespace) != metadata.namespace:
        text = "DataSource cannot reference a DataSource in another namespace"
        return Verdict(False, "CrossNamespaceReference", text)
    if reference.name == metadata.name:
        return Verdict(False, "SelfReference", "DataSource cannot self-reference")
    if seen.pointed is None:
        return Verdict(False, "NotFound", f'datasources.cdi.kubevirt.io "{reference.name}" not found')
    if seen.pointed.spec.source.data_source is not None:
        text = "DataSource reference chain exceeds maximum depth of 1"
        return Verdict(False, "MaxReferenceDepthReached", text)
    return None


def _of_claim(seen: Observed, origin: DataSourceOrigin) -> Verdict:
    if seen.volume is not None and seen.volume.status.phase != "Succeeded":
        phase = seen.volume.status.phase
        return Verdict(False, phase, f"Import DataVolume phase {phase}")
    if seen.claim is None and seen.volume is None:
        return Verdict(False, "NotFound", "PVC not found")
    return Verdict(True, *_READY, origin)


def _of_snapshot(seen: Observed, origin: DataSourceOrigin) -> Verdict:
    if seen.snapshot is None:
        return Verdict(False, "NotFound", "Snapshot not found")
    if seen.snapshot.status is None or not seen.snapshot.status.ready_to_use:
        return Verdict(False, "SnapshotNotReady", "Snapshot phase is not ready")
    return Verdict(True, *_READY, origin)


def _placed(seen: Observed, reference: VolumeRef) -> VolumeRef:
    return VolumeRef(reference.namespace or seen.source.metadata.namespace, reference.name)


def status_of(seen: Observed, verdict: Verdict) -> DataSourceStatus:
    before = seen.source.status
    wanted = Condition("Ready", "True" if verdict.ready else "False", verdict.reason, verdict.message)
    old = next((item for item in before.conditions if item.type == "Ready"), None)
    moved = old is None or old.status != wanted.status or before.source != verdict.origin
    same = old is not None and (old.reason, old.message) == (wanted.reason, wanted.message)
    if old is not None and not moved and same:
        wanted = old
    else:
        wanted.last_transition_time = seen.now if moved or old is None else old.last_transition_time
        wanted.last_heartbeat_time = seen.now
    return DataSourceStatus(conditions=[wanted], source=verdict.origin)


def labels_of(seen: Observed, verdict: Verdict) -> dict[str, str]:
    """KubeVirt's labels of what is named, the claim's over the DataVolume's."""
    if not verdict.ready:
        return {}
    sources: list[Mapping[str, str]] = [seen.volume.metadata.labels] if seen.volume else []
    sources += [item.metadata.labels for item in (seen.claim, seen.snapshot) if item]
    found = {key: value for labels in sources for key, value in labels.items() if _KUBEVIRT.fullmatch(key)}
    return {key: value for key, value in found.items() if seen.source.metadata.labels.get(key) != value}
