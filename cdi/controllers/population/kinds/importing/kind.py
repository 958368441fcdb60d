"""Importing, as a kind of work. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cdi.api.populators import VolumeImportSource, VolumeSource
from cdi.base.sources import source_of_word
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.cluster import Cluster
from cdi.controllers.population import outputs
from cdi.controllers.population.kind import Case, Habits, Words
from cdi.controllers.population.kinds.importing.certificates import proxy_certificates
from cdi.controllers.population.kinds.importing.nothing_to_write import nothing_to_write
from cdi.controllers.population.kinds.importing.pod import importer_pod
from cdi.controllers.population.plan import Role, Wanted
from cdi.controllers.population.step import Step
from cdi.kube.resources import PODS, Resource
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.parameters import Parameters
from cdi.sources.request import asked_of, edited, parameters_of


class Importing:
    source_kind = "VolumeImportSource"
    words = Words(
        pod_name=a.POD_NAME,
        container="importer",
        in_use="ImportTargetInUse",
        attempt_failed="ErrImportFailed",
        missing="ProxyCertificatesMissing",
        filled=("ImportSucceeded", "Import Successful"),
        populated=("importSucceeded", "Successfully imported into {name}"),
        failed=("importFailed", "import into {name} failed"),
    )
    habits = Habits()

    def asked(self, annotations: Mapping[str, str]) -> Parameters | None:
        return parameters_of(annotations)

    def request(self, source: VolumeSource, target: PersistentVolumeClaim, cluster: Cluster) -> dict[str, str] | None:
        spec = cast(VolumeImportSource, source).spec
        if spec.target_claim not in (None, "", target.metadata.name):
            return None
        asked = asked_of(spec.source, target.metadata.annotations) if spec.source is not None else {}
        wanted = cluster.preallocation if spec.preallocation is None else spec.preallocation
        return asked | {
            a.CONTENT_TYPE: "archive" if spec.content_type == "archive" else "kubevirt",
            a.PREALLOCATION_REQUESTED: "true" if wanted else "false",
        }

    def followed(self, before: Mapping[str, str], request: Mapping[str, str]) -> dict[str, str]:
        """A source may be corrected while its import is held."""
        return edited(before, {key: value for key, value in request.items() if a.S + "import" in key})

    def worker_name(self, claim: str) -> str:
        return names.importer(claim)

    def companions(self, claim: str) -> Mapping[Role, tuple[Resource[Any], str]]:
        return {}

    def without_worker(self, case: Case) -> Step | None:
        asked = _asked(case)
        if source_of_word(asked.source) is None:
            text = f"source {asked.source} is accepted, but not acted on by this version"
            return Step(outputs.without_attempt(case.before) | outputs.running(False, "Error", text))
        return nothing_to_write(case, asked)

    def wanted(self, case: Case, *, scratch: bool) -> tuple[Wanted, ...]:
        return (Wanted(Role.WORKER, PODS, importer_pod(case, _asked(case), scratch=scratch)),)

    def missing(self, case: Case, *, has_started: bool) -> tuple[Wanted, ...]:
        source = case.seen.cluster.proxy.certificates
        return (proxy_certificates(case.claim, source),) if source and not has_started else ()


def _asked(case: Case) -> Parameters:
    return cast(Parameters, case.asked)
