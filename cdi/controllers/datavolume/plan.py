"""What can be done about a DataVolume. Data only: ``act`` performs it, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api.datavolume import Clone
from cdi.base.faults import Fault
from cdi.kube.storage import PersistentVolumeClaim
from cdi.trust.tokens import Permit


@dataclass(frozen=True, slots=True)
class Emit:
    type: str  # Normal or Warning
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CreateClaim:
    """``told``: events of the claim, once it is made."""

    body: Mapping[str, Any]
    told: tuple[Emit, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateSource:
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CorrectSource:
    """The source was edited while the import is held. ``kind``: of its object. ``spec``: a merge patch."""

    kind: str
    name: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteSource:
    """``namespace``: empty for the DataVolume's own."""

    kind: str
    name: str
    uid: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class AnnotateVolume:
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class VouchVolume:
    """The DataVolume gets a token that lasts: what it may clone was verified."""

    permit: Permit


@dataclass(frozen=True, slots=True)
class VouchClaim:
    claim: PersistentVolumeClaim
    permit: Permit


@dataclass(frozen=True, slots=True)
class SetFinalizers:
    """Of the DataVolume: all that it is to have."""

    finalizers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreateDetection:
    """The pod that looks how large the disk in a source is."""

    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeletePod:
    name: str
    namespace: str
    uid: str


@dataclass(frozen=True, slots=True)
class AnnotateSource:
    """A claim that is cloned."""

    claim: PersistentVolumeClaim
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AnnotateClaim:
    """None removes."""

    claim: PersistentVolumeClaim
    annotations: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class AdoptClaim:
    claim: PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class DeleteClaim:
    claim: PersistentVolumeClaim


Action = (
    CreateClaim
    | CreateSource
    | CorrectSource
    | DeleteSource
    | AnnotateVolume
    | VouchVolume
    | VouchClaim
    | SetFinalizers
    | CreateDetection
    | DeletePod
    | AnnotateSource
    | AnnotateClaim
    | AdoptClaim
    | DeleteClaim
    | Emit
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why there is no claim. ``phase``: None keeps the one before. The reason goes into Bound, and into Ready where
    ``ready`` says so. ``fault``: the same for people, with what to do; the contract has the other two word by word.
    ``clone``: of a clone that is refused, the methods that were weighed."""

    reason: str
    message: str
    phase: str | None = None
    ready: bool = True
    fault: Fault | None = None
    clone: Clone | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``wait``: seconds after which to look again."""

    actions: tuple[Action, ...] = field(default=())
    hold: Hold | None = None
    wait: float | None = None
    status: bool = True  # whether the DataVolume gets a status at all
