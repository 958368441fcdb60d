"""What to do with a volume now. Pure: no clock, no files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cdi.api.datavolume import DataVolume
from cdi.base.faults import Fault
from cdi.base.units import parse_quantity
from storageprofiles.rendering import LOCAL_DIR, Claim, ClaimNotValid, Profile, render


class Action(Enum):
    NOTHING = "nothing"  # it is populated already
    START = "start"
    AWAIT_SOURCE = "await source"  # a clone whose source is being made in this run


@dataclass(frozen=True, slots=True)
class Observed:
    """``earlier``: the object as an earlier run left it. ``source_ready``: of a clone; None when it is nowhere."""

    volume: DataVolume
    earlier: DataVolume | None = None
    disk_exists: bool = False
    source_ready: bool | None = True


def decide(seen: Observed) -> Action:
    """Raises Fault for a change of what is populated, a missing clone source, and claims the class cannot serve."""
    claim_of(seen.volume)
    if seen.earlier is not None and seen.disk_exists and seen.earlier.status.phase == "Succeeded":
        if seen.earlier.spec != seen.volume.spec:
            name = f"{seen.volume.metadata.namespace}/{seen.volume.metadata.name}"
            detail = f"it is populated already, and its spec cannot be changed: cdi delete dv {name} to make it anew"
            raise Fault("ManifestInvalid", where=f"DataVolume {name}", detail=detail)
        return Action.NOTHING
    source = seen.volume.spec.source
    if source is not None and source.pvc is not None and not seen.source_ready:
        if seen.source_ready is None:
            raise Fault("CloneSourceMissing", source=f"{source.pvc.namespace}/{source.pvc.name}")
        return Action.AWAIT_SOURCE
    return Action.START


def claim_of(volume: DataVolume, profile: Profile = LOCAL_DIR) -> Claim:
    """The claim as it is rendered for the one class there is. ``size`` 0: as large as the clone's source."""
    spec = volume.spec
    wanted = spec.pvc or spec.storage
    assert wanted is not None, "validated"
    name = f"DataVolume {volume.metadata.name}"
    if wanted.storage_class_name not in (None, "", profile.storage_class):
        detail = f"there is no storage class {wanted.storage_class_name!r} here: use {profile.storage_class}"
        raise Fault("ManifestUnsupported", where=name, detail=detail)
    size = parse_quantity(str(wanted.resources.requests.get("storage", 0)))
    claim = Claim(profile.storage_class, tuple(wanted.access_modes), wanted.volume_mode, size)
    if spec.pvc is not None:
        return claim
    try:
        return render(claim, profile, archive=spec.is_archive)
    except ClaimNotValid as error:
        raise Fault("ManifestInvalid", where=name, detail=str(error)) from error
