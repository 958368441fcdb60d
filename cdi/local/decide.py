"""What to do with a volume now. Pure: no clock, no files.

populated ------------------------------------> NOTHING (a changed manifest is refused)
worker of a killed run still ends ------------> AWAIT_WORKER
clone: source being made in this run ---------> AWAIT_SOURCE
clone: source nowhere ------------------------> NO_SOURCE
otherwise ------------------------------------> START
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cdi.api.datavolume import DataVolume
from cdi.api.validation import same_spec
from cdi.base.faults import Fault
from cdi.base.units import format_quantity, parse_quantity
from storageprofiles.rendering import LOCAL_DIR, Claim, ClaimNotValid, Profile, render


class Action(Enum):
    NOTHING = "nothing"
    START = "start"
    AWAIT_SOURCE = "await source"
    AWAIT_WORKER = "await worker"
    NO_SOURCE = "no source"


class Readiness(Enum):
    """Of the volume that is cloned."""

    ABSENT = "absent"
    COMING = "coming"  # in this run
    READY = "ready"


@dataclass(frozen=True, slots=True)
class CloneSource:
    readiness: Readiness
    volume: DataVolume | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """``earlier``: the object as an earlier run left it. ``source``: of a clone."""

    volume: DataVolume
    earlier: DataVolume | None = None
    disk_exists: bool = False
    worker_lives: bool = False
    source: CloneSource | None = None
    profile: Profile = LOCAL_DIR


def decide(seen: Observed) -> Action:
    """Raises Fault for what another attempt would not change: see ``_refuse``."""
    claim = claim_of(seen.volume, seen.profile)
    if _is_populated(seen):
        return Action.NOTHING
    if seen.worker_lives:
        return Action.AWAIT_WORKER
    if seen.source is not None:
        _refuse_unfit_source(seen.volume, claim, seen.source, seen.profile)
        match seen.source.readiness:
            case Readiness.ABSENT:
                return Action.NO_SOURCE
            case Readiness.COMING:
                return Action.AWAIT_SOURCE
    return Action.START


def _is_populated(seen: Observed) -> bool:
    """A disk gets its name when it is whole, so where it is, it is: also when the run died before it could note that.
    The directory of an archive is there from the start.
    """
    if not seen.disk_exists:
        return False
    name = f"{seen.volume.metadata.namespace}/{seen.volume.metadata.name}"
    if seen.earlier is None:
        raise Fault("TargetExists", target=f"a disk of {name}, which no run has made,")
    if seen.earlier.spec.is_archive and seen.earlier.status.phase != "Succeeded":
        return False
    if not same_spec(seen.earlier.spec, seen.volume.spec):
        detail = f"it is populated already, and its spec cannot be changed: cdi delete dv {name} to make it anew"
        raise Fault("ManifestInvalid", where=f"DataVolume {name}", detail=detail)
    return True


def _refuse_unfit_source(volume: DataVolume, claim: Claim, source: CloneSource, profile: Profile) -> None:
    """The contract's validation of clones: equal content, and room for the source's size."""
    if source.volume is None:
        return
    name = f"DataVolume {volume.metadata.name}"
    if source.volume.spec.is_archive or volume.spec.is_archive:
        detail = "a clone of an archive's directory needs a cluster"
        raise Fault("ManifestUnsupported", where=name, detail=detail)
    try:
        needed = claim_of(source.volume, profile).size
    except Fault:  # the source's own volume tells what is wrong with it
        return
    if claim.size and claim.size < needed:
        suggested = format_quantity(needed)
        raise Fault(
            "TargetTooSmall",
            contract="The clone doesn't meet the validation requirements:",
            needed=needed,
            available=claim.size,
            overhead="",
            suggested=suggested,
        )


def claim_of(volume: DataVolume, profile: Profile = LOCAL_DIR) -> Claim:
    """The claim as it is rendered for the one class there is, whichever was asked for. ``size`` 0: as large as the
    clone's source."""
    spec = volume.spec
    name = f"DataVolume {volume.metadata.name}"
    try:
        size = parse_quantity(str(spec.target.resources.requests.get("storage", 0)))
    except ValueError as error:
        raise Fault("ManifestInvalid", where=name, detail=str(error)) from error
    claim = Claim(profile.storage_class, tuple(spec.target.access_modes), spec.target.given_mode, size)
    if spec.pvc is None:
        try:
            claim = render(claim, profile, archive=spec.is_archive)
        except ClaimNotValid as error:
            raise Fault("ManifestInvalid", where=name, detail=str(error)) from error
    if claim.volume_mode == "Block":
        raise Fault("ManifestUnsupported", where=name, detail="volumeMode Block: the class local-dir holds files")
    return claim
