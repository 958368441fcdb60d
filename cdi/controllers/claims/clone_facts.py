"""From objects of the cluster to the facts by which a clone is planned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cdi.api.storageprofile import MINIMUM_SIZE, StorageProfile
from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.claims.binding import waits_for_consumer
from cdi.controllers.claims.clone_record import begun_in, failed_in, recorded
from cdi.controllers.classes import plain_snapshots
from cdi.controllers.cluster import Cluster
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotClass,
    VolumeSnapshotContent,
)
from storageprofiles import clone_facts as facts

_NO_CLASS_OF_SNAPSHOTS = "it names no VolumeSnapshotClass"


def claim_source(
    claim: PersistentVolumeClaim,
    volume: PersistentVolume | None,
    classes: Mapping[str, StorageClass],
    profile: StorageProfile | None,
    cluster: Cluster,
) -> facts.Source:
    """``volume``: the claim's, None while it has none; then ``capacity`` is what was requested. ``profile``: of its
    class."""
    spec = claim.spec
    storage_class = classes.get(spec.storage_class_name or "")
    mode = spec.volume_mode or "Filesystem"
    requested = _size(spec.resources.requests)
    driver = volume.spec.csi.driver if volume is not None and volume.spec.csi is not None else ""
    return facts.Source(
        namespace=claim.metadata.namespace,
        name=claim.metadata.name,
        driver=driver or (storage_class.provisioner if storage_class else ""),
        volume_mode=mode,
        requested=requested,
        capacity=_size(claim.status.capacity) or requested,
        content_type=content_type(claim.metadata.annotations),
        snapshot_class=(profile.status.snapshot_class or "") if profile else "",
        overhead=cluster.overhead(spec.storage_class_name, mode),
    )


def snapshot_source(snapshot: VolumeSnapshot, content: VolumeSnapshotContent) -> facts.Source:
    """Of a snapshot whose status has a restore size, or which has none to give."""
    status = snapshot.status
    size = (size_or_none(status.restore_size or "0") or 0) if status else 0
    named = snapshot.spec.volume_snapshot_class_name or ""
    failed = status.error.message if status is not None and status.error is not None else ""
    return facts.Source(
        namespace=snapshot.metadata.namespace,
        name=snapshot.metadata.name,
        is_snapshot=True,
        driver=content.spec.driver,
        volume_mode=content.spec.source_volume_mode or snapshot.metadata.annotations.get(a.SOURCE_VOLUME_MODE, ""),
        requested=size,
        capacity=size,
        snapshot_class=named,
        unfit=failed or ("" if named else _NO_CLASS_OF_SNAPSHOTS),
    )


def claim_target(
    claim: PersistentVolumeClaim, storage_class: StorageClass, profile: StorageProfile | None, cluster: Cluster
) -> facts.Target:
    """``claim``: as it is, or as it will be made. ``profile``: of its class."""
    mode = claim.spec.volume_mode or "Filesystem"
    name = storage_class.metadata.name
    minimum = profile.metadata.annotations.get(MINIMUM_SIZE, "0") if profile else "0"
    return facts.Target(
        namespace=claim.metadata.namespace,
        name=claim.metadata.name,
        storage_class=name,
        driver=storage_class.provisioner,
        volume_mode=mode,
        size=_size(claim.spec.resources.requests),
        content_type=content_type(claim.metadata.annotations),
        minimum_size=size_or_none(minimum) or 0,
        snapshot_class=(profile.status.snapshot_class or "") if profile else "",
        overhead=cluster.overhead(name, mode),
        expands=storage_class.allow_volume_expansion is True,
        waits_for_consumer=waits_for_consumer(storage_class),
        is_permissive=a.PERMISSIVE_CLONE in claim.metadata.annotations,
    )


def cluster_facts(
    classes: Iterable[StorageClass], snapshot_classes: Iterable[VolumeSnapshotClass], *, by_populator: bool
) -> facts.Cluster:
    """Where the snapshot API is not served there are no classes of it."""
    return facts.Cluster(
        by_populator=by_populator,
        snapshot_classes=tuple(map(plain_snapshots, snapshot_classes)),
        classes=tuple(
            facts.ClassFacts(item.metadata.name, item.provisioner, waits_for_consumer(item)) for item in classes
        ),
    )


def wishes(annotations: Mapping[str, str], profile: StorageProfile | None, cluster: Cluster) -> facts.Wishes:
    """``annotations``: of the target claim. ``profile``: of its class. What cloneType says is a person's wish only
    before a plan was recorded, and where no reason stands beside it: else it is ours."""
    record = recorded(annotations.get(a.OWN_CLONE_PLAN, ""))
    wished = "" if a.CLONE_FALLBACK in annotations else annotations.get(a.CLONE_TYPE, "")
    return facts.Wishes(
        override=cluster.clone_strategy,
        profile=(profile.status.clone_strategy or "") if profile else "",
        asked=wished if record is None else record.asked,
        requires_offload=annotations.get(a.OWN_CLONE_REQUIRE) == "offload",
        failed=failed_in(record),
        begun=begun_in(record),
    )


def content_type(annotations: Mapping[str, str]) -> str:
    """``kubevirt`` for whatever is no archive: as the contract compares it."""
    return "archive" if annotations.get(a.CONTENT_TYPE) == "archive" else "kubevirt"


def _size(quantities: Mapping[str, str]) -> int:
    """Bytes; 0 for none."""
    return size_or_none(quantities.get("storage", "0")) or 0
