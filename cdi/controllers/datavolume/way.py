"""Whether a populator fills the claim of a DataVolume, or a worker the claim itself. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.classes import plain
from cdi.controllers.datavolume.claim import claim_spec, wants_preallocation
from cdi.controllers.datavolume.observed import Observed
from storageprofiles.classes import new_volumes_are_zeroed


def uses_populator(seen: Observed) -> bool:
    """Once decided it stays: the claim is made for it. Raises ClaimNotValid."""
    said = seen.volume.metadata.annotations.get(a.USE_POPULATOR)
    if said is not None:
        return said.lower() in ("true", "t", "1")
    return seen.has_driver and not _is_done_when_made(seen)


def _is_done_when_made(seen: Observed) -> bool:
    """An empty disk on a class whose new block volumes are zeroed: another claim would only count twice in a quota.
    Whether the volume is new is seen when the claim has one; a worker writes to it then if it is not."""
    source, storage_class = seen.volume.spec.source, seen.storage_class
    if source is None or source.blank is None or storage_class is None or wants_preallocation(seen):
        return False
    return new_volumes_are_zeroed(plain(storage_class)) and claim_spec(seen).get("volumeMode") == "Block"
