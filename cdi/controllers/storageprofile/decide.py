"""The status of a StorageProfile: what a person wrote, over what is known of the provisioner. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cdi.api.datavolume import Condition
from cdi.api.storageprofile import (
    CRON_READ_WRITE_ONCE,
    CRON_SNAPSHOT_CLASS,
    MINIMUM_SIZE,
    ClaimPropertySet,
    StorageProfileSpec,
    StorageProfileStatus,
)
from cdi.controllers.classes import plain, plain_snapshots
from cdi.kube.storage import PersistentVolume, StorageClass, VolumeSnapshotClass
from storageprofiles.capabilities import Capabilities, capabilities
from storageprofiles.classes import check_sets, profile_of
from storageprofiles.legacy import legacy_sets
from storageprofiles.rendering import ClaimPropertySet as Set
from storageprofiles.snapshot_classes import snapshot_class

STRATEGY = "cdi.kubevirt.io/clone-strategy"  # annotation of a class
_STRATEGIES = ("copy", "snapshot", "csi-clone")


@dataclass(frozen=True, slots=True)
class Observed:
    """``defaults``: data of the ConfigMap kubevirt-storage-class-defaults. ``volumes``: of the class."""

    storage_class: StorageClass
    spec: StorageProfileSpec
    before: StorageProfileStatus
    snapshot_classes: tuple[VolumeSnapshotClass, ...] = ()
    volumes: tuple[PersistentVolume, ...] = ()
    defaults: dict[str, str] | None = None
    now: str = ""


def status_of(seen: Observed) -> StorageProfileStatus:
    """Raises ClaimNotValid for sets of the spec that cannot be used."""
    known = capabilities(seen.storage_class.provisioner, seen.storage_class.parameters)
    snapshots = _snapshot_class(seen)
    return StorageProfileStatus(
        storage_class=seen.storage_class.metadata.name,
        provisioner=seen.storage_class.provisioner,
        claim_property_sets=[ClaimPropertySet(list(item.access_modes), item.volume_mode) for item in _sets(seen)],
        clone_strategy=_strategy(seen, known, snapshots),
        data_import_cron_source_format=_format(seen, known, snapshots),
        snapshot_class=snapshots or seen.before.snapshot_class,
        conditions=[_recognized(seen, known)],
    )


def annotations_of(seen: Observed, before: Mapping[str, str]) -> dict[str, str | None]:
    """What changes of ``before``; None is removed. A person's own values stay, but for the class of snapshots."""
    known = capabilities(seen.storage_class.provisioner, seen.storage_class.parameters)
    wanted: dict[str, str | None] = {}
    if known.minimum_size:
        wanted[MINIMUM_SIZE] = f"{known.minimum_size >> 30}Gi"
    if known.cron_images:
        wanted[CRON_READ_WRITE_ONCE] = "true"
    changes = {key: value for key, value in wanted.items() if key not in before}
    images = _chosen(seen, (item for item in _own(seen) if item.parameters.get("snapshot-type") == "images"))
    fitting = images if known.cron_images else None
    if before.get(CRON_SNAPSHOT_CLASS) != fitting:
        changes[CRON_SNAPSHOT_CLASS] = fitting
    return changes


def _sets(seen: Observed) -> Sequence[Set]:
    said = tuple(Set(tuple(item.access_modes), item.volume_mode) for item in seen.spec.claim_property_sets)
    found = seen.storage_class
    modes = [(mode, item.spec.volume_mode or "Filesystem") for item in seen.volumes for mode in item.spec.access_modes]
    sets = profile_of(plain(found), said, volumes=modes).sets
    if sets:
        return sets
    legacy = legacy_sets(seen.defaults or {}, found.metadata.name)
    check_sets(legacy)
    return legacy


def _strategy(seen: Observed, known: Capabilities, snapshots: str | None) -> str | None:
    if seen.spec.clone_strategy:
        return seen.spec.clone_strategy
    said = seen.storage_class.metadata.annotations.get(STRATEGY)
    if said is not None:
        return said if said in _STRATEGIES else None
    advised = known.clone_strategy or ("snapshot" if snapshots else "copy")
    return "copy" if advised == "snapshot" and not snapshots else advised


def _format(seen: Observed, known: Capabilities, snapshots: str | None) -> str:
    if seen.spec.data_import_cron_source_format:
        return seen.spec.data_import_cron_source_format
    return "snapshot" if known.snapshot_format and snapshots else "pvc"


def _snapshot_class(seen: Observed) -> str | None:
    return _chosen(seen, _own(seen), seen.spec.snapshot_class or "")


def _own(seen: Observed) -> list[VolumeSnapshotClass]:
    return [item for item in seen.snapshot_classes if item.driver == seen.storage_class.provisioner]


def _chosen(seen: Observed, found: Iterable[VolumeSnapshotClass], profiled: str = "") -> str | None:
    best = snapshot_class(seen.storage_class.provisioner, map(plain_snapshots, found), profiled=profiled)
    return best.name if best else None


def _recognized(seen: Observed, known: Capabilities) -> Condition:
    status = "True" if known.recognized else "False"
    old = next((item for item in seen.before.conditions if item.type == "Recognized"), None)
    if old is not None and (old.status, old.reason) == (status, known.reason):
        return old
    return Condition("Recognized", status, known.reason, known.message, seen.now, seen.now)
