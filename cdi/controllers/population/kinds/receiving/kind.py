"""Receiving a clone from another pod, as a kind of work: an upload, whose client is a pod of ours. Pure.

What is said of the source, when the other pod is made, and what becomes of it, is the flow of a clone between pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdi.api.populators import VolumeSource
from cdi.base.wire.clone import claim_uri, client_name
from cdi.contract import annotations as a
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.kind import Asked, Case, Habits, Words
from cdi.controllers.population.kinds.uploading.kind import Uploading
from cdi.controllers.population.kinds.uploading.pod import CONTAINER, upload_pod
from cdi.controllers.population.kinds.uploading.service import upload_service
from cdi.controllers.population.plan import Wanted
from cdi.kube.storage import PersistentVolumeClaim

_CHARACTERS = 512  # of a namespace and a name


@dataclass(frozen=True, slots=True)
class CloneRequest:
    """``namespace`` and ``name`` of the claim that is cloned."""

    namespace: str
    name: str
    digest: str = ""

    @property
    def place(self) -> str:
        return f"{self.namespace}/{self.name}"


def request_in(annotations: Mapping[str, str]) -> CloneRequest | None:
    """None where none is asked for, or nothing that could be a claim."""
    said = annotations.get(a.CLONE_REQUEST, "")[:_CHARACTERS]
    namespace, slash, name = said.partition("/")
    return CloneRequest(namespace, name) if slash and namespace and name and "/" not in name else None


class Receiving(Uploading):
    source_kind = ""  # no object names it: an annotation of the claim does
    words = Words(
        pod_name=a.UPLOAD_POD_NAME,
        container=CONTAINER,
        in_use="CloneTargetInUse",
        attempt_failed="CloneFailed",
        missing="ErrStartingPod",
        filled=("CloneSucceeded", "Clone Complete"),
        populated=("CloneSucceeded", "Clone Complete"),
        failed=("CloneFailed", "Clone failed"),
    )
    habits = Habits(tells_readiness=True, tells_progress=True, remembers_failures=False, stops_unasked=True)

    def asked(self, annotations: Mapping[str, str]) -> Asked | None:
        return request_in(annotations)

    def request(self, source: VolumeSource, target: PersistentVolumeClaim, cluster: Cluster) -> dict[str, str] | None:
        return None

    def wanted(self, case: Case, *, scratch: bool) -> tuple[Wanted, ...]:
        claim = case.claim.metadata
        asked = request_in(claim.annotations)
        assert asked is not None  # that is why it is this kind of work
        name = client_name(asked.place, f"{claim.namespace}/{claim.name}")
        return (upload_service(case), upload_pod(case, scratch=scratch, client=(name, claim_uri(claim.uid))))
