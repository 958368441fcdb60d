"""What can be done about a claim that is to be populated. Data only: ``act`` performs it, in this order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from cdi.contract import annotations as a
from cdi.controllers.settings import Settings
from cdi.kube.client import Client
from cdi.kube.objects import Metadata
from cdi.kube.resources import Resource
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key


class Role(StrEnum):
    """What an object is there for, among those that work for one claim."""

    PRIME = "prime"
    WORKER = "worker"
    SCRATCH = "scratch"
    SERVICE = "service"
    CERTIFICATES = "certificates"
    IDENTITY = "identity"
    SNAPSHOT = "snapshot"
    RESTORED = "restored"  # a snapshot as a claim, to be copied
    PREPARATION = "preparation"
    SOURCE = "source"  # the pod that reads what another one writes


@dataclass(frozen=True, slots=True)
class ClaimRef:
    """``resource_version``: of the claim that was decided on; what is done to it is done to that one, or not at all."""

    namespace: str
    name: str
    uid: str
    resource_version: str = ""


def ref(claim: PersistentVolumeClaim) -> ClaimRef:
    metadata = claim.metadata
    return ClaimRef(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)


@dataclass(frozen=True, slots=True)
class Told:
    """A claim that learns of a refusal. ``outputs``: as they are. ``inputs``: what people wrote on it; when they write
    something else, what was refused is asked for again."""

    claim: ClaimRef
    outputs: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What those who are told learn. ``outputs``: written on each of them; without any, there is the event only."""

    reason: str
    message: str
    outputs: Mapping[str, str] = field(default_factory=dict)


class Content(Protocol):
    """What is in an object, where that is known only when the object is made."""

    async def filled(self, wanted: Wanted, client: Client, settings: Settings) -> Wanted:
        """``wanted`` with what was missing in it, and in what belongs to it. Raises ApiError; one that is ``refused``
        tells that people have to do something first."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that a kind of work needs. ``body``: the manifest, complete but for ``content``.

    ``belongings`` are made in the same pass, right after it, and go when it goes: ``body`` of each lacks the owner.
    ``is_seen``: by a store. What nobody can look up is made once for each owner.
    """

    role: Role
    resource: Resource[Any]
    body: Mapping[str, Any]
    content: Content | None = None
    belongings: tuple[Wanted, ...] = ()
    is_seen: bool = True

    @property
    def owner_uid(self) -> str:
        """Of what it goes with; empty where no reference can say that, since it lies in another namespace."""
        owners = self.body["metadata"].get("ownerReferences") or [{"uid": ""}]
        uid: str = owners[0]["uid"]
        return uid


def is_same(wanted: Wanted, found: Metadata) -> bool:
    """Whether what has the name of ``wanted`` was made as that: by its owner, or by the mark of its clone."""
    if wanted.owner_uid:
        return found.controller_uid == wanted.owner_uid
    mark = wanted.body["metadata"]["annotations"].get(a.OWN_CLONE_MARK)
    return bool(mark) and found.annotations.get(a.OWN_CLONE_MARK) == mark


def with_members(wanted: Wanted, members: Mapping[str, Any]) -> Wanted:
    """Complete: ``members`` were what its body lacked."""
    return replace(wanted, body={**wanted.body, **members}, content=None)


def owned_by(owner: Mapping[str, Any], wanted: Wanted) -> Wanted:
    """``owner``: an owner reference, of what has none yet."""
    metadata = {"ownerReferences": [owner]} | wanted.body["metadata"]
    return replace(wanted, body={**wanted.body, "metadata": metadata})


@dataclass(frozen=True, slots=True)
class Create:
    """``target``: the claim that is populated in the end. ``unchanged``: a claim that must still be as it was decided
    on. ``refusal``: from what the API server says to what those who are ``told`` learn."""

    wanted: Wanted
    target: ClaimRef
    refusal: Callable[[str], Refusal]
    told: tuple[Told, ...]
    unchanged: ClaimRef | None = None


@dataclass(frozen=True, slots=True)
class Annotate:
    """All outputs of a claim: what is in ``before`` and not in ``after`` is removed. ``finalizers``: all that it has
    then; None: those that it has."""

    claim: ClaimRef
    before: Mapping[str, str]
    after: Mapping[str, str]
    finalizers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    resource: Resource[Any]
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteClaim:
    claim: ClaimRef


@dataclass(frozen=True, slots=True)
class Resize:
    """Ask for more room in a claim that is bound. ``size``: a quantity."""

    claim: ClaimRef
    size: str


@dataclass(frozen=True, slots=True)
class Rebind:
    """Hand the volume of ``prime`` to ``target``."""

    volume: str
    prime: ClaimRef
    target: ClaimRef
    resource_version: str


@dataclass(frozen=True, slots=True)
class Follow:
    """Read the progress that a running worker prints. ``target``: the claim that is populated in the end."""

    namespace: str
    pod: str
    uid: str
    target: Key
    container: str


@dataclass(frozen=True, slots=True)
class Emit:
    claim: ClaimRef
    type: str  # Normal or Warning
    reason: str
    message: str


Action = Create | Annotate | Delete | DeleteClaim | Resize | Rebind | Follow | Emit


@dataclass(frozen=True, slots=True)
class Plan:
    """``wait``: seconds after which time alone changes what is decided."""

    actions: tuple[Action, ...] = field(default=())
    wait: float | None = None
