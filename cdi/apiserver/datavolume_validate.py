"""/datavolume-validate: what a DataVolume may not be, and what may not change."""

from __future__ import annotations

from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.api.phase import Phase
from cdi.api.validation import update_violation, violation
from cdi.api.violation import Violation
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, DUPLICATE, Answer, Request, broken, refused
from cdi.apiserver.served import source_warnings
from cdi.contract import annotations as a
from cdi.controllers.cluster import CLAIM_ADOPTION
from cdi.kube.cdi_resources import CDI_CONFIGS
from cdi.kube.resources import CLAIMS
from cdi.kube.storage import PersistentVolumeClaim


async def validate(request: Request, lookup: Lookup) -> Answer:
    if request.resource.resource != "datavolumes":
        return broken("expect resource to be 'datavolumes'")
    volume = decoded(request.object, DataVolume)
    if request.operation == "UPDATE":
        return _updated(decoded(request.old_object, DataVolume), volume)
    taken = await _taken(request, volume, lookup)
    if taken is not None:
        return refused([taken], DUPLICATE)
    found = violation(volume)
    return refused([found]) if found is not None else Answer(warnings=_warnings(volume))


def _updated(before: DataVolume, after: DataVolume) -> Answer:
    if after.metadata.deletion_timestamp:
        return ALLOWED  # finalizers have to go
    found = update_violation(before.spec, after.spec, held=is_held(before.status))
    if found is not None:
        return refused([found], DUPLICATE)
    found = violation(after)
    return refused([found]) if found is not None else ALLOWED


def is_held(status: DataVolumeStatus) -> bool:
    """An import that waits for a correction, also while it tries once more, or gave up: its source may be edited."""
    if status.failure is not None and status.failure.permanent:
        return True  # in every phase: while its pod is replaced it is ImportScheduled
    if status.phase != Phase.IMPORT_IN_PROGRESS:
        return status.phase == Phase.FAILED
    return any(item.type == "Running" and item.reason == "Error" for item in status.conditions)


async def _taken(request: Request, volume: DataVolume, lookup: Lookup) -> Violation | None:
    """A claim of the same name that is neither meant for this DataVolume nor another one's."""
    if not volume.metadata.name:
        return None  # a name will be generated
    namespace = request.namespace or volume.metadata.namespace
    claim = await lookup.find(CLAIMS, volume.metadata.name, namespace)
    if claim is None or claim.metadata.annotations.get(a.POPULATED_FOR) == volume.metadata.name:
        return None
    owners = [owner for owner in claim.metadata.owner_references if owner.controller]
    if any(owner.kind == "DataVolume" for owner in owners) or await _is_adoptable(volume, claim, lookup):
        return None
    return Violation("DataVolume.Name", f"Destination PVC {namespace}/{volume.metadata.name} already exists")


async def _is_adoptable(volume: DataVolume, claim: PersistentVolumeClaim, lookup: Lookup) -> bool:
    if any(owner.controller for owner in claim.metadata.owner_references):
        return False
    said = volume.metadata.annotations.get(a.ADOPTION)
    if said is not None:
        return said.lower() in ("true", "t", "1")
    config = await lookup.find(CDI_CONFIGS, "config")
    return config is not None and CLAIM_ADOPTION in config.spec.feature_gates


def _warnings(volume: DataVolume) -> tuple[str, ...]:
    spec = volume.spec
    members = spec.source.members if spec.source is not None else ["sourceRef"] if spec.source_ref else []
    return source_warnings(members)
