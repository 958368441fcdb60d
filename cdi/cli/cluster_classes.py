"""The storage classes of a cluster with what their profiles say. Pure."""

from __future__ import annotations

from cdi.api.storageprofile import StorageProfile
from cdi.cli.class_row import ClassRow
from cdi.controllers.classes import is_assumed
from cdi.controllers.cluster import Cluster
from cdi.kube.storage import StorageClass
from storageprofiles.classes import KUBERNETES_DEFAULT, VIRT_DEFAULT

_SHORT = {"ReadWriteOnce": "RWO", "ReadWriteMany": "RWX", "ReadOnlyMany": "ROX", "ReadWriteOncePod": "RWOP"}
_CONTROLLER = "is the controller running? (kubectl get pods -n cdi)"


def rows(classes: list[StorageClass], profiles: list[StorageProfile], cluster: Cluster) -> list[ClassRow]:
    known = {profile.metadata.name: profile for profile in profiles}
    ordered = sorted(classes, key=lambda item: item.metadata.name)
    return [_row(item, known.get(item.metadata.name), cluster) for item in ordered]


def _row(item: StorageClass, profile: StorageProfile | None, cluster: Cluster) -> ClassRow:
    annotations = item.metadata.annotations
    status = profile.status if profile is not None else None
    modes = [
        f"{','.join(_SHORT.get(mode, mode) for mode in each.access_modes)}/{each.volume_mode}"
        for each in (status.claim_property_sets if status else [])
    ]
    said = profile is not None and bool(profile.spec.claim_property_sets)
    return ClassRow(
        name=item.metadata.name,
        provisioner=item.provisioner,
        is_default="true" in (annotations.get(VIRT_DEFAULT), annotations.get(KUBERNETES_DEFAULT)),
        binding=item.volume_binding_mode or "Immediate",
        modes=tuple(modes),
        clone=(status.clone_strategy if status else None) or "",
        snapshot_class=(status.snapshot_class if status else None) or "",
        origin="StorageProfile.spec" if said else "known provisioner" if modes else "unknown",
        problems=_problems(item, profile, cluster),
    )


def _problems(item: StorageClass, profile: StorageProfile | None, cluster: Cluster) -> tuple[str, ...]:
    name = item.metadata.name
    if profile is None:
        return (f"{name} has no StorageProfile: {_CONTROLLER}",)
    if not profile.status.provisioner:
        return (f"StorageProfile {name} says nothing yet: {_CONTROLLER}",)
    if profile.status.claim_property_sets:
        return ()
    what = f"{name}: provisioner {item.provisioner} is not known; "
    what += "RWO/Filesystem is assumed." if is_assumed(profile, cluster) else "a DataVolume has to state accessModes."
    return (f"{what} Say what it can do: kubectl edit storageprofile {name} (spec.claimPropertySets)",)
