"""What a DataVolume in deletion leaves in other namespaces: the object that said what it is cloned from, and the pod
that looked how large that is."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeCloneSource
from cdi.contract import annotations as a
from cdi.controllers.datavolume import detection
from cdi.controllers.datavolume.cloneobserver import NAMED
from cdi.controllers.datavolume.cloning import is_own
from cdi.controllers.datavolume.filling import filling_of
from cdi.kube.cdi_resources import VOLUME_CLONE_SOURCES
from cdi.kube.client import Client
from cdi.kube.pods import Pod
from cdi.kube.resources import PODS
from cdi.kube.store import Store

_LOOKS_FOR = "looks for"  # index of pods that look how large a source is, by the DataVolume in another namespace


@dataclass(frozen=True)
class Left:
    """By names and owners, never by a label alone."""

    client: Client
    made: Store[VolumeCloneSource]
    pods: Store[Pod]

    def __post_init__(self) -> None:
        self.pods.index(_LOOKS_FOR, _looks_for)

    async def part(self, volume: DataVolume) -> None:
        """Before its finalizer goes."""
        metadata, filling = volume.metadata, filling_of(volume)
        place = f"{metadata.namespace}/{metadata.name}"
        named = self.made.by(NAMED, filling.source_name(metadata.uid)) if filling is not None else []
        for source in named:
            if is_own(source, metadata.uid, place):
                found = source.metadata
                await self.client.delete(VOLUME_CLONE_SOURCES, found.name, found.namespace, uid=found.uid)
        for pod in self.pods.by(_LOOKS_FOR, place):
            await self.client.delete(PODS, pod.metadata.name, pod.metadata.namespace, uid=pod.metadata.uid)


def _looks_for(pod: Pod) -> list[str]:
    owner = pod.metadata.annotations.get(a.OWNED_BY_VOLUME, "")
    return [owner] if owner and pod.metadata.name.startswith(detection.PREFIX) else []
