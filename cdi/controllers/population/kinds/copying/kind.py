"""Copying within one pod, as a kind of work. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdi.api.populators import CLONE_KIND, VolumeSource
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.kind import Case, Habits, Words
from cdi.controllers.population.kinds.copying.pod import CONTAINER, copying_pod
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.step import Step
from cdi.kube.resources import PODS, Resource
from cdi.kube.storage import PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """``source``: the name of a claim where the temporary one is. What was begun is not begun anew when a plan changes:
    then there is another temporary claim."""

    source: str = ""
    digest: str = ""


class Copying:
    source_kind = CLONE_KIND
    words = Words(
        pod_name=a.SOURCE_POD_NAME,
        container=CONTAINER,
        in_use="CloneTargetInUse",
        attempt_failed="CloneFailed",
        missing="ErrStartingPod",
        filled=("CloneSucceeded", "Clone Complete"),
        populated=("CloneSucceeded", "Successfully cloned into {name}"),
        failed=("CloneFailed", "Clone into {name} failed"),
    )
    habits = Habits(remembers_failures=False)

    def asked(self, annotations: Mapping[str, str]) -> CopyRequest | None:
        """Of a temporary claim: on any other, the annotation says nothing."""
        is_temporary = annotations.get(a.POPULATOR_KIND) == CLONE_KIND
        return CopyRequest(annotations[a.OWN_COPY]) if is_temporary and a.OWN_COPY in annotations else None

    def request(self, source: VolumeSource, target: PersistentVolumeClaim, cluster: Cluster) -> dict[str, str] | None:
        """There is no PVC' in the target's namespace."""
        return None

    def followed(self, before: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        return {}

    def worker_name(self, claim: str) -> str:
        """``claim``: the temporary one."""
        return names.source_pod(claim.removeprefix(names.temporary_claim("")))

    def companions(self, claim: str) -> Mapping[Role, tuple[Resource[Any], str]]:
        return {}

    def without_worker(self, case: Case) -> Step | None:
        return None

    def wanted(self, case: Case, *, scratch: bool) -> tuple[Wanted, ...]:
        return (Wanted(Role.WORKER, PODS, copying_pod(case)),)

    def missing(self, case: Case, *, has_started: bool) -> tuple[Wanted, ...]:
        return ()
