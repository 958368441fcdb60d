"""Who may change the source of a clone while it is cloned. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.contract import annotations as a
from cdi.kube.pods import Container, Pod


def writers(pods: Iterable[Pod], claim: str) -> tuple[str, ...]:
    """The names of those of ``pods`` that may write to ``claim``. A pod that has ended does not count, nor one that
    reads for another clone; who has a block device may write to it."""
    found = (pod for pod in pods if pod.status.phase not in {"Succeeded", "Failed"} and not _reads_for_clone(pod))
    return tuple(pod.metadata.name for pod in found if _may_write(pod, claim))


def _reads_for_clone(pod: Pod) -> bool:
    """By its name and label, as the contract has it: whoever makes such a pod only gives away what he has."""
    return pod.metadata.name.endswith("-source-pod") and pod.metadata.labels.get(a.COMPONENT) == a.CLONE_SOURCE


def _may_write(pod: Pod, claim: str) -> bool:
    for volume in pod.spec.volumes:
        source = volume.persistent_volume_claim
        if source is None or source.claim_name != claim:
            continue
        containers = (*pod.spec.containers, *pod.spec.init_containers)
        if any(_writes(container, volume.name, read_only=source.read_only) for container in containers):
            return True
    return False


def _writes(container: Container, volume: str, *, read_only: bool) -> bool:
    if any(device.name == volume for device in container.volume_devices):
        return True
    return not read_only and any(mount.name == volume and not mount.read_only for mount in container.volume_mounts)
