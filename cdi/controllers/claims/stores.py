"""What the cluster looks like to whoever decides on claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import NAME as CONFIG
from cdi.api.cdiconfig import CDIConfig
from cdi.api.datavolume import DataVolume
from cdi.api.storageprofile import StorageProfile
from cdi.contract.systems import active_of
from cdi.controllers.cluster import Cluster, cluster_of
from cdi.kube.objects import ResourceQuota
from cdi.kube.pods import Pod
from cdi.kube.resources import Resource
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotClass,
    VolumeSnapshotContent,
)
from cdi.kube.store import Store


@dataclass(frozen=True)
class Snapshots:
    """Empty while the cluster does not serve them."""

    taken: Store[VolumeSnapshot] = field(default_factory=Store)
    contents: Store[VolumeSnapshotContent] = field(default_factory=Store)
    classes: Store[VolumeSnapshotClass] = field(default_factory=Store)


@dataclass(frozen=True)
class Stores:
    """``sources``: objects that claims name as their source, by kind. ``companions``: what stands beside workers."""

    claims: Store[PersistentVolumeClaim]
    pods: Store[Pod]
    volumes: Store[PersistentVolume]
    sources: Mapping[str, Store[Any]]
    classes: Store[StorageClass]
    configs: Store[CDIConfig]
    systems: Store[CDI]
    datavolumes: Store[DataVolume] = field(default_factory=Store)
    quotas: Store[ResourceQuota] = field(default_factory=Store)
    companions: Mapping[Resource[Any], Store[Any]] = field(default_factory=dict)
    profiles: Store[StorageProfile] = field(default_factory=Store)
    snapshots: Snapshots = field(default_factory=Snapshots)

    def cluster(self) -> Cluster:
        return cluster_of(self.configs.get(CONFIG), active_of(self.systems.all()))

    @property
    def are_configured(self) -> bool:
        """Not while there is no CDI object, or its configuration is not written yet: until then nothing is decided, for
        it would be by rules that nobody set, such as workers that do not wait for a first consumer."""
        config = self.configs.get(CONFIG)
        is_written = config is not None and config.status.filesystem_overhead is not None
        return is_written and active_of(self.systems.all()) is not None
