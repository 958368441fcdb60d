"""Questions to the API server about people: whose token it is, and what somebody may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from cdi.kube.client import Client
from cdi.kube.resources import Resource


class UserInfo(Struct):
    """Who asks; ``extra`` is handed on when we ask for that person's rights."""

    username: str = ""
    uid: str = ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}


class _TokenStatus(Struct):
    authenticated: bool = False
    user: UserInfo = field(default_factory=UserInfo)


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


async def bearer_of(client: Client, token: str) -> UserInfo | None:
    """None: the API server knows nobody with this token. Raises what the client raises."""
    known = (await client.create(_TOKENS, {"metadata": {}, "spec": {"token": token}})).status
    return known.user if known.authenticated else None


async def is_allowed(client: Client, user: UserInfo, asked: Mapping[str, Any]) -> bool:
    """``asked``: ``resourceAttributes`` or ``nonResourceAttributes`` of a SubjectAccessReview. Raises what the client
    raises."""
    spec = {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra, **asked}
    return (await client.create(_ACCESS, {"metadata": {}, "spec": spec})).status.allowed
