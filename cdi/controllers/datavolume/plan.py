"""What can be done about a DataVolume. Data only: ``act`` performs it, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.base.faults import Fault
from cdi.kube.storage import PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class CreateClaim:
    body: Mapping[str, Any]


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
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class AnnotateVolume:
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


@dataclass(frozen=True, slots=True)
class Emit:
    type: str  # Normal or Warning
    reason: str
    message: str


Action = (
    CreateClaim
    | CreateSource
    | CorrectSource
    | DeleteSource
    | AnnotateVolume
    | AnnotateClaim
    | AdoptClaim
    | DeleteClaim
    | Emit
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why there is no claim. ``phase``: None keeps the one before. The reason goes into Bound, and into Ready where
    ``ready`` says so. ``fault``: the same for people, with what to do; the contract has the other two word by word."""

    reason: str
    message: str
    phase: str | None = None
    ready: bool = True
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """``wait``: seconds after which to look again."""

    actions: tuple[Action, ...] = field(default=())
    hold: Hold | None = None
    wait: float | None = None
    status: bool = True  # whether the DataVolume gets a status at all
