"""Why a claim is not bound: the provisioner and the scheduler say so in events."""

from __future__ import annotations

from cdi.kube.client import Client
from cdi.kube.objects import Event
from cdi.kube.resources import EVENTS
from cdi.kube.storage import PersistentVolumeClaim


async def newest_event(client: Client, claim: PersistentVolumeClaim) -> Event | None:
    """The newest event about ``claim``, of equally new ones the longest. One request."""
    fields = f"involvedObject.uid={claim.metadata.uid}"
    found = await client.list(EVENTS, claim.metadata.namespace, fields=fields)
    return max(found, key=lambda event: (event.last_timestamp or "", len(event.message)), default=None)
