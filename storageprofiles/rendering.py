"""Rendering a claim: what a DataVolume leaves open is filled in from the profile of its storage class. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from storageprofiles.sizes import required


@dataclass(frozen=True, slots=True)
class ClaimPropertySet:
    """Access modes that work together with one volume mode, best first."""

    access_modes: tuple[str, ...]
    volume_mode: str = "Filesystem"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a storage class. ``overhead``: share of a Filesystem volume that is not usable, as ``0.06``."""

    storage_class: str
    sets: tuple[ClaimPropertySet, ...]
    overhead: str = "0.06"
    minimum_size: int = 0


# The class of `cdi run`: a directory, shared by whoever can see it; nothing of it is lost to a file system of its own.
LOCAL_DIR = Profile("local-dir", (ClaimPropertySet(("ReadWriteMany",)),), overhead="0")


@dataclass(frozen=True, slots=True)
class Claim:
    """What of a PersistentVolumeClaim decides about the disk. ``size``: bytes requested."""

    storage_class: str
    access_modes: tuple[str, ...]
    volume_mode: str
    size: int


class ClaimNotValid(ValueError):
    """The profile cannot complete the request. The message: the contract's ``text``, then ours, what to do."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(f"{text}: {remedy}" if remedy else text)
        self.text = text


def render(wanted: Claim, profile: Profile, *, archive: bool = False) -> Claim:
    """The claim for ``spec.storage``: modes completed, size raised by the overhead. Raises ClaimNotValid."""
    if archive and wanted.volume_mode == "Block":
        raise ClaimNotValid("ContentType Archive cannot have block volumeMode")
    modes = _complete(replace(wanted, volume_mode="Filesystem") if archive else wanted, profile)
    size = wanted.size if modes.volume_mode == "Block" else required(profile.overhead, wanted.size)
    return replace(modes, size=max(size, profile.minimum_size))


def _complete(wanted: Claim, profile: Profile) -> Claim:
    if wanted.access_modes and wanted.volume_mode:
        return wanted
    if wanted.access_modes:
        shared = (item for item in profile.sets if set(item.access_modes) & set(wanted.access_modes))
        found = next(shared, None)
        return replace(wanted, volume_mode=found.volume_mode if found else "Filesystem")
    fitting = [item for item in profile.sets if wanted.volume_mode in ("", item.volume_mode) and item.access_modes]
    if not fitting:
        name = profile.storage_class
        matching = "matching " if wanted.volume_mode else ""
        text = f"no {matching}accessMode specified in StorageProfile {name}"
        raise ClaimNotValid(text, "set spec.storage.accessModes")
    return replace(wanted, access_modes=fitting[0].access_modes, volume_mode=fitting[0].volume_mode)
