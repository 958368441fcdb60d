"""What a DataVolume in deletion leaves in other namespaces: the objects that said what it is cloned from."""

from __future__ import annotations

from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeCloneSource
from cdi.controllers.datavolume.cloneobserver import NAMED
from cdi.controllers.datavolume.cloning import is_own
from cdi.controllers.datavolume.filling import filling_of
from cdi.kube.cdi_resources import VOLUME_CLONE_SOURCES
from cdi.kube.client import Client
from cdi.kube.store import Store


async def part(client: Client, made: Store[VolumeCloneSource], volume: DataVolume) -> None:
    """By the name, which has the uid of the DataVolume, and by what the object says of whose it is."""
    metadata, filling = volume.metadata, filling_of(volume)
    if filling is None:
        return
    place = f"{metadata.namespace}/{metadata.name}"
    for source in made.by(NAMED, filling.source_name(metadata.uid)):
        if is_own(source, metadata.uid, place):
            found = source.metadata
            await client.delete(VOLUME_CLONE_SOURCES, found.name, found.namespace, uid=found.uid)
