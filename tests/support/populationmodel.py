"""A cluster in miniature, as far as the population of one claim goes: it carries out plans, and the world acts."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from msgspec.structs import replace

from cdi.api.populators import VolumeImportSource, VolumeSource, VolumeUploadSource
from cdi.contract import annotations as a
from cdi.controllers.cluster import HONOR_WAIT_FOR_FIRST_CONSUMER, Cluster
from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import changes
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    Create,
    Delete,
    DeleteClaim,
    Emit,
    Follow,
    Rebind,
    Role,
)
from cdi.controllers.settings import Settings
from cdi.kube.objects import Event, Object, ObjectReference
from cdi.kube.pods import Pod, Service
from cdi.kube.resources import PODS, SECRETS, SERVICES
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass

CLUSTER = Cluster(gates=frozenset({HONOR_WAIT_FOR_FIRST_CONSUMER}))
_SUCCESS = '{"message": "Import Complete", "preallocationApplied": false}'


_ASKED = {"import": {a.ENDPOINT: "http://a/disk.img", a.SOURCE: "http"}, "upload": {a.UPLOAD_TARGET: ""}}
_SOURCES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "import": (VolumeImportSource, {"source": {"http": {"url": "http://a/disk.img"}}}),
    "upload": (VolumeUploadSource, {}),
}


def _converted(body: Any, kind: type[Any]) -> Any:
    return msgspec.convert(msgspec.json.decode(msgspec.json.encode(body)), kind)


class World:
    """``way``: direct or populator. ``binding``: of the storage class. ``work``: import or upload."""

    def __init__(self, way: str = "direct", binding: str = "Immediate", work: str = "import") -> None:
        self._container_name = {"import": "importer", "upload": "cdi-upload-server"}[work]
        self._uids = map(str, itertools.count(1))
        self.storage_class = StorageClass(provisioner="csi.test", volume_binding_mode=binding)
        self.source: VolumeSource | None = None
        self.service: Service | None = None
        self.secrets: list[Any] = []  # made for workers, each with its owner's uid
        self.prime: PersistentVolumeClaim | None = None
        self.pod: Pod | None = None
        self.volume: PersistentVolume | None = None
        self.scratch: PersistentVolumeClaim | None = None
        self.event: Event | None = None  # the newest about the claim that a worker writes to
        self.events: list[Emit] = []
        self.workers = 0  # made so far
        annotations, spec = dict(_ASKED[work]), self._spec()
        if way == "populator":
            annotations, kind = {}, _SOURCES[work][0]
            name = {"apiGroup": "cdi.kubevirt.io", "kind": kind.__name__, "name": "source"}
            spec["dataSourceRef"] = name
            self.source = _converted({"metadata": {"name": "source"}, "spec": _SOURCES[work][1]}, kind)
        metadata = {"name": "disk", "namespace": "ns", "uid": next(self._uids), "annotations": annotations}
        body = {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}}
        self.target: PersistentVolumeClaim = _converted(body, PersistentVolumeClaim)

    @staticmethod
    def _spec() -> dict[str, Any]:
        requests = {"requests": {"storage": "1Gi"}}
        return {"accessModes": ["ReadWriteOnce"], "resources": requests, "storageClassName": "fast"}

    # --- what the controller sees and does ------------------------------------------------------------------------

    def observed(self) -> Observed:
        return Observed(
            target=self.target,
            prime=self.prime,
            volume=self.volume,
            source=self.source,
            objects=objects(pod=self.pod, scratch=self.scratch, service=self.service),
            storage_class=self.storage_class,
            pod_age_s=600.0,
            event=self.event,
            cluster=CLUSTER,
            settings=Settings(importer_image="importer:1"),
        )

    def reconcile(self, lost: int = 0) -> list[Action]:
        """One pass. ``lost``: so many of its last actions do not happen, as when the process dies among them."""
        plan = decide(self.observed())
        done = plan.actions[: len(plan.actions) - lost]
        for action in done:
            self._perform(action)
        return list(plan.actions)

    def settle(self) -> list[Action]:
        """Passes until nothing is left to do; all that was done."""
        done: list[Action] = []
        for _ in range(10):
            actions = self.reconcile()
            if not [action for action in actions if changes_something(action)]:
                return done
            done += actions
        raise AssertionError(f"it never settles: {actions}")

    def _perform(self, action: Action) -> None:
        match action:
            case Annotate(claim, before, after):
                self._annotate(claim.uid, changes(before, after))
            case Create(wanted) if wanted.role is Role.PRIME:
                self.prime = self.prime or self._claim(wanted.body)
            case Create(wanted) if wanted.role is Role.SCRATCH:
                self.scratch = self.scratch or self._claim(wanted.body)
            case Create(wanted) if wanted.role is Role.WORKER:
                if self.pod is None:
                    self.workers += 1
                    made = _converted(wanted.body, Pod)
                    born = {"uid": next(self._uids), "creation_timestamp": "2026-01-01T00:00:00Z"}
                    self.pod = replace(made, metadata=replace(made.metadata, **born))
                    self.pod = replace(self.pod, status=replace(made.status, phase="Pending"))
                    self.secrets += [self.pod.metadata.uid for item in wanted.belongings if item.resource is SECRETS]
            case Create(wanted) if wanted.role is Role.SERVICE:
                self.service = self.service or _converted(wanted.body, Service)
            case Delete(resource) if resource is SERVICES:
                self.service = None
            case Delete(resource) if resource is PODS:
                self.pod = None
            case DeleteClaim():
                self.prime = None
            case Rebind(_, _, target):
                assert self.volume is not None
                assert self.prime is not None
                owner = ObjectReference(namespace="ns", name=target.name, uid=target.uid)
                self.volume = replace(self.volume, spec=replace(self.volume.spec, claim_ref=owner))
                self.prime = _with_phase(self.prime, "Lost")
                self.target = _bound(self.target, self.volume.metadata.name)
            case Emit():
                self.events.append(action)

    def _claim(self, body: Any) -> PersistentVolumeClaim:
        made = _converted(body, PersistentVolumeClaim)
        found = replace(made, metadata=replace(made.metadata, uid=next(self._uids)))
        return _with_phase(found, "Pending")

    def _annotate(self, uid: str, changed: dict[str, str | None]) -> None:
        for name in ("target", "prime"):
            claim: PersistentVolumeClaim | None = getattr(self, name)
            if claim is not None and claim.metadata.uid == uid:
                merged = claim.metadata.annotations | changed
                kept = {key: value for key, value in merged.items() if value is not None}
                setattr(self, name, replace(claim, metadata=replace(claim.metadata, annotations=kept)))

    # --- what the world does --------------------------------------------------------------------------------------

    def bind(self) -> None:
        """The provisioner makes a volume for the claim that a worker writes to."""
        name = "prime" if self.prime is not None else "target"
        claim: PersistentVolumeClaim = getattr(self, name)
        waits = self.storage_class.volume_binding_mode == "WaitForFirstConsumer" and self.pod is None
        by_source = name == "target" and self.source is not None
        if (
            claim.status.phase != "Pending"
            or by_source
            or (waits and a.SELECTED_NODE not in claim.metadata.annotations)
        ):
            return
        setattr(self, name, _bound(claim, "volume"))
        if name == "prime":
            owner = {"namespace": "ns", "name": claim.metadata.name, "uid": claim.metadata.uid}
            body = {"metadata": {"name": "volume", "resourceVersion": "1"}, "spec": {"claimRef": owner}}
            self.volume = _converted(body, PersistentVolume)

    def choose_node(self) -> None:
        """A consumer came, and the scheduler says where."""
        self._annotate(self.target.metadata.uid, {a.SELECTED_NODE: "node1"})

    def run(self, ready: bool = False) -> None:
        self._container({"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "Running", ready=ready)

    def annotate(self, changed: dict[str, str | None]) -> None:
        """Somebody else does, the target."""
        self._annotate(self.target.metadata.uid, changed)

    def fail(self, message: str = "[SourceNotFound] gone. Try: mend it") -> None:
        ended = {"exitCode": 1, "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
        self._container({"terminated": ended}, "Running", restarts=1)

    def succeed(self, message: str = _SUCCESS) -> None:
        ended = {"exitCode": 0, "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
        self._container({"terminated": ended}, "Running")

    def expire(self) -> None:
        """Nobody has sent anything while the server's certificate was good."""
        self.succeed('{"message": "Deadline Passed", "deadlinePassed": true}')

    def evict(self) -> None:
        if self.pod is not None:
            self.pod = replace(self.pod, status=replace(self.pod.status, phase="Failed", reason="Evicted"))

    def remove_pod(self) -> None:
        self.pod = None

    def start_removal(self) -> None:
        """Somebody else deletes the pod; the kubelet has not finished with it."""
        if self.pod is not None:
            going = replace(self.pod.metadata, deletion_timestamp="2026-01-01T00:00:00Z")
            self.pod = replace(self.pod, metadata=going)

    def _container(self, state: dict[str, Any], phase: str, restarts: int = 0, *, ready: bool = False) -> None:
        claim = self.prime or self.target
        if self.pod is None or claim.status.phase != "Bound":
            return
        container = {"name": self._container_name, "restartCount": restarts, "state": state, "ready": ready}
        status = {"phase": phase, "containerStatuses": [container]}
        self.pod = replace(self.pod, status=_converted({"status": status}, Pod).status)


def objects(**found: Object | None) -> dict[Role, Object]:
    """``pod``: the worker; the others by their role."""
    roles = {Role.WORKER if name == "pod" else Role(name): item for name, item in found.items()}
    return {role: item for role, item in roles.items() if item is not None}


def sort_of(action: Action) -> object:
    """The type of an action, and of Create and Delete rather what is made or deleted."""
    match action:
        case Create(wanted):
            return wanted.role
        case Delete(resource):
            return f"delete {resource.kind}"
        case _:
            return type(action)


DELETE_POD = "delete Pod"


def changes_something(action: Action) -> bool:
    """Not of what nobody can look up: who performs a plan makes it once."""
    unseen = (Role.IDENTITY, Role.CERTIFICATES)
    return not isinstance(action, Follow) and not (isinstance(action, Create) and action.wanted.role in unseen)


def _with_phase(claim: PersistentVolumeClaim, phase: str) -> PersistentVolumeClaim:
    return replace(claim, status=replace(claim.status, phase=phase))


def _bound(claim: PersistentVolumeClaim, volume: str) -> PersistentVolumeClaim:
    return _with_phase(replace(claim, spec=replace(claim.spec, volume_name=volume)), "Bound")
