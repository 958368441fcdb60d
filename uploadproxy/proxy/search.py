"""Looks for the upload server of a claim, and waits a little for one that is not ready."""

from __future__ import annotations

import asyncio

from cdi.base.faults import Fault
from cdi.base.upload_permits import UploadPermit
from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.resources import CLAIMS
from uploadproxy.proxy.destination import Destination, destination, filled_claim, hindrance
from uploadproxy.proxy.refusal import UNAVAILABLE, Refusal

PATIENCE_S = 10.0  # the contract's: clients repeat almost at once, and only five times
_STEP_S = 0.5


class Search:
    """Reads claims live, by name: that is all that our role allows, and nobody waits for a store to learn."""

    def __init__(self, client: Client, patience_s: float = PATIENCE_S) -> None:
        self._client = client
        self._patience_s = patience_s

    async def destination(self, permit: UploadPermit) -> Destination:
        """Waits ``patience_s`` at most. Raises Refusal."""
        why = f"{permit.namespace}/{permit.name}: nothing is known of it"
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    found = await self._look(permit)
                    if isinstance(found, Destination):
                        return found
                    why = found
                    await asyncio.sleep(_STEP_S)
        except TimeoutError:
            raise self._not_ready(why) from None

    async def _look(self, permit: UploadPermit) -> Destination | str:
        """Or why there is none yet."""
        try:
            return await self._found(permit)
        except ApiError as error:
            if error.transient:
                return f"{permit.namespace}/{permit.name}: {error}"
            fault = Fault("UploadLookupFailed", claim=f"{permit.namespace}/{permit.name}", cause=error)
            raise Refusal(UNAVAILABLE, fault) from error

    async def _found(self, permit: UploadPermit) -> Destination | str:
        target = await self._client.find(CLAIMS, permit.name, permit.namespace)
        if target is None:
            raise _missing(permit.namespace, permit.name)
        name = filled_claim(target, permit)
        if not name:
            return f"{permit.namespace}/{permit.name}: it has no PVC' yet"
        claim = target
        if name != target.metadata.name:
            prime = await self._client.find(CLAIMS, name, permit.namespace)
            if prime is None:
                raise _missing(permit.namespace, name)
            claim = prime
        return destination(claim, target) or hindrance(claim)

    def _not_ready(self, why: str) -> Refusal:
        contract = "context deadline exceeded"
        fault = Fault("UploadNotReady", contract=contract, seconds=f"{self._patience_s:g}", why=why)
        return Refusal(UNAVAILABLE, fault)


def _missing(namespace: str, name: str) -> Refusal:
    return Refusal(UNAVAILABLE, Fault("UploadClaimMissing", claim=f"{namespace}/{name}"))
