"""How a volume is cloned: the method, why not another one, and what comes next if it fails. Pure.

    choose(source, target, cluster, wishes)   -> Plan, or Refusal where nothing can be done as it is
    next_after(plan, method, reason)          -> the same after ``method`` has failed for good at run time

``wishes.failed`` and ``wishes.begun`` say what has happened so far, so that a controller which starts anew makes the
same plan from the same facts: ``next_after`` equals ``choose`` with one more failed method. Methods are tried in this
order, each once: csi-clone, snapshot, copy, beginning with the preferred one (the CDI object's override, else the
profile's strategy, else snapshot). For a snapshot as the source neither is consulted: snapshot, else copy. Whoever sets
the annotation ``cloneType`` gets this method or a refusal.

Conditions of a method, in the contract's order, with the contract's reasons and texts:

    method      source    condition                                              else
    both        any       a populator serves the class                           NoPopulator
    snapshot    claim     a VolumeSnapshotClass for the driver of both           NoVolumeSnapshotClass
    both        claim     the same driver                                        IncompatibleProvisioners
    snapshot    snapshot  the class's provisioner is the content's driver        NoProvisionerMatch
    both        any       capacity >= target's request, or the class expands     NoVolumeExpansion
    both        any       the same volume mode                                   IncompatibleVolumeModes
    copy        any       what fits into the source fits into the target         CloneTargetTooSmall
    copy        snapshot  a class that can restore it                            NoClassRestores
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cdi.base.printable import excerpt
from cdi.base.units import human_size
from storageprofiles.clone_facts import ClassFacts, Cluster, Method, Source, Target, Wishes
from storageprofiles.sizes import usable
from storageprofiles.snapshot_classes import Selected, snapshot_class

VALIDATION = "The clone doesn't meet the validation requirements: "
METHOD_FAILED = "CloneMethodFailed"  # code of a method that was given up at run time
_REASON_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Rejected:
    """``code``: a word for programs. ``text``: a sentence for people."""

    method: Method
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Fallback:
    """The contract's: reason of a Warning, and its message, which is also annotation ``cloneFallbackReason``."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``then``: methods that may follow if this one fails, best first. ``fallback``: why it is not the preferred one.
    ``moves_at_most``: bytes through pods of ours. ``expands``: the clone is made as large as the source, and grows to
    the size asked for. ``may_need_pod``: a prep pod binds the temporary claim, or lets its file system grow.
    ``snapshot_class``: for the temporary snapshot. ``restore_class``: for the temporary claim that a copy of a snapshot
    reads from."""

    method: Method
    then: tuple[Method, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    fallback: Fallback | None = None
    moves_at_most: int = 0
    expands: bool = False
    may_need_pod: bool = False
    snapshot_class: Selected | None = None
    restore_class: str = ""
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Final for these facts. ``code``: CloneTargetTooSmall, CloneContentMismatch, CloneSourceUnfit, CloneTypeUnknown
    or CloneImpossible (no method is left). ``text``: what is wrong, with values, and what to do."""

    code: str
    text: str
    rejected: tuple[Rejected, ...] = ()

    @property
    def message(self) -> str:
        """Of the contract's event and condition CloneValidationFailed."""
        return VALIDATION + self.text


@dataclass(frozen=True, slots=True)
class Facts:
    source: Source
    target: Target
    cluster: Cluster = field(default_factory=Cluster)
    wishes: Wishes = field(default_factory=Wishes)


_ORDER = {
    "csi-clone": (Method.CSI_CLONE, Method.SNAPSHOT, Method.COPY),
    "snapshot": (Method.SNAPSHOT, Method.COPY),
    "copy": (Method.COPY,),
}


def choose(source: Source, target: Target, cluster: Cluster, wishes: Wishes) -> Plan | Refusal:
    facts = Facts(source, target, cluster, wishes)
    begun = wishes.begun if wishes.begun not in wishes.failed else None
    refusal = _unfit(facts) if begun is None else None
    if refusal is not None:
        return refusal
    order = _order(facts)
    found = [(method, _rejected(facts, order, method)) for method in Method if method is not begun]
    rejected = {method: item for method, item in found if item is not None}
    possible = [begun] if begun is not None else []
    possible += [method for method in order if method not in rejected and method is not begun]
    if not possible:
        return Refusal(code="CloneImpossible", text=_none_is_left(rejected.values()), rejected=tuple(rejected.values()))
    preferred = rejected.get(order[0]) if order else None
    fallback = None if preferred is None else Fallback(preferred.code, preferred.text)
    if not cluster.by_populator:
        fallback = Fallback("NoPopulator", _TEXTS["NoPopulator"])
    return _planned(facts, possible, tuple(rejected.values()), fallback)


