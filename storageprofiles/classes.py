"""Storage classes as the profiles see them: the default one, and the profile of one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from storageprofiles.capabilities import capabilities
from storageprofiles.rendering import ClaimNotValid, ClaimPropertySet, Profile

VIRT_DEFAULT = "storageclass.kubevirt.io/is-default-virt-class"
KUBERNETES_DEFAULT = "storageclass.kubernetes.io/is-default-class"
ZEROED = "cdi.kubevirt.io/new-volumes-are-zeroed"  # ours, of a StorageClass: "true" or "false"
_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


@dataclass(frozen=True, slots=True)
class StorageClass:
    """``created``: RFC 3339 in UTC, so that texts compare as times do."""

    name: str
    provisioner: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: str = ""


def default_class(classes: Iterable[StorageClass], *, archive: bool = False) -> StorageClass | None:
    """The class of a claim that names none: virt default (disks only), else Kubernetes' default."""
    known = list(classes)
    keys = (KUBERNETES_DEFAULT,) if archive else (VIRT_DEFAULT, KUBERNETES_DEFAULT)
    return next((found for key in keys if (found := _annotated(known, key))), None)


def new_volumes_are_zeroed(storage_class: StorageClass) -> bool:
    """Whether new block volumes of the class are known to read as zeroes. An administrator's word counts most.

    Encryption in the volume's own device makes noise of zeroes that were never written through it.
    """
    said = storage_class.annotations.get(ZEROED)
    if said is not None:
        return said.lower() == "true"
    is_encrypted = any("encrypt" in key.lower() and value.lower() != "false" for key, value in _given(storage_class))
    return capabilities(storage_class.provisioner, storage_class.parameters).zeroed and not is_encrypted


def _given(storage_class: StorageClass) -> Iterable[tuple[str, str]]:
    return ((key, value) for key, value in storage_class.parameters.items() if value)


def _annotated(classes: list[StorageClass], key: str) -> StorageClass | None:
    """The newest of those that carry the annotation; of equally old ones the first by name."""
    marked = sorted((item for item in classes if item.annotations.get(key) == "true"), key=lambda item: item.name)
    return max(marked, key=lambda item: item.created, default=None)


def profile_of(
    storage_class: StorageClass,
    spec: tuple[ClaimPropertySet, ...] = (),
    *,
    overhead: str = "0.06",
    volumes: Iterable[tuple[str, str]] = (),
) -> Profile:
    """The profile: what a user wrote in ``spec`` replaces all that is known of the provisioner.

    ``volumes``: (access mode, volume mode) of the class's existing PVs, the only evidence for a class without a
    provisioner. Raises ClaimNotValid for sets that are not complete.
    """
    check_sets(spec)
    known = capabilities(storage_class.provisioner, storage_class.parameters)
    sets = spec or known.sets
    if not sets and storage_class.provisioner == "kubernetes.io/no-provisioner":
        sets = tuple(ClaimPropertySet((mode,), volume) for mode, volume in dict.fromkeys(volumes))
    return Profile(storage_class.name, sets, overhead, known.minimum_size)


def check_sets(sets: Iterable[ClaimPropertySet]) -> None:
    """Raises ClaimNotValid for a set of a StorageProfile's spec that cannot be used."""
    for item in sets:
        if not item.access_modes or item.volume_mode not in ("Block", "Filesystem"):
            raise ClaimNotValid("a claimPropertySet needs accessModes and a volumeMode (Block or Filesystem)")
        if any(mode not in _ACCESS_MODES for mode in item.access_modes):
            raise ClaimNotValid(f"Illegal AccessMode: {', '.join(item.access_modes)}")
