"""The service by which the upload proxy finds an upload server. Pure."""

from __future__ import annotations

from cdi.base.wire.upload import PORT
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.population.kind import Case
from cdi.controllers.population.plan import Role, Wanted
from cdi.kube.resources import SERVICES


def upload_service(case: Case) -> Wanted:
    """Without an address of its own: it names the one pod."""
    claim = case.claim.metadata
    name = names.upload_service(claim.name)
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": claim.namespace,
            "labels": a.APP | dict(case.seen.settings.labels) | {a.COMPONENT: a.UPLOAD_SERVER},
            "annotations": {a.CREATED_BY_UPLOAD: "yes"},
            "ownerReferences": [owner_reference("v1", "PersistentVolumeClaim", claim)],
        },
        "spec": {
            "clusterIP": "None",
            "selector": {"service": name, a.UPLOAD_TARGET_LABEL: claim.uid},
            "ports": [{"protocol": "TCP", "port": PORT, "targetPort": PORT}],
        },
    }
    return Wanted(Role.SERVICE, SERVICES, body)
