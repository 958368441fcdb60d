"""Why a claim is not bound, or a worker not started: provisioner, scheduler and kubelet say so in events."""

from __future__ import annotations

from cdi.kube.client import PAGE, Client
from cdi.kube.objects import Event, Metadata
from cdi.kube.resources import EVENTS


async def newest_event(client: Client, about: Metadata, *, warnings: bool = False) -> Event | None:
    """The newest event about an object, of equally new ones the longest. One request, for 500 of them at most: whoever
    makes more about one object makes them for nobody. ``warnings``: no others.

    Not the one that a PVC' gets when its volume is handed over, as it has to be.
    """
    found = await client.some(EVENTS, PAGE, namespace=about.namespace, fields=f"involvedObject.uid={about.uid}")
    told = (event for event in found if event.reason != "ClaimMisbound" and (event.type == "Warning" or not warnings))
    return max(told, key=lambda event: (event.last_timestamp or "", len(event.message)), default=None)
