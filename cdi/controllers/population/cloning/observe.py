"""From the stores to what is known of a clone, and back: whom a change concerns."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

from cdi.api.populators import CLONE_KIND, VolumeCloneSource
from cdi.contract import annotations as a
from cdi.controllers.claims.clone_facts import claim_source, claim_target, cluster_facts, snapshot_source, wishes
from cdi.controllers.claims.finished import names_clone_source
from cdi.controllers.claims.indexes import PROVIDED, USED, claims_of, driver_of, provisioner_of
from cdi.controllers.claims.stores import Stores
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.cloning import names
from cdi.controllers.population.cloning.seen import Cloning, mark_of
from cdi.controllers.population.cloning.writers import writers
from cdi.controllers.population.kinds.receiving.kind import request_in
from cdi.controllers.population.plan import Role
from cdi.controllers.population.way import is_being_filled
from cdi.kube.objects import Object
from cdi.kube.resources import CLAIMS, SNAPSHOTS
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key, Store
from cdi.trust.clone_rights import Verify, is_permitted
from cdi.trust.tokens import Permit, Place
from storageprofiles.clone import Facts
from storageprofiles.clone_facts import Source

_CLONED, _UID, _ASKED = "cloned", "uid", "asked"  # indexes


class CloneObserver:
    """``verify``: of tokens."""

    def __init__(self, stores: Stores, verify: Verify) -> None:
        self._stores = stores
        self._verify = verify
        self._sources: Store[VolumeCloneSource] = stores.sources.get(CLONE_KIND, Store())
        self._sources.index(_CLONED, _origin)
        stores.claims.index(_UID, _uid)
        stores.claims.index(_ASKED, _asked)
        stores.pods.index(USED, claims_of)
        stores.classes.index(PROVIDED, provisioner_of)
        stores.snapshots.classes.index(PROVIDED, driver_of)

    def observe(self, target: PersistentVolumeClaim, cluster: Cluster) -> Cloning:
        namespace = namespace_of(target)
        found = Cloning(namespace, taken=frozenset(self._taken(target)), fresh_mark=secrets.token_hex(8))
        if not names_clone_source(target):
            return self._requested(found, target, cluster)
        reference = target.spec.data_source_ref
        named = self._sources.get(reference.name, namespace) if reference is not None else None
        if named is None:
            return found
        spec = named.spec
        found = replace(
            found,
            source_kind=spec.source.kind,
            source_name=spec.source.name,
            preallocation=cluster.preallocation if spec.preallocation is None else spec.preallocation,
            priority_class=spec.priority_class_name or "",
        )
        found = replace(found, refusal=self._refusal(target, found))
        return found if found.refusal else self._looked_up(found, target, cluster)

    def _requested(self, found: Cloning, target: PersistentVolumeClaim, cluster: Cluster) -> Cloning:
        """By an annotation, for a class that no populator serves."""
        asked = request_in(target.metadata.annotations)
        found = replace(found, source_kind=CLAIMS.kind, source_name=asked.name if asked is not None else "")
        found = replace(found, refusal=self._refusal(target, found))
        return found if found.refusal else self._looked_up(found, target, cluster)

    def made_for(self, target: PersistentVolumeClaim) -> dict[Role, Object]:
        """What was made to clone into ``target``, wherever it lies. A name proves nothing: the mark does."""
        found: dict[Role, Object] = {}
        for role, items in self._named(target):
            ours = (item for item in items if mark_of(item.metadata) == mark_of(target.metadata))
            item = next(ours, None) if mark_of(target.metadata) else None
            if item is not None:
                found[role] = item
        return found

    def _named(self, target: PersistentVolumeClaim) -> Iterator[tuple[Role, list[Object]]]:
        uid, mark, namespace = target.metadata.uid, mark_of(target.metadata), namespace_of(target)
        stores = self._stores
        kinds: dict[Role, Store[Object]] = {
            Role.PRIME: stores.claims,  # type: ignore[dict-item]  # stores are read only here
            Role.RESTORED: stores.claims,  # type: ignore[dict-item]
            Role.SNAPSHOT: stores.snapshots.taken,  # type: ignore[dict-item]
            Role.PREPARATION: stores.pods,  # type: ignore[dict-item]
            Role.SOURCE: stores.pods,  # type: ignore[dict-item]
        }
        for role, store in kinds.items():
            called = [names.first_name(role, uid)]
            if names.is_mark(mark):
                called.append(names.second_name(role, uid, mark))
            yield role, [item for name in called if (item := store.get(name, namespace)) is not None]

    def _taken(self, target: PersistentVolumeClaim) -> Iterator[Role]:
        """Roles for whose first name there is something that is not ours."""
        mark = mark_of(target.metadata)
        for role, items in self._named(target):
            first = names.first_name(role, target.metadata.uid)
            if any(item.metadata.name == first and not (mark and mark_of(item.metadata) == mark) for item in items):
                yield role

    def _refusal(self, target: PersistentVolumeClaim, found: Cloning) -> str:
        """Whoever may make claims in a namespace may mount those that are there, and clone them."""
        metadata = target.metadata
        wanted = Permit(
            Place(found.namespace, found.source_name),
            Place(metadata.namespace, metadata.name),
            found.source_kind == SNAPSHOTS.kind,
            metadata.uid,
        )
        if is_permitted(wanted, metadata.annotations, self._verify):
            return ""
        return (
            f"cloning {found.namespace}/{found.source_name} into {metadata.namespace}/{metadata.name} is not "
            "permitted: no token on the claim says so, or it has expired. Try: make a DataVolume with that source, as "
            f"a user who may create datavolumes/source in namespace {found.namespace}"
        )

    def _looked_up(self, found: Cloning, target: PersistentVolumeClaim, cluster: Cluster) -> Cloning:
        if found.source_kind == SNAPSHOTS.kind:
            found, source = self._snapshot(found)
        elif found.source_kind == CLAIMS.kind:
            found, source = self._claim(found, cluster)
        else:
            return replace(
                found, refusal=f"source.kind is {found.source_kind[:64]}, and neither a claim nor a snapshot"
            )
        storage_class = self._stores.classes.get(target.spec.storage_class_name or "")
        if source is None or storage_class is None:
            return found
        profile = self._stores.profiles.get(storage_class.metadata.name)
        facts = Facts(
            source,
            claim_target(target, storage_class, profile, cluster),
            cluster_facts(
                self._stores.classes.by(PROVIDED, source.driver),
                self._stores.snapshots.classes.by(PROVIDED, source.driver),
                by_populator=names_clone_source(target),
            ),
            wishes(target.metadata.annotations, profile, cluster),
        )
        return replace(found, facts=facts)

    def _claim(self, found: Cloning, cluster: Cluster) -> tuple[Cloning, Source | None]:
        stores = self._stores
        claim = stores.claims.get(found.source_name, found.namespace)
        if claim is None or claim.metadata.deletion_timestamp:
            return found, None
        volume = stores.volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None
        pods = stores.pods.by(USED, f"{found.namespace}/{found.source_name}")
        found = replace(
            found,
            claim=claim,
            is_filled=not is_being_filled(claim),
            writers=writers(pods, found.source_name),
        )
        name = claim.spec.storage_class_name or ""
        known = stores.classes.get(name)
        classes = {name: known} if known is not None else {}
        return found, claim_source(claim, volume, classes, stores.profiles.get(name), cluster)

    def _snapshot(self, found: Cloning) -> tuple[Cloning, Source | None]:
        snapshot = self._stores.snapshots.taken.get(found.source_name, found.namespace)
        if snapshot is None or snapshot.metadata.deletion_timestamp:
            return found, None
        found = replace(found, snapshot=snapshot)
        status = snapshot.status
        bound = status.bound_volume_snapshot_content_name if status is not None else None
        content = self._stores.snapshots.contents.get(bound) if bound else None
        if content is None:
            text = f"snapshot {found.namespace}/{found.source_name} is not bound to a VolumeSnapshotContent yet"
            return replace(found, missing=text), None
        return found, snapshot_source(snapshot, content)

    # --- whom a change concerns -------------------------------------------------------------------------------------

    def targets_of_made(self, item: Object) -> list[Key]:
        """Of what carries the label of what is made for a clone: anybody may write it, and is looked at then."""
        uid = item.metadata.labels.get(a.OWNED_BY_UID)
        return [_key(claim) for claim in self._stores.claims.by(_UID, uid)] if uid else []

    def targets_of_source(self, kind: str, namespace: str, name: str) -> list[Key]:
        """Claims into which a claim is copied without a populator."""
        found = self._stores.claims.by(_ASKED, f"{namespace}/{name}") if kind == CLAIMS.kind else []
        return [_key(claim) for claim in found]

    def sources_of(self, kind: str, namespace: str, name: str) -> list[VolumeCloneSource]:
        """Objects by which a claim or snapshot is cloned."""
        return self._sources.by(_CLONED, f"{kind}/{namespace}/{name}")


def namespace_of(target: PersistentVolumeClaim) -> str:
    """Where the source is: a claim that names one of another namespace needs a token."""
    annotations = target.metadata.annotations
    if names_clone_source(target):
        return annotations.get(a.DATA_SOURCE_NAMESPACE) or target.metadata.namespace
    asked = request_in(annotations)
    otherwise = asked.namespace if asked is not None else target.metadata.namespace
    return annotations.get(a.OWN_CLONE_NAMESPACE) or otherwise


def is_clone(claim: PersistentVolumeClaim) -> bool:
    """Or was one, and something of it is still there."""
    metadata = claim.metadata
    is_left = a.SOURCE_FINALIZER in metadata.finalizers and a.OWN_CLONE_MARK in metadata.annotations
    return names_clone_source(claim) or a.CLONE_REQUEST in metadata.annotations or is_left


def _key(claim: PersistentVolumeClaim) -> Key:
    return Key(claim.metadata.namespace, claim.metadata.name)


def _origin(source: VolumeCloneSource) -> list[str]:
    named = source.spec.source
    return [f"{named.kind}/{source.metadata.namespace}/{named.name}"]


def _uid(claim: PersistentVolumeClaim) -> list[str]:
    return [claim.metadata.uid] if is_clone(claim) else []


def _asked(claim: PersistentVolumeClaim) -> list[str]:
    asked = request_in(claim.metadata.annotations)
    return [asked.place] if asked is not None and claim.metadata.annotations.get(a.POD_PHASE) != "Succeeded" else []
