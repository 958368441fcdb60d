"""/pvc-mutate: a claim that asks for it is completed from the profile of its class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from cdi.api.datavolume import FROM_PROFILE
from cdi.apiserver import claim_size
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, Answer, Request, broken
from cdi.contract import annotations as a
from cdi.controllers.classes import plain, profile, sets_of_volumes
from cdi.controllers.cluster import Cluster, cluster_of
from cdi.controllers.datavolume.claim import NO_CLASS
from cdi.kube.cdi_resources import CDI_CONFIGS, STORAGE_PROFILES
from cdi.kube.resources import STORAGE_CLASSES, VOLUMES
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.classes import default_class
from storageprofiles.rendering import Claim, ClaimNotValid, ClaimPropertySet, Profile, render


async def mutate(request: Request, lookup: Lookup) -> Answer:
    claim = decoded(request.object, PersistentVolumeClaim)
    if claim.metadata.labels.get(a.APPLY_PROFILE) != "true":
        return ALLOWED
    if not claim.metadata.namespace:
        claim = msgspec.structs.replace(
            claim, metadata=msgspec.structs.replace(claim.metadata, namespace=request.namespace)
        )
    config = await lookup.find(CDI_CONFIGS, "config")
    cluster = cluster_of(config, None)
    if not cluster.webhook_rendering:
        return ALLOWED
    try:
        return _patched(request, claim, await _rendered(claim, lookup, cluster))
    except ClaimNotValid as refused:
        return broken(refused.text)


async def _rendered(claim: PersistentVolumeClaim, lookup: Lookup, cluster: Cluster) -> Claim:
    archive = claim.metadata.annotations.get(a.CONTENT_TYPE) == "archive"
    found = await _profile(claim, lookup, cluster, archive=archive)
    if not (found.storage_class or found.sets or claim.spec.access_modes):
        raise ClaimNotValid(NO_CLASS)
    modes = Claim(found.storage_class, tuple(claim.spec.access_modes), _mode(claim), 0)
    if not claim_size.is_restored(claim) and not claim_size.is_clone(claim):
        return render(replace(modes, size=claim_size.stated(claim)), found, archive=archive)
    target = render(modes, found, archive=archive)
    if claim_size.is_restored(claim) or "storage" in claim.spec.resources.requests:
        return replace(target, size=0)
    return replace(target, size=await claim_size.of_clone(claim, target, lookup))


async def _profile(claim: PersistentVolumeClaim, lookup: Lookup, cluster: Cluster, *, archive: bool) -> Profile:
    """One without a name where there is no class: it knows what volumes of the class that was named can do."""
    name = claim.spec.storage_class_name
    if name is None:
        default = default_class(map(plain, await lookup.list(STORAGE_CLASSES)), archive=archive)
        if default is None:
            return Profile("", (), cluster.overhead(None, "Filesystem"))
        name = default.name
    elif not name or await lookup.find(STORAGE_CLASSES, name) is None:
        return Profile("", await _sets_of_volumes(name, claim, lookup), cluster.overhead(name, "Filesystem"))
    found = await lookup.find(STORAGE_PROFILES, name)
    if found is None:
        raise ClaimNotValid(f"cannot get StorageProfile {name}")
    return profile(found, cluster)


async def _sets_of_volumes(name: str, claim: PersistentVolumeClaim, lookup: Lookup) -> tuple[ClaimPropertySet, ...]:
    """Those that fit: where none does, the claim waits for one as it would for the class."""
    volumes = [item for item in await lookup.list(VOLUMES) if item.spec.storage_class_name == name]
    return tuple(item for item in sets_of_volumes(volumes) if _mode(claim) in ("", item.volume_mode))


def _mode(claim: PersistentVolumeClaim) -> str:
    """Empty where the profile decides."""
    return "" if claim.spec.volume_mode in (None, FROM_PROFILE) else str(claim.spec.volume_mode)


class _Whole(msgspec.Struct):
    """Of a claim: with members that this version does not know."""

    spec: dict[str, Any] = {}


def _patched(request: Request, claim: PersistentVolumeClaim, rendered: Claim) -> Answer:
    """A size of 0 leaves the claim's as it is."""
    spec = decoded(request.object, _Whole).spec
    spec |= {"accessModes": list(rendered.access_modes), "volumeMode": rendered.volume_mode or "Filesystem"}
    if claim.spec.storage_class_name is None and rendered.storage_class:
        spec["storageClassName"] = rendered.storage_class
    if rendered.size:
        resources = spec.get("resources") or {}
        requests = {**(resources.get("requests") or {}), "storage": str(rendered.size)}
        spec["resources"] = {**resources, "requests": requests}
    return Answer(patch=({"op": "replace", "path": "/spec", "value": spec},))
