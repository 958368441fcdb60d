"""From the stores to what is known of a clone."""

from __future__ import annotations

from dataclasses import replace

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.api.populators import CLONE_KIND, VolumeCloneSource
from cdi.api.storageprofile import StorageProfile
from cdi.contract import annotations as a
from cdi.controllers.claims.indexes import PROVIDED, USED, claims_of, driver_of, provisioner_of
from cdi.controllers.claims.stores import Snapshots, Stores
from cdi.controllers.datavolume import detection
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.cloning import is_own
from cdi.controllers.datavolume.filling import filling_of
from cdi.controllers.datavolume.origin import Origin, origin_of, why_not
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Store
from cdi.trust.clone_rights import Verify, has_lasting, is_permitted

NAMED = "named"  # index of VolumeCloneSources by name: they stand in other namespaces than their DataVolume


class CloneObserver:
    def __init__(
        self,
        stores: Stores,
        profiles: Store[StorageProfile],
        referred: Store[DataSource],
        snapshots: Snapshots,
        verify: Verify,
    ) -> None:
        self._stores = stores
        self._profiles = profiles
        self._referred = referred
        self._snapshots = snapshots
        self._verify = verify
        self._made: Store[VolumeCloneSource] = stores.sources[CLONE_KIND]
        self._made.index(NAMED, _name)
        stores.pods.index(USED, claims_of)
        stores.classes.index(PROVIDED, provisioner_of)
        snapshots.classes.index(PROVIDED, driver_of)

    def observe(self, volume: DataVolume, claim: PersistentVolumeClaim | None, class_name: str | None) -> Cloned:
        """``claim``: of the DataVolume's name; while there is none, all is looked up that decides about it."""
        referred = self._reference(volume)
        origin = origin_of(volume, referred)
        found = Cloned(origin=origin, sources=self._sources(volume))
        if origin is None:
            return replace(found, trouble=why_not(volume, referred))
        found = self._vouched(found, origin, volume, claim)
        return found if claim is not None else self._looked_up(found, origin, class_name)

    def _reference(self, volume: DataVolume) -> DataSource | None:
        reference = volume.spec.source_ref
        if reference is None:
            return None
        return self._referred.get(reference.name, reference.namespace or volume.metadata.namespace)

    def _sources(self, volume: DataVolume) -> tuple[VolumeCloneSource, ...]:
        filling, metadata = filling_of(volume), volume.metadata
        named = self._made.by(NAMED, filling.source_name(metadata.uid)) if filling is not None else []
        place = f"{metadata.namespace}/{metadata.name}"
        return tuple(item for item in named if is_own(item, metadata.uid, place))

    def _vouched(
        self, found: Cloned, origin: Origin, volume: DataVolume, claim: PersistentVolumeClaim | None
    ) -> Cloned:
        metadata = volume.metadata
        permit = origin.permit(metadata.namespace, metadata.name, metadata.uid)
        permitted = is_permitted(permit, metadata.annotations, self._verify)
        lasting = has_lasting(permit, metadata.annotations, self._verify)
        found = replace(found, is_permitted=permitted, is_lasting=lasting)
        if claim is None:
            return found
        own = origin.permit(claim.metadata.namespace, claim.metadata.name, claim.metadata.uid)
        return replace(found, claim_is_lasting=has_lasting(own, claim.metadata.annotations, self._verify))

    def _looked_up(self, found: Cloned, origin: Origin, class_name: str | None) -> Cloned:
        profile = self._profiles.get(class_name) if class_name else None
        found = replace(found, target_profile=profile)
        if origin.is_snapshot:
            found = self._snapshot(found, origin)
        else:
            claim = self._stores.claims.get(origin.name, origin.namespace)
            found = found if claim is None or claim.metadata.deletion_timestamp else self._claim(found, claim)
        return self._classes(found, class_name)

    def _classes(self, found: Cloned, class_name: str | None) -> Cloned:
        """Those of the two claims, and what serves the driver of a snapshot."""
        names = {class_name or "", found.claim.spec.storage_class_name or "" if found.claim else ""}
        classes = [item for name in names if (item := self._stores.classes.get(name)) is not None]
        drivers = {item.provisioner for item in classes}
        if found.content is not None:
            classes += self._stores.classes.by(PROVIDED, found.content.spec.driver)
        snapshots = [item for driver in sorted(drivers) for item in self._snapshots.classes.by(PROVIDED, driver)]
        named = {item.metadata.name: item for item in classes}
        return replace(found, classes=named, snapshot_classes=tuple(snapshots))

    def _snapshot(self, found: Cloned, origin: Origin) -> Cloned:
        snapshot = self._snapshots.taken.get(origin.name, origin.namespace)
        status = snapshot.status if snapshot is not None else None
        bound = status.bound_volume_snapshot_content_name if status is not None else None
        return replace(found, snapshot=snapshot, content=self._snapshots.contents.get(bound) if bound else None)

    def _claim(self, found: Cloned, claim: PersistentVolumeClaim) -> Cloned:
        pods = self._stores.pods.by(USED, f"{claim.metadata.namespace}/{claim.metadata.name}")
        own = detection.name_of(claim)
        users = [
            f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in pods if _uses(pod) and pod.metadata.name != own
        ]
        return replace(
            found,
            claim=claim,
            volume=self._stores.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None,
            profile=self._profiles.get(claim.spec.storage_class_name or ""),
            is_populated=self._is_populated(claim),
            users=tuple(sorted(users)),
            detection=self._stores.pods.get(own, claim.metadata.namespace),
        )

    def _is_populated(self, claim: PersistentVolumeClaim) -> bool:
        """Bound, and no DataVolume is still at work on it."""
        uid, metadata = claim.metadata.controller_uid, claim.metadata
        owner = self._stores.datavolumes.get(metadata.name, metadata.namespace)
        is_owned = owner is not None and owner.metadata.uid == uid
        is_done = owner is not None and owner.status.phase == Phase.SUCCEEDED
        return claim.status.phase == "Bound" and (is_done or not is_owned)


def _name(source: VolumeCloneSource) -> list[str]:
    return [source.metadata.name]


def _uses(pod: Pod) -> bool:
    is_cloner = pod.metadata.labels.get(a.COMPONENT) == a.CLONE_SOURCE
    return pod.status.phase not in ("Succeeded", "Failed") and not is_cloner
