"""Certificates of the proxy that an importer goes through, copied to where its pod can mount them."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.population.missing import Missing
from cdi.controllers.population.plan import Role, Wanted, with_members
from cdi.controllers.settings import Settings
from cdi.kube.client import Client
from cdi.kube.resources import CONFIG_MAPS
from cdi.kube.storage import PersistentVolumeClaim


@dataclass(frozen=True, slots=True)
class CopyOf:
    """Of a ConfigMap where the system is installed."""

    name: str

    async def filled(self, wanted: Wanted, client: Client, settings: Settings) -> Wanted:
        source = await client.find(CONFIG_MAPS, self.name, settings.namespace)
        if source is None:
            where = f"{settings.namespace}/{self.name}"
            text = f"the worker waits for ConfigMap {where}, which importProxy.trustedCAProxy names: it does not exist"
            raise Missing(404, "ProxyCertificatesMissing", text)
        return with_members(wanted, {"data": source.data})


def proxy_certificates(claim: PersistentVolumeClaim, source: str) -> Wanted:
    """``source``: name of the ConfigMap that an administrator has made."""
    metadata = {"name": names.proxy_certificates(claim.metadata.name), "namespace": claim.metadata.namespace}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"labels": a.APP}}
    return Wanted(Role.CERTIFICATES, CONFIG_MAPS, body, content=CopyOf(source), is_seen=False)
