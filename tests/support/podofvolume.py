"""What the importer of a DataVolume is told in its pod, from the manifest on, as the control plane does it.

``python -m support.podofvolume`` reads ``{"source": ..., "secrets": ...}`` and writes the variables, both as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from cdi.api.datavolume import DataVolumeSource
from cdi.apiserver.served import source_warnings
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.importing.kind import Importing
from cdi.controllers.population.kinds.importing.pod import importer_pod
from cdi.controllers.population.observed import Observed
from cdi.controllers.settings import Settings
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.request import asked_of, parameters_of


def environment(source: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """``source``: of the DataVolume. ``secrets``: values by name and key. Raises ValueError for what is not served."""
    wanted = msgspec.convert(source, DataVolumeSource)
    for warning in source_warnings(wanted.members):
        raise ValueError(warning)
    metadata = {"name": "disk", "namespace": "vms", "uid": "c1", "annotations": asked_of(wanted, {})}
    spec = {"resources": {"requests": {"storage": "1Gi"}}}
    claim = msgspec.convert({"metadata": metadata, "spec": spec}, PersistentVolumeClaim)
    asked = parameters_of(claim.metadata.annotations)
    assert asked is not None
    seen = Observed(claim, settings=Settings(importer_image="importer"))
    pod = importer_pod(Case(seen, Importing(), asked, claim, claim, {}), asked, scratch=False)
    return dict(_resolved(item, secrets) for item in pod["spec"]["containers"][0]["env"])


def _resolved(item: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """As the kubelet does it."""
    if "value" in item:
        return item["name"], item["value"]
    reference = item["valueFrom"]["secretKeyRef"]
    return item["name"], secrets[reference["name"]][reference["key"]]


if __name__ == "__main__":
    print(json.dumps(environment(**json.load(sys.stdin))))
