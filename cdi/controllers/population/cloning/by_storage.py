"""A clone that the storage makes, of a claim or of a snapshot. Pure."""

from __future__ import annotations

from cdi.base.units import size_or_none
from cdi.controllers.claims.binding import is_bound, waits_for_consumer
from cdi.controllers.population.cloning import objects, words
from cdi.controllers.population.cloning.ending import given_up
from cdi.controllers.population.cloning.objects import Making
from cdi.controllers.population.cloning.steps import (
    busy,
    case_of,
    gone,
    made,
    pod_ended,
    restored_size,
    then,
    underway,
)
from cdi.controllers.population.handover import rebound
from cdi.controllers.population.plan import (
    Plan,
    Resize,
    Role,
    ref,
)
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.clone_facts import Method


def by_storage(making: Making) -> Plan:
    if over := given_up(making):
        return over
    seen, prime = making.seen, making.seen.prime
    if prime is None:
        return _from_claim(making) if making.plan.method is Method.CSI_CLONE else _from_snapshot(making)
    if prime.metadata.deletion_timestamp:
        return Plan()  # somebody took it away: when it is gone, it is made again
    if prime.status.phase == "Lost":
        return then(making, words.REBIND)  # its volume is the target's by now
    if is_bound(prime) or waits_for_consumer(seen.storage_class):
        return _prepared(making, prime)
    is_from_claim = making.plan.method is Method.CSI_CLONE
    return underway(making, words.CSI_CLONE if is_from_claim else words.SNAPSHOT_CLONE)


def _from_claim(making: Making) -> Plan:
    claim = making.clone.claim
    if claim is None:
        return gone(making)
    size = claim.status.capacity.get("storage") or claim.spec.resources.requests.get("storage", "")
    wanted = objects.cloned_claim(making, size, objects.of_claim(claim.metadata.name))
    return busy(making) or made(making, words.CSI_CLONE, wanted)


def _from_snapshot(making: Making) -> Plan:
    """Of the source claim, or the source itself."""
    snapshot = making.clone.snapshot or making.seen.snapshot
    if snapshot is None:
        return busy(making) or made(making, words.SNAPSHOT, objects.snapshot(making))
    status = snapshot.status
    if status is None or (status.creation_time is None and status.ready_to_use is not True):
        return underway(making, words.SNAPSHOT)
    if status.ready_to_use is not True:
        return underway(making, words.SNAPSHOT_CLONE)
    source = objects.of_snapshot(snapshot.metadata.name)
    wanted = objects.cloned_claim(making, restored_size(making, status.restore_size), source)
    return made(making, words.SNAPSHOT_CLONE, wanted)


def _prepared(making: Making, prime: PersistentVolumeClaim) -> Plan:
    """The temporary claim is bound, and as large as the target has to be, before its volume is handed over."""
    seen, target = making.seen, making.target
    pod = seen.objects.get(Role.PREPARATION)
    asked = target.spec.resources.requests.get("storage", "")
    if is_bound(prime):
        wanted = size_or_none(asked) or 0
        if _size(prime.spec.resources.requests) < wanted:
            return then(making, words.PREP_CLAIM, Resize(ref(prime), asked))
        if _size(prime.status.capacity) >= wanted:
            return _rebound(making, prime) if pod is None else then(making, words.PREP_CLAIM, *pod_ended(pod))
        if not any(item.type == "FileSystemResizePending" for item in prime.status.conditions):
            return underway(making, words.PREP_CLAIM)  # the storage still makes the volume larger
    if pod is None:
        case = case_of(making, prime)
        return made(making, words.PREP_CLAIM, objects.preparation(case, making))
    has_ended = seen.preparation is not None and seen.preparation.status.phase in ("Succeeded", "Failed")
    return then(making, words.PREP_CLAIM, *(pod_ended(pod) if has_ended and is_bound(prime) else ()))


def _size(quantities: dict[str, str]) -> int:
    return size_or_none(quantities.get("storage", "0")) or 0


def _rebound(making: Making, prime: PersistentVolumeClaim) -> Plan:
    return then(making, words.REBIND, *rebound(making.seen, making.target, prime))