def next_after(plan: Plan, method: Method, reason: str) -> Plan | Refusal:
    """``reason``: what was said when ``method`` was given up for good."""
    facts = plan.facts
    failed = {**facts.wishes.failed, method: reason}
    return choose(facts.source, facts.target, facts.cluster, replace(facts.wishes, failed=failed, begun=None))


def _planned(facts: Facts, possible: list[Method], rejected: tuple[Rejected, ...], fallback: Fallback | None) -> Plan:
    source, target, method = facts.source, facts.target, possible[0]
    restored = _restoring(facts) if source.is_snapshot and method is Method.COPY else None
    expands = method is not Method.COPY and 0 < source.capacity < target.size
    waits = restored.waits_for_consumer if restored else method is not Method.COPY and target.waits_for_consumer
    return Plan(
        method=method,
        then=tuple(possible[1:]),
        rejected=rejected,
        fallback=fallback,
        moves_at_most=source.capacity or target.size if method is Method.COPY else 0,
        expands=expands,
        may_need_pod=expands or waits,
        snapshot_class=_selected(facts) if method is Method.SNAPSHOT and not source.is_snapshot else None,
        restore_class=restored.name if restored else "",
        facts=facts,
    )


# --- whether at all -------------------------------------------------------------------------------------------------


def _unfit(facts: Facts) -> Refusal | None:
    source, target = facts.source, facts.target
    if source.unfit:
        text = f"the source {source.kind} {source.name} cannot be cloned: {excerpt(source.unfit, _REASON_CHARACTERS)}"
        return Refusal(code="CloneSourceUnfit", text=text)
    if facts.wishes.asked and facts.wishes.asked not in list(Method):
        known = ", ".join(Method)
        text = f"annotation cloneType is {excerpt(facts.wishes.asked)!r}, which is none of {known}. Remove it"
        return Refusal(code="CloneTypeUnknown", text=text)
    return _mismatch(source, target) or _too_small(source, target)


def _mismatch(source: Source, target: Target) -> Refusal | None:
    wanted = target.content_type or "kubevirt"
    if source.content_type and source.content_type != wanted:
        text = (
            f"source contentType ({source.content_type}) and target contentType ({wanted}) do not match: set "
            f"spec.contentType to {source.content_type}"
        )
        return Refusal(code="CloneContentMismatch", text=text)
    if "archive" in (source.content_type, wanted) and source.volume_mode and source.volume_mode != target.volume_mode:
        text = f"an archive on a {source.volume_mode} volume cannot be cloned to a {target.volume_mode} volume"
        return Refusal(code="CloneContentMismatch", text=text)
    return None


def _too_small(source: Source, target: Target) -> Refusal | None:
    asked = max(target.size, target.minimum_size)
    if target.is_permissive or source.requested <= asked:
        return None
    text = (
        f"target resources requests storage size is smaller than the source: {human_size(asked)} ({asked} bytes) < "
        f"{human_size(source.requested)} ({source.requested} bytes). Ask for at least as much, or for no size"
    )
    return Refusal(code="CloneTargetTooSmall", text=text)


# --- which methods --------------------------------------------------------------------------------------------------


def _order(facts: Facts) -> tuple[Method, ...]:
    wishes = facts.wishes
    if wishes.asked:
        return tuple(method for method in Method if method == wishes.asked)
    if not facts.cluster.by_populator:
        return _ORDER["copy"]
    return _ORDER["snapshot" if facts.source.is_snapshot else _preferred(wishes)[0]]


def _preferred(wishes: Wishes) -> tuple[str, str]:
    """The strategy, and who says so."""
    if wishes.override in _ORDER:
        return wishes.override, "the CDI object's cloneStrategyOverride"
    if wishes.profile in _ORDER:
        return wishes.profile, "the target's StorageProfile"
    return "snapshot", "default"


