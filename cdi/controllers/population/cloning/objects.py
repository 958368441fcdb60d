"""What is made to clone into a claim: a snapshot, claims, and a pod that binds or grows one. Pure.

All of it lies where the source is, which may be another namespace than the target's. So nothing of what people wrote on
the target is copied onto it there but what says how its volume is made, and no owner reference can tell whose it is: a
label names the target, and the mark, which is drawn by chance and kept on the target, proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi.api.populators import CLONE_KIND
from cdi.contract import annotations as a
from cdi.controllers.population.cloning.names import name_of
from cdi.controllers.population.cloning.seen import Cloning, mark_of
from cdi.controllers.population.kind import Case
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.pod import Program, worker_pod
from cdi.kube.resources import CLAIMS, PODS, SNAPSHOTS
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.clone import Plan

_BORN_WITH = (a.SELECTED_NODE, a.RETAIN, a.CONTENT_TYPE)  # what a temporary claim takes over from any target


@dataclass(frozen=True, slots=True)
class Making:
    """For which clone, and by which plan."""

    seen: Observed
    target: PersistentVolumeClaim
    clone: Cloning
    plan: Plan

    def metadata(self, role: Role) -> dict[str, Any]:
        return {
            "name": self.name(role),
            "namespace": self.clone.namespace,
            "labels": a.APP | dict(self.seen.settings.labels) | {a.OWNED_BY_UID: self.target.metadata.uid},
            "annotations": {a.OWN_CLONE_MARK: mark_of(self.target.metadata), a.CLONE_TYPE: str(self.plan.method)},
        }

    def name(self, role: Role) -> str:
        metadata = self.target.metadata
        return name_of(role, metadata.uid, mark_of(metadata), is_taken=role in self.clone.taken)


def snapshot(making: Making) -> Wanted:
    selected = making.plan.snapshot_class
    spec: dict[str, Any] = {"source": {"persistentVolumeClaimName": making.clone.source_name}}
    if selected is not None:
        spec["volumeSnapshotClassName"] = selected.name
    body = {
        "apiVersion": SNAPSHOTS.api_version,
        "kind": SNAPSHOTS.kind,
        "metadata": making.metadata(Role.SNAPSHOT),
        "spec": spec,
    }
    return Wanted(Role.SNAPSHOT, SNAPSHOTS, body)


def cloned_claim(making: Making, size: str, source: dict[str, str]) -> Wanted:
    """The temporary claim, whose volume becomes the target's. ``source``: its dataSourceRef."""
    return Wanted(Role.PRIME, CLAIMS, _temporary_claim(making, size, {}, {"dataSourceRef": source}))


def empty_claim(making: Making) -> Wanted:
    """The temporary claim, into which a pod of ours copies."""
    clone, target = making.clone, making.target
    request = {
        a.OWN_COPY: making.name(Role.RESTORED) if making.plan.restore_class else clone.source_name,
        a.OWNER_UID: target.metadata.uid,
        a.POD_RESTARTS: "0",
        a.PREALLOCATION_REQUESTED: "true" if clone.preallocation else "false",
    }
    if clone.priority_class:
        request[a.PRIORITY_CLASS] = clone.priority_class
    size = target.spec.resources.requests.get("storage", "")
    return Wanted(Role.PRIME, CLAIMS, _temporary_claim(making, size, request, {}))


def _temporary_claim(
    making: Making, size: str, request: dict[str, str], source: dict[str, dict[str, str]]
) -> dict[str, Any]:
    target, metadata = making.target, making.metadata(Role.PRIME)
    annotations = target.metadata.annotations
    if target.metadata.namespace == making.clone.namespace:
        metadata["annotations"] |= a.passed_on(annotations)
    else:
        metadata["annotations"] |= a.MESH_DEFAULTS  # networks and accounts are those of another namespace
    metadata["annotations"] |= {key: annotations[key] for key in _BORN_WITH if key in annotations} | request
    spec = {
        "accessModes": list(target.spec.access_modes),
        "resources": {"requests": {"storage": size}},
        "storageClassName": target.spec.storage_class_name,
        "volumeMode": target.spec.volume_mode or "Filesystem",
    }
    return _claim(making, metadata, spec | source)


def restored_claim(making: Making, size: str) -> Wanted:
    """A snapshot as a volume of the class that can restore it, which a pod copies then."""
    facts = making.plan.facts
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": making.plan.restore_class,
        "volumeMode": facts.source.volume_mode or facts.target.volume_mode,
        "dataSourceRef": of_snapshot(making.clone.source_name),
    }
    return Wanted(Role.RESTORED, CLAIMS, _claim(making, making.metadata(Role.RESTORED), spec))


def _claim(making: Making, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    target = making.target.metadata
    metadata["labels"] |= a.NO_BACKUP
    metadata["annotations"] |= {
        a.POPULATOR_KIND: CLONE_KIND,
        a.EVENTS_SOURCE_KIND: CLAIMS.kind,
        a.EVENTS_SOURCE: f"{target.namespace}/{target.name}",
        a.IMMEDIATE: "",
    }
    return {"apiVersion": "v1", "kind": CLAIMS.kind, "metadata": metadata, "spec": spec}


def of_snapshot(name: str) -> dict[str, str]:
    """A dataSourceRef."""
    return {"apiGroup": SNAPSHOTS.group, "kind": SNAPSHOTS.kind, "name": name}


def of_claim(name: str) -> dict[str, str]:
    """A dataSourceRef."""
    return {"kind": CLAIMS.kind, "name": name}


def preparation(case: Case, making: Making) -> Wanted:
    """A pod that does nothing: to start, it needs ``case.claim`` bound, and its file system grown."""
    metadata = making.metadata(Role.PREPARATION)
    program = Program(
        name=metadata["name"],
        container="dummy",
        image=case.seen.settings.cloner_image,
        command="/usr/bin/true",
        environment=(),
        port="metrics",
        labels=metadata["labels"] | {a.COMPONENT: "cdi-populator-prep"},
        annotations=metadata["annotations"],
        data_path="/var/run/cdi/clone/source",
    )
    return Wanted(Role.PREPARATION, PODS, worker_pod(case, program, scratch=False))
