"""The pod that looks how large the disk in a source is: its manifest, and what became of it. Pure.

Name, program and exit codes are the contract's. One pod serves all that wait for the same source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from cdi.contract import annotations as a
from cdi.controllers.datavolume.claim import owner_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.restricted import SECCOMP, UID, container_security
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim

PREFIX = "size-detection-"
_MOUNT, _DISK = "/data", "/data/disk.img"
_REASONS = {1: "ErrBadArguments", 2: "ErrInvalidFile", 3: "ErrInvalidPath", 4: "ErrBadTermFile"}


class State(Enum):
    RUNS = "runs"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Detected:
    """``size``: bytes, where it is done. ``reason``: of the event, where it failed."""

    state: State
    size: int = 0
    reason: str = ""


def name_of(source: PersistentVolumeClaim) -> str:
    return PREFIX + source.metadata.uid


def outcome(pod: Pod) -> Detected:
    """From the container's end: the pod's phase comes more than a second later."""
    ends = [item.state.terminated for item in pod.status.container_statuses if item.state.terminated]
    if not ends:
        return Detected(State.RUNS)
    size = a.count_of_bytes(ends[0].message.strip())
    if ends[0].exit_code == 0 and size:
        return Detected(State.DONE, size)
    return Detected(State.FAILED, reason=_REASONS.get(ends[0].exit_code, "ErrUnknown"))


def detection_pod(seen: Observed, source: PersistentVolumeClaim) -> dict[str, Any]:
    """The manifest for ``create``. It reads what strangers wrote, and gets nothing but the volume."""
    cluster, settings, volume = seen.cluster, seen.settings, seen.volume.metadata
    here = source.metadata.namespace == volume.namespace
    belongs = {} if here else {a.OWNED_BY_VOLUME: f"{volume.namespace}/{volume.name}"}
    metadata: dict[str, Any] = {
        "name": name_of(source),
        "namespace": source.metadata.namespace,
        "labels": a.APP | dict(settings.labels) | {a.COMPONENT: "importer"},
        "annotations": a.passed_on(source.metadata.annotations) | {a.CREATED_BY: "yes"} | belongs,
    }
    if here:
        metadata["ownerReferences"] = [owner_of(seen)]
    placement = {key: value for key, value in cluster.placement.items() if value}
    mount = {"name": "cdi-data-vol", "mountPath": _MOUNT, "readOnly": True}
    claim = {"claimName": source.metadata.name, "readOnly": True}
    spec: dict[str, Any] = placement | {
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {"seccompProfile": dict(SECCOMP), "fsGroup": UID},
        "containers": [_container(seen) | {"volumeMounts": [mount]}],
        "volumes": [{"name": "cdi-data-vol", "persistentVolumeClaim": claim}],
    }
    if cluster.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.pull_secrets]
    priority = source.metadata.annotations.get(a.PRIORITY_CLASS)
    if priority:
        spec["priorityClassName"] = priority
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _container(seen: Observed) -> dict[str, Any]:
    return {
        "name": "size-detection",
        "image": seen.settings.importer_image,
        "imagePullPolicy": seen.cluster.pull_policy or seen.settings.pull_policy,
        "command": ["/usr/bin/cdi-image-size-detection"],
        "args": ["-image-path", _DISK],
        "resources": dict(seen.cluster.resources),
        "securityContext": container_security(),
    }
