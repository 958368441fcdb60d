"""The pod that has both claims of a clone: labels and names of the contract's source pod. Pure."""

from __future__ import annotations

from typing import Any

from cdi.base.wire.clone import SOURCE_DEVICE_BESIDE, SOURCE_DIR, CloneEnvironment
from cdi.contract import annotations as a
from cdi.controllers.population.kind import Case
from cdi.controllers.population.pod import Program, is_block, variables, worker_pod
from cdi.kube.storage import PersistentVolumeClaim

CONTAINER = "cdi-clone-source"
_SOURCE = "cdi-source-vol"


def copying_pod(case: Case) -> dict[str, Any]:
    """The manifest for ``create``."""
    source = source_of(case)
    volume = {
        "name": _SOURCE,
        # A device that is attached read-only is one that no driver may write to; some attach none that way.
        "persistentVolumeClaim": {"claimName": source.metadata.name, "readOnly": not is_block(source)},
    }
    program = Program(
        container=CONTAINER,
        image=case.seen.settings.cloner_image,
        command="/usr/bin/cdi-cloner",
        environment=variables(_told(case, source).encode()),
        port="metrics",
        volumes=[(volume, "" if is_block(source) else SOURCE_DIR), *_state(case)],
        devices={_SOURCE: SOURCE_DEVICE_BESIDE} if is_block(source) else {},
        labels=labels_of(case.worker_name, source, case.target),
        annotations={a.CREATED_BY: "yes"},
    )
    return worker_pod(case, program, scratch=False)


def labels_of(name: str, source: PersistentVolumeClaim, target: PersistentVolumeClaim) -> dict[str, str]:
    """Of a pod ``name`` that reads ``source`` for ``target``."""
    return {
        a.COMPONENT: a.CLONE_SOURCE,
        a.CLONE_UNIQUE: name,
        a.CLONE_SOURCE_UID: source.metadata.uid,
        a.OWNED_BY_UID: target.metadata.uid,
    } | a.PROMETHEUS


def source_of(case: Case) -> PersistentVolumeClaim:
    """The claim that is copied: the source of the clone, or the one to which it was restored."""
    clone = case.seen.clone
    found = case.seen.restored or (clone.claim if clone is not None else None)
    assert found is not None  # the flow of a clone waits for it
    return found


def _told(case: Case, source: PersistentVolumeClaim) -> CloneEnvironment:
    annotations = case.claim.metadata.annotations
    return CloneEnvironment(
        mount_point=SOURCE_DEVICE_BESIDE if is_block(source) else SOURCE_DIR,
        block=is_block(source),
        archive=annotations.get(a.CONTENT_TYPE) == "archive",
        owner_uid=case.target.metadata.uid,
        preallocation=annotations.get(a.PREALLOCATION_REQUESTED) == "true",
        image_size=str(case.target.spec.resources.requests.get("storage", "")),
        overhead=case.seen.overhead,
    )


def _state(case: Case) -> list[tuple[dict[str, Any], str]]:
    """Where the data path keeps the journal of a device: it must outlive a restart of the container."""
    return [({"name": "cdi-state-vol", "emptyDir": {}}, "/tmp")] if is_block(case.claim) else []  # noqa: S108
