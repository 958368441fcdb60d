"""A cluster in miniature for clones by a populator: real stores and the real observer; here plans are carried out, and
the storage acts."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

import msgspec
from support.populationmodel import changes_something

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig
from cdi.api.populators import CLONE_KIND, VolumeCloneSource
from cdi.api.storageprofile import StorageProfile
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.claims.stores import Snapshots, Stores
from cdi.controllers.cluster import HONOR_WAIT_FOR_FIRST_CONSUMER
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observe import Observer, add_indexes
from cdi.controllers.population.outputs import changes
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    Create,
    Delete,
    DeleteClaim,
    Emit,
    Follow,
    Rebind,
    Resize,
)
from cdi.controllers.population.progress import Followers
from cdi.controllers.settings import Settings
from cdi.controllers.written import Written
from cdi.kube.client import Client
from cdi.kube.objects import Event, ObjectReference
from cdi.kube.pods import Pod, Service
from cdi.kube.resources import CLAIMS, PODS, SECRETS, SERVICES, SNAPSHOTS, Resource
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotClass,
    VolumeSnapshotContent,
)
from cdi.kube.store import Key, Store
from cdi.trust.tokens import Permit

TARGET = Key("ns", "disk")
DRIVER = "csi.test"


class Events:
    """Of the API server, as far as they are asked for: those about one object."""

    def __init__(self) -> None:
        self.told: list[Event] = []

    async def some(self, _resource: object, _count: int, *, namespace: str = "", fields: str = "") -> list[Event]:
        uid = fields.removeprefix("involvedObject.uid=")
        return [event for event in self.told if event.involved_object.uid == uid]


class World:
    """A claim ``ns/disk`` that is to be cloned from claim ``golden`` in ``source_namespace``, which is bound.
    ``profile``: what its StorageProfile prefers. ``permits``: what the tokens on it say. ``direct``: no populator."""

    def __init__(
        self,
        profile: str = "snapshot",
        *,
        source_namespace: str = "ns",
        size: str = "1Gi",
        binding: str = "Immediate",
        permits: tuple[Permit, ...] = (),
        direct: bool = False,
    ) -> None:
        self._uids = (f"u{number}" for number in itertools.count(1))
        self._versions = map(str, itertools.count(1))
        self.namespace = source_namespace
        self.events = Events()
        self.told: list[Emit] = []
        self.snapshots = Snapshots(
            Store[VolumeSnapshot](), Store[VolumeSnapshotContent](), Store[VolumeSnapshotClass]()
        )
        self.sources: Store[VolumeCloneSource] = Store()
        self.stores = Stores(
            Store[PersistentVolumeClaim](),
            Store[Pod](),
            Store[PersistentVolume](),
            {CLONE_KIND: self.sources},
            Store[StorageClass](),
            Store[CDIConfig](),
            Store[CDI](),
            companions={SERVICES: Store[Service]()},
            profiles=Store[StorageProfile](),
            snapshots=self.snapshots,
        )
        add_indexes(self.stores)
        client = cast(Client, self.events)
        verify = {f"token{number}": permit for number, permit in enumerate(permits)}.get
        followers = Followers(client, lambda _: None)
        self._observer = Observer(
            self.stores, Settings(cloner_image="c:1"), followers, Written(), Outside(client, verify)
        )
        config = {"metadata": {"name": "config"}, "spec": {"featureGates": [HONOR_WAIT_FOR_FIRST_CONSUMER]}}
        self.put(self.stores.configs, CDIConfig, config)
        self.put(
            self.stores.classes,
            StorageClass,
            {"provisioner": DRIVER, "volumeBindingMode": binding, "allowVolumeExpansion": True},
            name="fast",
        )
        self.put(self.stores.profiles, StorageProfile, {"status": {"cloneStrategy": profile}}, name="fast")
        self.put(self.snapshots.classes, VolumeSnapshotClass, {"driver": DRIVER}, name="snaps")
        self.golden = self._claim("golden", source_namespace, {"resources": {"requests": {"storage": "1Gi"}}})
        self.bind("golden", source_namespace)
        self.source({"kind": "PersistentVolumeClaim", "name": "golden"})
        annotations = {a.DATA_SOURCE_NAMESPACE: source_namespace} if source_namespace != "ns" else {}
        if permits:
            annotations[a.EXTENDED_CLONE_TOKEN] = "token0"
        reference = {"apiGroup": "cdi.kubevirt.io", "kind": CLONE_KIND, "name": "source"}
        spec: dict[str, Any] = {"resources": {"requests": {"storage": size}}}
        if direct:
            annotations = {a.CLONE_REQUEST: f"{source_namespace}/golden"} | (annotations if permits else {})
        else:
            spec["dataSourceRef"] = reference
        self._claim("disk", "ns", spec, annotations)

    # --- the stores -----------------------------------------------------------------------------------------------

    def put(self, store: Store[Any], kind: type[Any], body: Any, name: str = "", namespace: str = "") -> Any:
        metadata = {"name": name, "namespace": namespace, "uid": next(self._uids)} | body.get("metadata", {})
        metadata["resourceVersion"] = next(self._versions)
        found = msgspec.json.decode(msgspec.json.encode({**body, "metadata": metadata}), type=kind)
        store.put(Key(metadata["namespace"], metadata["name"]), found, metadata["resourceVersion"])
        return found

    def source(self, origin: dict[str, str]) -> None:
        self.put(self.sources, VolumeCloneSource, {"spec": {"source": origin}}, "source", self.namespace)

    def _claim(
        self, name: str, namespace: str, spec: dict[str, Any], annotations: dict[str, str] | None = None
    ) -> PersistentVolumeClaim:
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast"} | spec
        body = {"metadata": {"annotations": annotations or {}}, "spec": spec, "status": {"phase": "Pending"}}
        made: PersistentVolumeClaim = self.put(self.stores.claims, PersistentVolumeClaim, body, name, namespace)
        return made

    def change(self, store: Store[Any], name: str, namespace: str, **changed: Any) -> None:
        """``changed``: members of metadata, spec or status, as Kubernetes writes them; None removes one."""
        found = store.get(name, namespace)
        body = msgspec.to_builtins(found)
        for part, members in changed.items():
            body[part] = {**body.get(part, {}), **members}
        self.put(store, type(found), body, name, namespace)

    @property
    def target(self) -> PersistentVolumeClaim:
        found = self.stores.claims.get("disk", "ns")
        assert found is not None
        return found

    @property
    def annotations(self) -> dict[str, str]:
        return self.target.metadata.annotations

    @property
    def phase(self) -> str:
        return self.annotations.get(a.CLONE_PHASE, "")

    def named(self, name: str) -> str:
        return getattr(names, name)(self.target.metadata.uid)  # type: ignore[no-any-return]

    def temporary(self) -> PersistentVolumeClaim | None:
        return self.stores.claims.get(self.named("temporary_claim"), self.namespace)

    def made(self) -> list[str]:
        """The names of all that was made for the clone and is still there."""
        stores: tuple[Store[Any], ...] = (self.stores.claims, self.snapshots.taken, self.stores.pods)
        found = (item for store in stores for item in store.all())
        return sorted(item.metadata.name for item in found if a.OWNED_BY_UID in item.metadata.labels)

    # --- what the controller does ---------------------------------------------------------------------------------

    def reconcile(self, lost: int = 0) -> list[Action]:
        """One pass. ``lost``: so many of its last actions do not happen, as when the process dies among them."""
        seen = asyncio.run(self._observer.observe(TARGET))
        if seen is None or self.stores.claims.get("disk", "ns") is None:
            return []
        plan = decide(seen)
        for action in plan.actions[: len(plan.actions) - lost]:
            self._perform(action)
        return list(plan.actions)

    def settle(self) -> list[Action]:
        done: list[Action] = []
        for _ in range(12):
            actions = self.reconcile()
            if not [item for item in actions if changes_something(item) and not isinstance(item, Emit)]:
                return done
            done += actions
        raise AssertionError(f"it never settles: {actions}")

    def _perform(self, action: Action) -> None:
        match action:
            case Annotate(claim, before, after, finalizers):
                self._annotate(claim.name, claim.namespace, changes(before, after), finalizers)
            case Create(wanted) if wanted.resource is SECRETS:
                pass
            case Create(wanted):
                metadata = wanted.body["metadata"]
                store, kind = self._store(wanted.resource)
                if store.get(metadata["name"], metadata["namespace"]) is None:
                    status = {} if wanted.resource is SNAPSHOTS else {"status": {"phase": "Pending"}}
                    fresh = {"uid": next(self._uids), **metadata}
                    self.put(store, kind, {**wanted.body, "metadata": fresh, **status})
            case Delete(resource, namespace, name):
                self._store(resource)[0].drop(Key(namespace, name))
            case DeleteClaim(claim):
                self.stores.claims.drop(Key(claim.namespace, claim.name))
            case Resize(claim, size):
                self.change(
                    self.stores.claims, claim.name, claim.namespace, spec={"resources": {"requests": {"storage": size}}}
                )
            case Rebind(volume, prime, target):
                owner = ObjectReference(namespace=target.namespace, name=target.name, uid=target.uid)
                self.change(self.stores.volumes, volume, "", spec={"claimRef": msgspec.to_builtins(owner)})
                self.change(self.stores.claims, prime.name, prime.namespace, status={"phase": "Lost"})
                self.change(
                    self.stores.claims,
                    target.name,
                    target.namespace,
                    spec={"volumeName": volume},
                    status={"phase": "Bound"},
                )
            case Emit():
                self.told.append(action)
            case Follow():
                pass

    def _store(self, resource: Resource[Any]) -> tuple[Store[Any], type[Any]]:
        stores: dict[Resource[Any], tuple[Store[Any], type[Any]]] = {
            CLAIMS: (self.stores.claims, PersistentVolumeClaim),
            PODS: (self.stores.pods, Pod),
            SNAPSHOTS: (self.snapshots.taken, VolumeSnapshot),
            SERVICES: (self.stores.companions[SERVICES], Service),
        }
        return stores[resource]

    def _annotate(
        self, name: str, namespace: str, changed: dict[str, str | None], finalizers: tuple[str, ...] | None
    ) -> None:
        found = self.stores.claims.get(name, namespace)
        assert found is not None
        merged = {key: value for key, value in (found.metadata.annotations | changed).items() if value is not None}
        metadata: dict[str, Any] = {"annotations": merged}
        if finalizers is not None:
            metadata["finalizers"] = list(finalizers)
        if found.metadata.deletion_timestamp and finalizers == ():
            self.stores.claims.drop(Key(namespace, name))
            return
        self.change(self.stores.claims, name, namespace, metadata=metadata)

    # --- what the world does --------------------------------------------------------------------------------------

    def bind(self, name: str, namespace: str, capacity: str = "1Gi") -> None:
        found = self.stores.claims.get(name, namespace)
        if found is None or found.status.phase != "Pending":
            return
        owner = {"namespace": namespace, "name": name, "uid": found.metadata.uid}
        body = {"spec": {"claimRef": owner, "csi": {"driver": DRIVER}, "capacity": {"storage": capacity}}}
        self.put(self.stores.volumes, PersistentVolume, body, name=f"pv-{found.metadata.uid}")
        status = {"phase": "Bound", "capacity": {"storage": capacity}}
        self.change(self.stores.claims, name, namespace, spec={"volumeName": f"pv-{found.metadata.uid}"}, status=status)

    def provision(self, capacity: str = "1Gi") -> None:
        """The temporary claims get volumes."""
        for name in ("temporary_claim", "restored_claim"):
            self.bind(self.named(name), self.namespace, capacity)

    def complain(self, message: str, reason: str = "ProvisioningFailed") -> None:
        """Of the temporary claim."""
        claim = self.temporary()
        assert claim is not None
        about = ObjectReference(uid=claim.metadata.uid)
        self.events.told.append(Event(involved_object=about, type="Warning", reason=reason, message=message))

    def snapshot(self, **status: Any) -> None:
        """The temporary snapshot's status changes."""
        name = self.named("temporary_snapshot")
        if self.snapshots.taken.get(name, self.namespace) is not None:
            self.change(self.snapshots.taken, name, self.namespace, status=status)

    def take(self) -> None:
        self.snapshot(creationTime="2026-01-01T00:00:00Z", readyToUse=True, restoreSize="1Gi")

    def copy(self, exit_code: int = 0, message: str = '{"message": "Clone Complete"}') -> None:
        """The pod that copies ends."""
        self.end_pod(self.named("source_pod"), self.namespace, "cdi-clone-source", exit_code, message)

    def end_pod(
        self,
        name: str,
        namespace: str,
        container: str,
        exit_code: int = 0,
        message: str = '{"message": "Clone Complete"}',
    ) -> None:
        if self.stores.pods.get(name, namespace) is None:
            return
        ended = {"exitCode": exit_code, "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
        found = {"name": container, "state": {"terminated": ended}, "restartCount": exit_code}
        self.change(self.stores.pods, name, namespace, status={"phase": "Running", "containerStatuses": [found]})

    def start(self, pod: str, address: str = "10.0.0.1") -> None:
        """It is given a node and an address."""
        if self.stores.pods.get(pod, "ns") is not None:
            self.change(self.stores.pods, pod, "ns", status={"podIP": address})

    def drop_pod(self, name: str, namespace: str) -> None:
        self.stores.pods.drop(Key(namespace, name))

    def mount(self, claim: str, *, read_only: bool = False) -> None:
        """Somebody's pod uses ``claim`` of the source's namespace."""
        volume = {"name": "v", "persistentVolumeClaim": {"claimName": claim}}
        mount = {"name": "v", "readOnly": read_only}
        spec = {"containers": [{"name": "c", "volumeMounts": [mount]}], "volumes": [volume]}
        self.put(self.stores.pods, Pod, {"spec": spec, "status": {"phase": "Running"}}, "user", self.namespace)
