"""How a DataVolume would be cloned on a cluster: by what its objects say now, with what its controller decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from cdi.api import cdiconfig
from cdi.api.datavolume import Clone, DataVolume
from cdi.base.faults import Fault
from cdi.contract.systems import active_of
from cdi.controllers.claims.clone_record import clone_of
from cdi.controllers.classes import plain, profile
from cdi.controllers.cluster import Cluster, cluster_of
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.cloning import preview
from cdi.controllers.datavolume.filling import filling_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.origin import Origin, origin_of
from cdi.kube import errors
from cdi.kube.cdi_resources import CDI_CONFIGS, CDIS, STORAGE_PROFILES
from cdi.kube.client import Client
from cdi.kube.resources import (
    CLAIMS,
    CSI_DRIVERS,
    SNAPSHOT_CLASSES,
    SNAPSHOT_CONTENTS,
    SNAPSHOTS,
    STORAGE_CLASSES,
    VOLUMES,
    Resource,
)
from cdi.kube.storage import StorageClass, VolumeSnapshotClass
from storageprofiles.classes import default_class
from storageprofiles.clone import VALIDATION, Refusal
from storageprofiles.rendering import ClaimNotValid

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outlook:
    """``clone``: None while not everything is known that decides. ``fault``: why it would be refused."""

    clone: Clone | None = None
    fault: Fault | None = None


async def outlook(client: Client, volume: DataVolume) -> Outlook:
    """Raises what the client raises, and Fault CloneSourceMissing and ErrClaimNotValid."""
    origin, filling = origin_of(volume, None), filling_of(volume)
    if origin is None or filling is None:
        return Outlook()
    cluster = await _cluster(client)
    classes = {item.metadata.name: item for item in await client.list(STORAGE_CLASSES)}
    name = _class_name(volume, classes)
    storage_class = classes.get(name) if name else None
    known = await _found(client, STORAGE_PROFILES, name)
    found: dict[str, Any] = {"classes": classes, "snapshot_classes": await _snapshot_classes(client)}
    found |= await _source(client, origin)
    driver = storage_class.provisioner if storage_class else ""
    seen = Observed(
        volume=volume,
        storage_class=storage_class,
        named_class=name,
        profile=profile(known, cluster) if known else None,
        has_driver=bool(driver) and await client.find(CSI_DRIVERS, driver) is not None,
        cluster=cluster,
        clone=Cloned(origin=origin, target_profile=known, **found),
    )
    try:
        plan = preview(seen, filling)
    except ClaimNotValid as refused:
        raise Fault("ErrClaimNotValid", contract=str(refused)) from refused
    if isinstance(plan, Refusal):
        fault = Fault(plan.code, contract=VALIDATION.rstrip(), detail=plan.text)
        return Outlook(clone_of(plan) if plan.rejected else None, fault)
    return Outlook(clone_of(plan) if plan is not None else None)


async def _found(client: Client, resource: Resource[T], name: str | None) -> T | None:
    """Of a kind without namespaces."""
    if not name:
        return None
    found: T | None = await client.find(resource, name)
    return found


async def _cluster(client: Client) -> Cluster:
    """Who may not read the CDI object learns nothing of an override."""
    try:
        system = active_of(await client.list(CDIS))
    except errors.Forbidden:
        system = None
    config = await client.find(CDI_CONFIGS, cdiconfig.NAME)
    return cluster_of(config, system)


def _class_name(volume: DataVolume, classes: dict[str, StorageClass]) -> str | None:
    said = volume.spec.target.storage_class_name
    if said is not None:
        return said
    found = default_class(map(plain, classes.values()), archive=volume.spec.is_archive)
    return found.name if found else None


async def _snapshot_classes(client: Client) -> tuple[VolumeSnapshotClass, ...]:
    try:
        return tuple(await client.list(SNAPSHOT_CLASSES))
    except errors.NotFound:  # the snapshot API is not installed
        return ()


async def _source(client: Client, origin: Origin) -> dict[str, Any]:
    if origin.is_snapshot:
        return await _snapshot(client, origin)
    claim = await client.find(CLAIMS, origin.name, origin.namespace)
    if claim is None:
        raise Fault("CloneSourceMissing", source=str(origin))
    volume = await _found(client, VOLUMES, claim.spec.volume_name)
    known = await _found(client, STORAGE_PROFILES, claim.spec.storage_class_name)
    return {"claim": claim, "volume": volume, "profile": known}


async def _snapshot(client: Client, origin: Origin) -> dict[str, Any]:
    snapshot = await client.find(SNAPSHOTS, origin.name, origin.namespace)
    if snapshot is None:
        raise Fault("CloneSourceMissing", source=str(origin))
    bound = snapshot.status.bound_volume_snapshot_content_name if snapshot.status else None
    return {"snapshot": snapshot, "content": await _found(client, SNAPSHOT_CONTENTS, bound)}
