"""Who may read the metrics: whoever the API server knows by token, and lets ``get`` the path."""

from __future__ import annotations

import asyncio
import logging

from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.reviews import bearer_of, is_allowed

log = logging.getLogger(__name__)

_AT_ONCE = 4  # a crowd of scrapers must not take the connections of the controllers


class Guard:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def refusal(self, path: str, authorization: str) -> int:
        """The HTTP status of a refusal, 0 for none. ``authorization``: the header, or ``""``."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return 401
        try:
            async with self._places:
                return await self._reviewed(path, token.strip())
        except ApiError as error:
            log.warning("who asks for %s cannot be looked up: %s", path, error)
            return 503

    async def _reviewed(self, path: str, token: str) -> int:
        user = await bearer_of(self._client, token)
        if user is None:
            return 401
        asked = {"nonResourceAttributes": {"path": path, "verb": "get"}}
        return 0 if await is_allowed(self._client, user, asked) else 403
