"""The APIService: that the API server hands ``upload.cdi.kubevirt.io`` on to us. cdi-apiserver puts in ``caBundle``."""

from __future__ import annotations

from cdi.api.admission import API_SERVICE
from cdi.api.crd import Manifest
from cdi.api.uploadtoken import GROUP, VERSION
from cdi.operator.installation import Installation, metadata
from cdi.operator.webhooks import SERVICE


def apiservice(installation: Installation) -> Manifest:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": metadata(API_SERVICE, component=SERVICE),
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": installation.namespace, "name": SERVICE, "port": 443},
        },
    }
