"""Uploading, as a kind of work. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from cdi.api.populators import UPLOAD_KIND, VolumeSource, VolumeUploadSource
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.cluster import Cluster
from cdi.controllers.population.kind import Asked, Case, Habits, Words
from cdi.controllers.population.kinds.uploading.identity import identity_secret
from cdi.controllers.population.kinds.uploading.pod import CONTAINER, upload_pod
from cdi.controllers.population.kinds.uploading.service import upload_service
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.step import STUCK_S, Step
from cdi.kube.resources import SERVICES, Resource
from cdi.kube.storage import PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """Every server takes a disk or an archive, by the path that its client chooses: all requests are alike. A failure
    is the client's to repeat, and nothing is remembered of it."""

    digest: str = ""


class Uploading:
    source_kind = UPLOAD_KIND
    words = Words(
        pod_name=a.UPLOAD_POD_NAME,
        container=CONTAINER,
        in_use="UploadTargetInUse",
        attempt_failed="UploadFailed",
        missing="ErrStartingPod",
        filled=("UploadSucceeded", "Upload Successful"),
        populated=("UploadSucceeded", "Successfully uploaded into {name}"),
        failed=("UploadFailed", "Upload into {name} failed"),
    )
    habits = Habits(
        tells_readiness=True,
        tells_progress=False,
        remembers_failures=False,
        stops_unasked=True,
        names_prime_when_done=False,
    )

    def asked(self, annotations: Mapping[str, str]) -> Asked | None:
        return UploadRequest() if a.UPLOAD_TARGET in annotations else None

    def request(self, source: VolumeSource, target: PersistentVolumeClaim, cluster: Cluster) -> dict[str, str] | None:
        spec = cast(VolumeUploadSource, source).spec
        wanted = cluster.preallocation if spec.preallocation is None else spec.preallocation
        return {
            a.UPLOAD_TARGET: "",
            a.CONTENT_TYPE: "archive" if spec.content_type == "archive" else "kubevirt",
            a.PREALLOCATION_REQUESTED: "true" if wanted else "false",
        }

    def followed(self, before: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """A server that runs has been told already."""
        return {}

    def worker_name(self, claim: str) -> str:
        return names.upload(claim)

    def companions(self, claim: str) -> Mapping[Role, tuple[Resource[Any], str]]:
        return {Role.SERVICE: (SERVICES, names.upload_service(claim))}

    def without_worker(self, case: Case) -> Step | None:
        return None

    def wanted(self, case: Case, *, scratch: bool) -> tuple[Wanted, ...]:
        """The service first: its name resolves as soon as the pod is ready."""
        return (upload_service(case), upload_pod(case, scratch=scratch))

    def missing(self, case: Case, *, has_started: bool) -> tuple[Wanted, ...]:
        lost = () if Role.SERVICE in case.seen.objects else (upload_service(case),)
        return lost if has_started else (*lost, identity_secret(case, again=case.seen.pod_age_s > STUCK_S))
