"""What one kind of work is to the population of a claim. Everything else is the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cdi.api.populators import VolumeSource
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.step import Step
from cdi.kube.resources import Resource
from cdi.kube.storage import PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class Words:
    """``pod_name``: the annotation that names the worker. ``container``: the one of the pod that works. ``in_use``:
    reason of the event while somebody else has the claim mounted. ``attempt_failed``: of the event of each failure.
    ``missing``: of the event while the API server refuses what the worker waits for.

    ``filled``: reason and text of the event of a success in the direct way; ``populated`` and ``failed``: of those in
    the populators' way, after which comes the name of the target.
    """

    pod_name: str
    container: str
    in_use: str
    attempt_failed: str
    missing: str
    filled: tuple[str, str]
    populated: tuple[str, str]
    failed: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Habits:
    """``tells_readiness``: clients wait until the worker is ready. ``tells_progress``: in percent, on the target.
    ``remembers_failures``: an attempt that failed for good would end the same again. ``stops_unasked``: when the claim
    does not ask for it any more. ``names_prime_when_done``: the target does, when its worker has succeeded."""

    tells_readiness: bool = False
    tells_progress: bool = True
    remembers_failures: bool = True
    stops_unasked: bool = False
    names_prime_when_done: bool = True


class Asked(Protocol):
    """What a claim asks for, as far as any kind of work has it."""

    @property
    def digest(self) -> str:
        """Tells whether a worker, or a failure, is of this request."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """One look at one claim. ``claim`` is written to, ``target`` is what is populated in the end: the same in the
    direct way. ``before``: the outputs of ``claim`` as they are."""

    seen: Observed
    kind: Kind
    asked: Asked
    claim: PersistentVolumeClaim
    target: PersistentVolumeClaim
    before: Outputs

    @property
    def worker_name(self) -> str:
        return self.kind.worker_name(self.claim.metadata.name)


class Kind(Protocol):
    """``source_kind``: of the objects that a dataSourceRef names."""

    source_kind: str
    words: Words
    habits: Habits

    def asked(self, annotations: Mapping[str, str]) -> Asked | None:
        """What the annotations of a claim ask for; None: nothing of this kind."""
        ...

    def request(self, source: VolumeSource, target: PersistentVolumeClaim, cluster: Cluster) -> dict[str, str] | None:
        """What ``source`` asks for, as annotations of PVC'; None while it does not serve this claim. Without any of
        ``asked``: it asks for what this version does not act on."""
        ...

    def followed(self, before: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """What of the ``request`` replaces annotations of PVC', ``before``, which was made for an earlier one."""
        ...

    def worker_name(self, claim: str) -> str: ...

    def companions(self, claim: str) -> Mapping[Role, tuple[Resource[Any], str]]:
        """Kind and name of what stands beside the worker, is owned by the claim, and goes with the worker."""
        ...

    def without_worker(self, case: Case) -> Step | None:
        """What becomes of a claim for which no worker is needed, or none can be made; None: one is made."""
        ...

    def wanted(self, case: Case, *, scratch: bool) -> tuple[Wanted, ...]:
        """The worker and what it needs, in the order in which it is made."""
        ...

    def missing(self, case: Case, *, has_started: bool) -> tuple[Wanted, ...]:
        """What a pod may still wait for, or has lost. ``has_started``: it has all that the kubelet waits for."""
        ...
