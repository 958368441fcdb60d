"""What the controllers tell a monitoring system. Names, labels and meanings are the contract's.

Computed from the stores when somebody asks: nothing has to be kept up to date, and what is gone leaves no series.
Only the process that leads may tell it: alerts add up what several tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from cdi.api.cdi import CDI
from cdi.api.datavolume import DataVolume
from cdi.api.storageprofile import StorageProfile
from cdi.contract.systems import active_of
from cdi.kube.storage import CsiDriver, StorageClass, VolumeSnapshotClass
from cdi.kube.store import Store
from storageprofiles.capabilities import WITHOUT_DISKS
from storageprofiles.classes import KUBERNETES_DEFAULT, VIRT_DEFAULT

_INFO = "kubevirt_cdi_storageprofile_info"
_LABELS = ("storageclass", "provisioner", "complete", "default", "virtdefault", "rwx", "smartclone", "degraded")


@dataclass(frozen=True, slots=True)
class Abilities:
    """Of the cluster. ``drivers``: names of CSI drivers. ``snapshots``: drivers that have a snapshot class."""

    drivers: Collection[str] = ()
    snapshots: Collection[str] = ()
    single_node: bool = False


def labels_of(profile: StorageProfile, storage_class: StorageClass, cluster: Abilities) -> tuple[str, ...]:
    """Of ``kubevirt_cdi_storageprofile_info``, in the order of ``_LABELS``."""
    provisioner, sets = storage_class.provisioner, profile.status.claim_property_sets
    annotations = storage_class.metadata.annotations
    shared = any("ReadWriteMany" in item.access_modes for item in sets)
    filled = bool(sets) and all(item.access_modes and item.volume_mode for item in sets)
    cloned = _clones_smartly(profile.status.clone_strategy, provisioner, cluster)
    facts = (
        filled or provisioner in WITHOUT_DISKS,
        annotations.get(KUBERNETES_DEFAULT) == "true",
        annotations.get(VIRT_DEFAULT) == "true",
        shared,
        cloned,
        not (shared or cluster.single_node) or not cloned,
    )
    return (storage_class.metadata.name, provisioner, *("true" if fact else "false" for fact in facts))


def _clones_smartly(strategy: str | None, provisioner: str, cluster: Abilities) -> bool:
    if strategy == "csi-clone":
        return provisioner in cluster.drivers
    return strategy in (None, "", "snapshot") and provisioner in cluster.snapshots


def pending(volumes: Iterable[DataVolume]) -> int:
    """How many DataVolumes wait and name no storage class: for a default one, perhaps."""
    waiting = (item for item in volumes if item.status.phase in ("", "Pending"))
    return sum(item.spec.target.storage_class_name is None for item in waiting)


def readiness(before: int, system: CDI | None) -> int:
    """1: available. 0: neither available nor on its way there. -1: never known. Else as ``before``."""
    states = {item.type: item.status for item in system.status.conditions} if system is not None else {}
    if states.get("Available") == "True":
        return 1
    return 0 if states and states.get("Progressing") != "True" else before


@dataclass(frozen=True)
class Stores:
    profiles: Store[StorageProfile]
    classes: Store[StorageClass]
    drivers: Store[CsiDriver]
    snapshot_classes: Store[VolumeSnapshotClass]
    volumes: Store[DataVolume]
    systems: Store[CDI]


class ControllerMetrics(Collector):
    """``single_node``: shared volumes are nothing that such a cluster misses."""

    def __init__(self, stores: Stores, *, single_node: bool = False) -> None:
        self._stores = stores
        self._single_node = single_node
        self._ready = -1
        stores.systems.subscribe(lambda _old, _new: self._look())

    def _look(self) -> None:
        self._ready = readiness(self._ready, active_of(self._stores.systems.all()))

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("kubevirt_cdi_cr_ready", "CDI install ready", value=self._ready)
        waiting = pending(self._stores.volumes.all())
        described = "DataVolumes that wait for a default storage class"
        yield GaugeMetricFamily("kubevirt_cdi_datavolume_pending", described, value=waiting)
        yield self._profiles()

    def _profiles(self) -> GaugeMetricFamily:
        told = GaugeMetricFamily(_INFO, "What the profile of a storage class says of it", labels=_LABELS)
        cluster = self._abilities()
        for profile in self._stores.profiles.all():
            storage_class = self._stores.classes.get(profile.metadata.name)
            if storage_class is not None:
                told.add_metric(labels_of(profile, storage_class, cluster), 1)
        return told

    def _abilities(self) -> Abilities:
        snapshots = {item.driver for item in self._stores.snapshot_classes.all()}
        return Abilities({item.metadata.name for item in self._stores.drivers.all()}, snapshots, self._single_node)
