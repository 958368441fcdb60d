"""The claim that a DataVolume makes, and the source object beside it. Pure."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from cdi.api.datavolume import FROM_PROFILE, GROUP, StorageSpec
from cdi.base.units import MiB, parse_quantity
from cdi.contract import annotations as a
from cdi.contract.ownership import owner_reference
from cdi.controllers.datavolume.filling import Filling
from cdi.controllers.datavolume.observed import Observed
from cdi.sources.request import asked_of
from storageprofiles.rendering import Claim, ClaimNotValid, Profile, render
from storageprofiles.sizes import required

NO_CLASS = "PVC spec is missing accessMode and no storageClass to choose profile"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def claim_body(
    seen: Observed, populator: Filling | None, static: str = "", *, size: int = 0, inflates: bool = False
) -> dict[str, Any]:
    """Raises ClaimNotValid. ``populator``: what fills it, where a populator does. ``static``: JSON list of volumes, one
    of which is taken as it is. ``size``, ``inflates``: as in ``claim_spec``."""
    spec = claim_spec(seen, size=size, inflates=inflates)
    volume = seen.volume
    if populator and not static:
        name = populator.source_name(seen.uid)
        spec["dataSourceRef"] = {"apiGroup": GROUP, "kind": populator.source_kind, "name": name}
    labels = volume.metadata.labels | a.APP | dict(seen.settings.labels)
    if spec.get("volumeMode") != "Block":
        labels |= a.NO_FILLING_ALERT
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": volume.metadata.name,
            "namespace": volume.metadata.namespace,
            "labels": labels,
            "annotations": _annotations(seen, populator=populator is not None, static=static),
            "ownerReferences": [owner_of(seen)],
        },
        "spec": spec,
    }


def wants_preallocation(seen: Observed) -> bool:
    said = seen.volume.spec.preallocation
    return seen.cluster.preallocation if said is None else said


def owner_of(seen: Observed) -> dict[str, Any]:
    return owner_reference(f"{GROUP}/v1beta1", "DataVolume", seen.volume.metadata)


def _annotations(seen: Observed, *, populator: bool, static: str) -> dict[str, str]:
    volume, spec = seen.volume, seen.volume.spec
    found = {key: value for key, value in volume.metadata.annotations.items() if key not in _KEPT_BACK}
    found |= {
        a.POD_RESTARTS: "0",
        a.CONTENT_TYPE: "archive" if spec.is_archive else "kubevirt",
        a.PREALLOCATION_REQUESTED: "true" if wants_preallocation(seen) else "false",
        a.CREATED_FOR: seen.uid,
    }
    named = {a.PRIORITY_CLASS: spec.priority_class_name, a.SERVICE_ACCOUNT: spec.service_account_name}
    found |= {key: value for key, value in named.items() if value}
    if static:
        return found | {a.VOLUME_LIST: static}
    if populator:
        found[a.USE_POPULATOR] = "true"
    elif spec.source is not None:
        found |= asked_of(spec.source, volume.metadata.annotations)
        found |= {a.UPLOAD_TARGET: ""} if spec.source.upload is not None else {}
        found[a.USE_POPULATOR] = "false"
    if not seen.cluster.honors_consumers:
        found[a.IMMEDIATE] = ""
    return found


_KEPT_BACK = (a.POPULATED_FOR, a.VOLUME_LIST, _LAST_APPLIED)


def source_body(seen: Observed, filling: Filling) -> dict[str, Any]:
    metadata = {
        "name": filling.source_name(seen.uid),
        "namespace": seen.volume.metadata.namespace,
        "ownerReferences": [owner_of(seen)],
    }
    body = {"apiVersion": f"{GROUP}/v1beta1", "kind": filling.source_kind, "metadata": metadata}
    return body | {"spec": source_spec(seen)}


def source_spec(seen: Observed) -> dict[str, Any]:
    spec = seen.volume.spec
    wanted = seen.cluster.preallocation if spec.preallocation is None else spec.preallocation
    imported = {"source": to_builtins(spec.source)} if spec.source is not None and spec.source.upload is None else {}
    found: dict[str, Any] = imported | {"preallocation": wanted}
    return found | ({"contentType": spec.content_type} if spec.content_type else {})


def claim_spec(seen: Observed, *, size: int = 0, inflates: bool = False) -> dict[str, Any]:
    """``spec.pvc`` as it is, ``spec.storage`` completed from the profile. ``size``: bytes of what is cloned, where the
    DataVolume names no size; with ``inflates`` a file system gets room for itself."""
    spec = seen.volume.spec
    if spec.storage is None:
        return dict(to_builtins(spec.target))
    literal: dict[str, Any] = to_builtins(spec.storage)
    if seen.named_class is not None:
        literal["storageClassName"] = seen.named_class
    if seen.volume.metadata.labels.get(a.APPLY_PROFILE) == "true" and seen.cluster.webhook_rendering:
        return {"volumeMode": FROM_PROFILE, **literal}
    if spec.target.data_source_ref is not None or spec.target.data_source is not None:
        return literal | _modes(seen, spec.storage)
    if size:
        return literal | _sized(seen, spec.storage, size, inflates=inflates)
    wanted = _wanted(seen, spec.storage)
    rendered = _rendered(seen, wanted)
    requests = dict(spec.storage.resources.requests)
    if rendered.size != wanted.size:
        requests["storage"] = str(rendered.size)
    literal["resources"] = literal.get("resources", {}) | {"requests": requests}
    return literal | {"accessModes": list(rendered.access_modes), "volumeMode": rendered.volume_mode or "Filesystem"}


def _wanted(seen: Observed, storage: StorageSpec) -> Claim:
    try:
        size = parse_quantity(str(storage.resources.requests.get("storage", "0")))
    except ValueError as error:
        raise ClaimNotValid("PVC Spec is not valid - storage size", str(error)) from error
    if size < MiB:
        raise ClaimNotValid("PVC Spec is not valid - storage size should be at least 1MiB")
    return Claim(seen.named_class or "", tuple(storage.access_modes), storage.given_mode, size)


def _rendered(seen: Observed, wanted: Claim) -> Claim:
    if seen.profile is None:
        if not wanted.access_modes:
            raise ClaimNotValid(NO_CLASS)
        unknown = Profile(wanted.storage_class, (), seen.cluster.overhead(seen.named_class, "Filesystem"))
        return render(wanted, unknown, archive=seen.volume.spec.is_archive)
    return render(wanted, seen.profile, archive=seen.volume.spec.is_archive)


def _sized(seen: Observed, storage: StorageSpec, size: int, *, inflates: bool) -> dict[str, Any]:
    modes = _modes(seen, storage)
    overhead = seen.cluster.overhead(seen.named_class, modes["volumeMode"])
    asked = required(overhead, size) if inflates and modes["volumeMode"] != "Block" else size
    resources = {"requests": storage.resources.requests | {"storage": str(asked)}}
    limits = storage.resources.limits
    return modes | {"resources": resources | ({"limits": limits} if limits else {})}


def _modes(seen: Observed, storage: StorageSpec) -> dict[str, Any]:
    """Whoever else populates knows the size."""
    found = _rendered(seen, Claim(seen.named_class or "", tuple(storage.access_modes), storage.given_mode, MiB))
    return {"accessModes": list(found.access_modes), "volumeMode": found.volume_mode or "Filesystem"}
