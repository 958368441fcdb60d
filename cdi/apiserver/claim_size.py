"""How large a claim must be: what it says, or, for a clone that says nothing, what is cloned."""

from __future__ import annotations

from cdi.api.populators import CLONE_KIND
from cdi.apiserver.decoding import QUANTITY
from cdi.apiserver.lookup import Lookup
from cdi.base.printable import excerpt
from cdi.base.units import MiB, parse_quantity
from cdi.contract import annotations as a
from cdi.kube.cdi_resources import VOLUME_CLONE_SOURCES
from cdi.kube.resources import CLAIMS, SNAPSHOTS
from cdi.kube.storage import PersistentVolumeClaim, TypedReference
from storageprofiles.rendering import Claim, ClaimNotValid

_UNKNOWN = "cannot detect the required pvc size"


def is_clone(claim: PersistentVolumeClaim) -> bool:
    reference = claim.spec.data_source_ref
    return reference is not None and (reference.api_group, reference.kind) == ("cdi.kubevirt.io", CLONE_KIND)


def is_restored(claim: PersistentVolumeClaim) -> bool:
    reference = claim.spec.data_source_ref or claim.spec.data_source
    return reference is not None and reference.kind == "VolumeSnapshot"


def stated(claim: PersistentVolumeClaim) -> int:
    """Bytes. Raises ClaimNotValid."""
    text = claim.spec.resources.requests.get("storage")
    if text is None:
        raise ClaimNotValid("PVC Spec is not valid - missing storage size")
    size = _bytes(text)
    if size < MiB:
        raise ClaimNotValid("PVC Spec is not valid - storage size should be at least 1MiB")
    return size


async def of_clone(claim: PersistentVolumeClaim, target: Claim, lookup: Lookup) -> int:
    """Bytes. ``target``: the claim with its class and modes. Raises ClaimNotValid, also for what is missing."""
    reference = claim.spec.data_source_ref or TypedReference()
    place = claim.metadata.annotations.get(a.DATA_SOURCE_NAMESPACE) or claim.metadata.namespace
    clone = await lookup.find(VOLUME_CLONE_SOURCES, reference.name, place)
    if clone is None:
        raise ClaimNotValid(f'volumeclonesources.cdi.kubevirt.io "{reference.name}" not found')
    source = clone.spec.source
    match source.kind:
        case "VolumeSnapshot":
            return await _of_snapshot(source.name, place, lookup)
        case "PersistentVolumeClaim":
            found = await lookup.find(CLAIMS, source.name, place)
            if found is None:
                raise ClaimNotValid(f'persistentvolumeclaims "{source.name}" not found')
            return _of_claim(found, claim, target)
    raise ClaimNotValid(f"unsupported volumeCloneSource source {source.kind}")


async def _of_snapshot(name: str, namespace: str, lookup: Lookup) -> int:
    found = await lookup.find(SNAPSHOTS, name, namespace)
    if found is None:
        raise ClaimNotValid(f'volumesnapshots.snapshot.storage.k8s.io "{name}" not found')
    if found.status is None or not found.status.restore_size:
        raise ClaimNotValid(_UNKNOWN)
    return _bytes(found.status.restore_size)


def _of_claim(source: PersistentVolumeClaim, claim: PersistentVolumeClaim, target: Claim) -> int:
    if source.spec.storage_class_name is None:
        raise ClaimNotValid("cannot get source pvc storage class")
    mode, wanted = source.spec.volume_mode or "Filesystem", target.volume_mode or "Filesystem"
    holds_disk = source.metadata.annotations.get(a.CONTENT_TYPE) == "kubevirt"
    copied = claim.metadata.annotations.get(a.CLONE_TYPE) == "copy"
    if (mode, wanted) == ("Filesystem", "Block") and holds_disk and copied:
        raise ClaimNotValid(_UNKNOWN)  # the disk in it is smaller, and only a pod could look
    same = (source.spec.storage_class_name, mode) == (target.storage_class, wanted)
    found = (source.spec.resources.requests if same else source.status.capacity).get("storage")
    if found is None:
        raise ClaimNotValid(_UNKNOWN)
    return _bytes(found)


def _bytes(text: str) -> int:
    try:
        return parse_quantity(text)
    except ValueError:
        raise ClaimNotValid(f"{excerpt(text)}: {QUANTITY}") from None
