"""The APIService in the cluster: whether it is there, and whom the API server trusts when it hands requests on."""

from __future__ import annotations

import logging
from typing import Any

from msgspec import field

from cdi.api.admission import API_SERVICE
from cdi.kube.client import Client
from cdi.kube.objects import Object, View
from cdi.kube.resources import Resource

log = logging.getLogger(__name__)


class _Spec(View, frozen=True):
    ca_bundle: str | None = None
    insecure_skip_tls_verify: bool = field(default=False, name="insecureSkipTLSVerify")


class ApiService(Object, frozen=True):
    spec: _Spec = field(default_factory=_Spec)


API_SERVICES: Resource[ApiService] = Resource(
    "apiregistration.k8s.io", "v1", "apiservices", "APIService", False, ApiService
)


async def keep(client: Client, bundle: str) -> bool:
    """``bundle``: in base64. False: it should be there, and is missing. Raises ApiError."""
    found = await client.find(API_SERVICES, API_SERVICE)
    if found is None:
        return False
    if found.spec.ca_bundle == bundle and not found.spec.insecure_skip_tls_verify:
        return True
    # Who applies the manifest again says neither, and so changes neither.
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": "/spec/insecureSkipTLSVerify", "value": False},
        {"op": "add", "path": "/spec/caBundle", "value": bundle},
    ]
    await client.json_patch(API_SERVICES, API_SERVICE, patch)
    log.info("%s trusts the certificate authority", API_SERVICE)
    return True