def _rejected(facts: Facts, order: tuple[Method, ...], method: Method) -> Rejected | None:
    wishes = facts.wishes
    if method in wishes.failed:
        return Rejected(method, METHOD_FAILED, excerpt(wishes.failed[method], _REASON_CHARACTERS))
    if method is Method.COPY and wishes.requires_offload:
        return Rejected(method, "OffloadRequired", "annotation cloneRequire is offload: nothing is copied by pods")
    if method not in order:
        return _unwanted(facts, method)
    obstacle = _obstacle_of_copy(facts) if method is Method.COPY else _obstacle(facts, method)
    return Rejected(method, *obstacle) if obstacle else None


def _unwanted(facts: Facts, method: Method) -> Rejected:
    wishes = facts.wishes
    if wishes.asked:
        return Rejected(method, "CloneTypeGiven", f"annotation cloneType asks for {wishes.asked}")
    if not facts.cluster.by_populator:
        return Rejected(method, "NoPopulator", _TEXTS["NoPopulator"])
    if facts.source.is_snapshot:
        return Rejected(method, "SourceIsSnapshot", "the source is a snapshot, and csi-clone clones claims")
    strategy, said_by = _preferred(wishes)
    return Rejected(method, "NotPreferred", f"{said_by} says {strategy}")


_TEXTS = {
    "NoPopulator": "In tree storage class does not support snapshot/clone",
    "NoVolumeSnapshotClass": "No compatible volumesnapshotclass found",
    "IncompatibleProvisioners": "Provisioners are incompatible",
    "NoProvisionerMatch": "The storageclass provisioner does not match the volumesnapshotcontent driver",
    "IncompatibleVolumeModes": "The volume modes of source and target are incompatible",
    "NoVolumeExpansion": "No volume expansion is possible",
}


def _obstacle(facts: Facts, method: Method) -> tuple[str, str] | None:
    """Of a method of the storage. The order counts: the first reason is what the contract says."""
    source, target, cluster = facts.source, facts.target, facts.cluster
    if not cluster.by_populator:
        return "NoPopulator", _TEXTS["NoPopulator"]
    if source.is_snapshot and method is Method.CSI_CLONE:
        return "SourceIsSnapshot", "the source is a snapshot, and csi-clone clones claims"
    same_driver = source.driver == target.driver
    grows = target.expands or not 0 < source.capacity < target.size
    same_mode = (source.volume_mode or "Filesystem") == target.volume_mode
    if source.is_snapshot:
        checks = {"NoProvisionerMatch": same_driver, "NoVolumeExpansion": grows, "IncompatibleVolumeModes": same_mode}
    else:
        has_class = method is not Method.SNAPSHOT or _selected(facts) is not None
        checks = {
            "NoVolumeSnapshotClass": has_class,
            "IncompatibleProvisioners": same_driver,
            "IncompatibleVolumeModes": same_mode,
            "NoVolumeExpansion": grows,
        }
    return next(((code, _TEXTS[code]) for code, is_met in checks.items() if not is_met), None)


def _selected(facts: Facts) -> Selected | None:
    source, target, cluster = facts.source, facts.target, facts.cluster
    if not cluster.has_snapshots or source.driver != target.driver:
        return None
    agreed = source.snapshot_class if source.snapshot_class == target.snapshot_class else ""
    return snapshot_class(target.driver, cluster.snapshot_classes, profiled=agreed)


def _obstacle_of_copy(facts: Facts) -> tuple[str, str] | None:
    source, target = facts.source, facts.target
    if source.is_snapshot and _restoring(facts) is None:
        text = f"no storage class has provisioner {source.driver}, so that nothing restores the snapshot to be copied"
        return "NoClassRestores", text
    if target.is_permissive:
        return None
    holds, fits = usable(source.overhead, source.requested), usable(target.overhead, target.size)
    if holds <= fits:
        return None
    text = (
        f"the target has room for {human_size(fits)} ({fits} bytes) beside its file system, the source for "
        f"{human_size(holds)} ({holds} bytes)"
    )
    return "CloneTargetTooSmall", text


def _restoring(facts: Facts) -> ClassFacts | None:
    """The first by name, as in the contract."""
    found = [item for item in facts.cluster.classes if item.driver == facts.source.driver]
    return min(found, key=lambda item: item.name, default=None)


def _none_is_left(rejected: Iterable[Rejected]) -> str:
    reasons = "; ".join(f"{item.method}: {item.text}" for item in rejected)
    return f"no method is left. {reasons}"
