"""The storage classes of a cluster with what their profiles say. Pure."""

from __future__ import annotations

from dataclasses import replace

from cdi.api.storageprofile import StorageProfile, StorageProfileStatus
from cdi.cli.class_row import ClassRow
from cdi.controllers.classes import is_assumed, plain
from cdi.controllers.cluster import Cluster
from cdi.kube.objects import Metadata
from cdi.kube.storage import StorageClass
from storageprofiles.capabilities import WITHOUT_DISKS
from storageprofiles.classes import default_class
from storageprofiles.legacy import NAME as LEGACY

_SHORT = {"ReadWriteOnce": "RWO", "ReadWriteMany": "RWX", "ReadOnlyMany": "ROX", "ReadWriteOncePod": "RWOP"}
_CONTROLLER = "is the controller running? (kubectl get pods -n cdi)"


def rows(classes: list[StorageClass] | None, profiles: list[StorageProfile], cluster: Cluster) -> list[ClassRow]:
    """``classes``: None where this user may not read them; their profiles, which everybody may read, stand for them."""
    known = {profile.metadata.name: profile for profile in profiles}
    found = [_implied(profile) for profile in profiles] if classes is None else classes
    plains = [plain(item) for item in found]
    defaults = tuple(
        chosen.name if (chosen := default_class(plains, archive=archive)) else "" for archive in (False, True)
    )
    ordered = sorted(found, key=lambda item: item.metadata.name)
    made = [_row(item, known.get(item.metadata.name), cluster) for item in ordered]
    if classes is None:
        return [replace(row, binding="") for row in made]
    return [
        replace(row, is_default=row.name == defaults[0], is_archive_default=row.name == defaults[1]) for row in made
    ]


def _implied(profile: StorageProfile) -> StorageClass:
    return StorageClass(metadata=Metadata(name=profile.metadata.name), provisioner=profile.status.provisioner or "")


def _row(item: StorageClass, profile: StorageProfile | None, cluster: Cluster) -> ClassRow:
    status = profile.status if profile is not None else None
    modes = [
        f"{','.join(_SHORT.get(mode, mode) for mode in each.access_modes)}/{each.volume_mode}"
        for each in (status.claim_property_sets if status else [])
    ]
    said = profile is not None and bool(profile.spec.claim_property_sets)
    return ClassRow(
        name=item.metadata.name,
        provisioner=item.provisioner,
        is_default=False,
        binding=item.volume_binding_mode or "Immediate",
        modes=tuple(modes),
        clone=(status.clone_strategy if status else None) or "",
        snapshot_class=(status.snapshot_class if status else None) or "",
        origin="StorageProfile.spec" if said else _origin(item, status) if modes and status else "unknown",
        problems=_problems(item, profile, cluster),
    )


def _origin(item: StorageClass, status: StorageProfileStatus) -> str:
    if any(condition.type == "Recognized" and condition.status == "True" for condition in status.conditions):
        return "known provisioner"
    return "existing volumes" if item.provisioner in WITHOUT_DISKS else LEGACY


def _problems(item: StorageClass, profile: StorageProfile | None, cluster: Cluster) -> tuple[str, ...]:
    name = item.metadata.name
    if profile is None:
        return (f"{name} has no StorageProfile: {_CONTROLLER}",)
    if not profile.status.provisioner:
        return (f"StorageProfile {name} says nothing yet: {_CONTROLLER}",)
    if profile.status.claim_property_sets:
        return ()
    if item.provisioner in WITHOUT_DISKS:
        return (f"{name}: no PersistentVolume of this class says what it can do; a DataVolume waits for one",)
    what = f"{name}: provisioner {item.provisioner} is not known; "
    what += "RWO/Filesystem is assumed." if is_assumed(profile, cluster) else "a DataVolume has to state accessModes."
    return (f"{what} Say what it can do: kubectl edit storageprofile {name} (spec.claimPropertySets)",)
