"""What can be done about a claim that is to be populated. Data only: ``act`` performs it, in this order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """``resource_version``: of the claim that was decided on; what is done to it is done to that one, or not at all."""

    namespace: str
    name: str
    uid: str
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A claim that learns of a refusal. ``outputs``: as they are. ``inputs``: what people wrote on it; when they write
    something else, what was refused is asked for again."""

    outputs: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatePrime:
    """Made only while ``target`` is still as it was decided on."""

    body: Mapping[str, Any]
    target: ClaimRef
    told: Told = Told()


@dataclass(frozen=True, slots=True)
class CreateScratch:
    body: Mapping[str, Any]
    claim: ClaimRef


@dataclass(frozen=True, slots=True)
class Annotate:
    """All outputs of a claim: what is in ``before`` and not in ``after`` is removed."""

    claim: ClaimRef
    before: Mapping[str, str]
    after: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CreateWorker:
    """Made only while ``claim``, to which it writes, is still as it was decided on. When the API server refuses, that
    is written to ``claim`` and ``target``, who are ``told``."""

    body: Mapping[str, Any]
    claim: ClaimRef
    target: ClaimRef
    told: tuple[Told, Told] = (Told(), Told())


@dataclass(frozen=True, slots=True)
class CopyProxyCertificates:
    """From the ConfigMap ``source`` where the system is installed; goes when the pod ``owner`` goes. ``claim`` is told
    when there is none. ``target``: the name of the claim that is populated in the end."""

    source: str
    name: str
    namespace: str
    owner: Mapping[str, Any]
    claim: ClaimRef
    target: str


@dataclass(frozen=True, slots=True)
class DeleteWorker:
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteClaim:
    claim: ClaimRef


@dataclass(frozen=True, slots=True)
class Rebind:
    """Hand the volume of ``prime`` to ``target``."""

    volume: str
    prime: ClaimRef
    target: ClaimRef
    resource_version: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Read the progress that a running worker prints."""

    namespace: str
    pod: str
    uid: str
    target: str


@dataclass(frozen=True, slots=True)
class Emit:
    claim: ClaimRef
    type: str  # Normal or Warning
    reason: str
    message: str


Action = (
    CreatePrime
    | CreateScratch
    | Annotate
    | CreateWorker
    | CopyProxyCertificates
    | DeleteWorker
    | DeleteClaim
    | Rebind
    | Follow
    | Emit
)


@dataclass(frozen=True, slots=True)
class Plan:
    """``wait``: seconds after which time alone changes what is decided."""

    actions: tuple[Action, ...] = field(default=())
    wait: float | None = None
