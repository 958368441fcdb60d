"""How large the cluster is."""

from __future__ import annotations

import logging

from msgspec import Struct, field

from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.resources import Resource

log = logging.getLogger(__name__)


class _InfrastructureStatus(Struct, rename="camel"):
    control_plane_topology: str = ""
    infrastructure_topology: str = ""


class _Infrastructure(Struct):
    status: _InfrastructureStatus = field(default_factory=_InfrastructureStatus)


_INFRASTRUCTURES: Resource[_Infrastructure] = Resource(
    "config.openshift.io", "v1", "infrastructures", "Infrastructure", False, _Infrastructure
)


async def has_one_node(client: Client) -> bool:
    """Only OpenShift says so. Unknown counts as no: all that depends on it is a label of a metric."""
    try:
        found = await client.find(_INFRASTRUCTURES, "cluster")
    except ApiError as error:
        log.warning("whether the cluster has one node is not known: %s", error)
        return False
    single = "SingleReplica"
    return found is not None and found.status == _InfrastructureStatus(single, single)
