"""What surrounds a volume. Places fill it in, ``describe`` and ``why`` tell it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """``role``: "claim" for the volume's own, "PVC'" for the one that the worker fills, "scratch"."""

    role: str
    name: str
    phase: str
    storage_class: str = ""
    size: str = ""
    volume: str = ""
    is_being_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker pod. ``waiting``: why its container is not started; ``unschedulable``: why it has no node;
    ``ended``: how the container ended last, in one sentence, and ``message`` with which words."""

    name: str
    phase: str
    node: str = ""
    restarts: int = 0
    waiting: str = ""
    waiting_message: str = ""
    unschedulable: str = ""
    ended: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event. ``at``: RFC 3339."""

    at: str
    type: str
    reason: str
    about: str
    message: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a worker, where somebody keeps count of them. ``end``: empty while it runs. ``bytes_done``: 0 where
    nobody knows."""

    start: str
    end: str
    outcome: str
    bytes_done: int
    node: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """``disk``: where the bytes are, for people. ``continues``: how work goes on after a failure, here.
    ``origin``: which version of the source it holds.
    ``attempts``: None where they are not recorded. ``unreadable``: what this user may not see."""

    disk: str
    continues: str
    origin: str = ""
    is_worked_on: bool = True
    is_being_deleted: bool = False
    waits_for_consumer: bool = False
    claims: tuple[Claim, ...] = ()
    worker: Worker | None = None
    log: tuple[str, ...] = ()
    events: tuple[Occurrence, ...] = ()
    attempts: tuple[Attempt, ...] | None = None
    unreadable: tuple[str, ...] = ()
