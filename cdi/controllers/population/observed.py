"""What is known of one target claim and of all that works for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from cdi.api.populators import VolumeSource
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.cloning.seen import Cloning
from cdi.controllers.population.plan import Role
from cdi.controllers.settings import Settings
from cdi.kube.objects import Event, Object
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot


@dataclass(frozen=True, slots=True)
class Observed:
    """``target`` None: it is gone, what is left of it has to go too.

    ``volume``: of the claim that the worker writes to. ``source``: the object that the target's dataSourceRef names.
    ``objects``: what has the name of an object that works for the claim; whose it is has to be looked at.
    ``overhead`` and ``scratch_overhead``: of the file systems that will hold disk and scratch. ``users``: pods that
    have the worker's claim mounted and are not the worker. ``strays``: workers of former claims of this name.
    ``is_over``: its DataVolume has Succeeded, with this claim. ``pod_is_made``: by this process, as it knows.
    ``pod_age_s``: since when the worker is there, or is being deleted, as far as this process knows. ``unbound_s``:
    since when the worker's claim should be bound and is not. ``percent``: of the running worker, where it knows.
    ``clone``: of a target that is cloned; then ``prime`` is the temporary claim, wherever it lies.
    ``durable``: what it has recorded of a device, for a pod that has to go on with it. ``event``: newest about PVC', or
    about the target in the direct way; ``pod_event``: about a worker that is not started for long.
    """

    target: PersistentVolumeClaim | None
    prime: PersistentVolumeClaim | None = None
    volume: PersistentVolume | None = None
    source: VolumeSource | None = None
    objects: Mapping[Role, Object] = field(default_factory=dict)
    pod_is_made: bool = False
    storage_class: StorageClass | None = None
    overhead: str = "0"
    scratch_overhead: str = "0"
    users: tuple[str, ...] = ()
    strays: tuple[Pod, ...] = ()
    is_over: bool = False
    pod_age_s: float = 0.0
    unbound_s: float = 0.0
    percent: float | None = None
    durable: str = ""
    clone: Cloning | None = None
    event: Event | None = None
    pod_event: Event | None = None
    cluster: Cluster = field(default_factory=Cluster)
    settings: Settings = field(default_factory=Settings)

    @property
    def pod(self) -> Pod | None:
        """The worker."""
        return cast("Pod | None", self.objects.get(Role.WORKER))

    @property
    def scratch(self) -> PersistentVolumeClaim | None:
        return cast("PersistentVolumeClaim | None", self.objects.get(Role.SCRATCH))

    @property
    def snapshot(self) -> VolumeSnapshot | None:
        """That was made of the source of a clone."""
        return cast("VolumeSnapshot | None", self.objects.get(Role.SNAPSHOT))

    @property
    def restored(self) -> PersistentVolumeClaim | None:
        """The snapshot that is cloned, as a claim."""
        return cast("PersistentVolumeClaim | None", self.objects.get(Role.RESTORED))

    @property
    def preparation(self) -> Pod | None:
        """The pod for which a temporary claim is bound, or grown."""
        return cast("Pod | None", self.objects.get(Role.PREPARATION))

    @property
    def source_pod(self) -> Pod | None:
        """The pod that reads what the worker writes."""
        return cast("Pod | None", self.objects.get(Role.SOURCE))
