"""/pvc-mutate: a claim that asks for it is completed from the profile of its class."""

from __future__ import annotations

from typing import Any

import msgspec

from cdi.api.storageprofile import MINIMUM_SIZE
from cdi.apiserver.decoding import QUANTITY, decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, Answer, Request, broken
from cdi.base.units import MiB, parse_quantity
from cdi.controllers import annotations as a
from cdi.controllers.classes import plain
from cdi.controllers.cluster import DEFAULT_CLAIM_PROPERTIES, Cluster, cluster_of
from cdi.controllers.datavolume.claim import NO_CLASS
from cdi.kube.cdi_resources import CDI_CONFIGS, STORAGE_PROFILES
from cdi.kube.resources import STORAGE_CLASSES
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.classes import default_class
from storageprofiles.rendering import Claim, ClaimNotValid, ClaimPropertySet, Profile, render

_FROM_PROFILE = "FromStorageProfile"
_ANYTHING = (ClaimPropertySet(("ReadWriteOnce",)), ClaimPropertySet(("ReadWriteOnce",), "Block"))


async def mutate(request: Request, lookup: Lookup) -> Answer:
    claim = decoded(request.object, PersistentVolumeClaim)
    if claim.metadata.labels.get(a.APPLY_PROFILE) != "true":
        return ALLOWED
    config = await lookup.find(CDI_CONFIGS, "config")
    cluster = cluster_of(config, None)
    if not cluster.webhook_rendering:
        return ALLOWED
    archive = claim.metadata.annotations.get(a.CONTENT_TYPE) == "archive"
    name = claim.spec.storage_class_name or await _default(lookup, archive=archive)
    mode = "" if claim.spec.volume_mode in (None, _FROM_PROFILE) else str(claim.spec.volume_mode)
    profile = await _profile(lookup, name, cluster) if name else None
    if profile is None:
        if claim.spec.access_modes:
            return ALLOWED
        return broken(NO_CLASS if not name else f"cannot get StorageProfile {name}")
    try:
        wanted = Claim(profile.storage_class, tuple(claim.spec.access_modes), mode, _size(claim))
        return _patched(request, claim, render(wanted, profile, archive=archive))
    except ClaimNotValid as refused:
        return broken(str(refused))


def _size(claim: PersistentVolumeClaim) -> int:
    text = claim.spec.resources.requests.get("storage")
    if text is None:
        raise ClaimNotValid("PVC Spec is not valid - missing storage size")
    try:
        size = parse_quantity(text)
    except ValueError:
        raise ClaimNotValid(f"{text}: {QUANTITY}") from None
    if size < MiB:
        raise ClaimNotValid("PVC Spec is not valid - storage size should be at least 1MiB")
    return size


async def _default(lookup: Lookup, *, archive: bool) -> str:
    found = default_class(map(plain, await lookup.list(STORAGE_CLASSES)), archive=archive)
    return found.name if found else ""


async def _profile(lookup: Lookup, name: str, cluster: Cluster) -> Profile | None:
    found = await lookup.find(STORAGE_PROFILES, name)
    if found is None:
        return None
    sets = tuple(
        ClaimPropertySet(tuple(item.access_modes), item.volume_mode) for item in found.status.claim_property_sets
    )
    if not sets and DEFAULT_CLAIM_PROPERTIES in cluster.gates:
        sets = _ANYTHING
    minimum = found.metadata.annotations.get(MINIMUM_SIZE)
    overhead = cluster.overhead(name, "Filesystem")
    return Profile(name, sets, overhead, parse_quantity(minimum) if minimum else 0)


def _patched(request: Request, claim: PersistentVolumeClaim, rendered: Claim) -> Answer:
    spec: dict[str, Any] = msgspec.json.decode(request.object)["spec"]
    spec |= {"accessModes": list(rendered.access_modes), "volumeMode": rendered.volume_mode or "Filesystem"}
    if claim.spec.storage_class_name is None:
        spec["storageClassName"] = rendered.storage_class
    reference = claim.spec.data_source_ref or claim.spec.data_source
    if reference is None or reference.kind != "VolumeSnapshot":
        requests = {**spec.get("resources", {}).get("requests", {}), "storage": str(rendered.size)}
        spec["resources"] = {**spec.get("resources", {}), "requests": requests}
    return Answer(patch=({"op": "replace", "path": "/spec", "value": spec},))
