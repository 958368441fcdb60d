"""How large the claim of a clone is that names no size. Pure. The rules are the contract's.

A snapshot says its size, and so does a claim but for one thing: in a file system there is a disk that may be smaller
than the volume, and only a pod can look. What it saw is kept on the source, and counts while the source is as large.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cdi.api.datavolume import StorageSpec
from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.datavolume.observed import Observed
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.rendering import ClaimNotValid

_BLOCK, _FILESYSTEM = "Block", "Filesystem"


class Look(Enum):
    """A pod has to look into the source."""

    NEEDED = "needed"


@dataclass(frozen=True, slots=True)
class Size:
    """``size``: bytes of what is cloned, 0 where the DataVolume's own size counts. ``inflates``: a file system of the
    target takes some more. ``is_permissive``: the sizes of the claims need not be compared."""

    size: int = 0
    inflates: bool = False
    is_permissive: bool = False


def clone_size(seen: Observed) -> Size | Look:
    """Raises ClaimNotValid where nobody can know. The source exists."""
    clone, storage = seen.clone, seen.volume.spec.storage
    if storage is None or clone is None:
        return Size()
    given = "storage" in storage.resources.requests
    if clone.snapshot is not None:
        return Size() if given else _of_snapshot(seen)
    if clone.claim is None:
        return Size()
    return _of_claim(storage, clone.claim, given=given)


def _of_claim(storage: StorageSpec, source: PersistentVolumeClaim, *, given: bool) -> Size | Look:
    mode = source.spec.volume_mode or _FILESYSTEM
    capacity = size_or_none(source.status.capacity.get("storage", "0")) or 0
    holds_disk = mode == _FILESYSTEM and source.metadata.annotations.get(a.CONTENT_TYPE) == "kubevirt"
    if given and not (holds_disk and storage.given_mode == _BLOCK):
        return Size()
    found = capacity
    if holds_disk:
        known = known_size(source)
        if known is None:
            return Look.NEEDED
        found = known
    if given:
        asked = size_or_none(str(storage.resources.requests["storage"])) or 0
        return Size(is_permissive=asked >= found)
    if not capacity:
        raise ClaimNotValid("cannot detect the required pvc size", "wait until the source claim is bound")
    return Size(found, inflates=True, is_permissive=capacity > found)


def _of_snapshot(seen: Observed) -> Size:
    clone = seen.clone
    status = clone.snapshot.status if clone is not None and clone.snapshot is not None else None
    size = size_or_none(status.restore_size or "0") if status is not None else None
    if not size:
        raise ClaimNotValid("cannot detect the required pvc size", "set spec.storage.resources.requests.storage")
    mode = clone.content.spec.source_volume_mode if clone is not None and clone.content is not None else None
    return Size(size, inflates=mode == _BLOCK)


def known_size(source: PersistentVolumeClaim) -> int | None:
    """Bytes of the disk as a pod saw it, while the volume has the capacity that it had then, and never more than
    that: whoever may edit the source may write it."""
    annotations, capacity = source.metadata.annotations, source.status.capacity.get("storage", "")
    seen, held = a.count_of_bytes(annotations.get(a.VIRTUAL_SIZE, "")), size_or_none(capacity or "0") or 0
    if not seen or not capacity or annotations.get(a.SOURCE_CAPACITY) != capacity:
        return None
    return min(seen, held)
