"""Who may read the metrics: whoever the API server knows by token, and lets ``get`` the path."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec import Struct, field

from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.resources import Resource

log = logging.getLogger(__name__)

_AT_ONCE = 4  # a crowd of scrapers must not take the connections of the controllers


class _User(Struct):
    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class _TokenStatus(Struct):
    authenticated: bool = False
    user: _User = field(default_factory=_User)


class _Token(Struct):
    status: _TokenStatus = field(default_factory=_TokenStatus)


class _AccessStatus(Struct):
    allowed: bool = False


class _Access(Struct):
    status: _AccessStatus = field(default_factory=_AccessStatus)


_TOKENS: Resource[_Token] = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", False, _Token)
_ACCESS: Resource[_Access] = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False, _Access
)


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
        known = (await self._client.create(_TOKENS, _review({"token": token}))).status
        if not known.authenticated:
            return 401
        user = known.user
        asked = {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra}
        spec = asked | {"nonResourceAttributes": {"path": path, "verb": "get"}}
        return 0 if (await self._client.create(_ACCESS, _review(spec))).status.allowed else 403


def _review(spec: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {}, "spec": spec}
