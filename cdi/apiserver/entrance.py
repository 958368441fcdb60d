"""The way in that only API servers know: the last segment of the path to which they send DataVolumes.

A webhook is asked without a client certificate. So whoever reaches the port can ask it too, with a review of their own
making in which an administrator clones something, and would get the token for that. Users cannot read webhook
configurations. What they do see is the message when a webhook cannot be reached, and it has the whole path: so the
segment is made anew when a process starts, as after an outage, and every hour.

Kept in the Secret ``cdi-apiserver-entrance``. Several pods may make it anew: what comes by a segment that is not known
yet is a reason to look there, and the one before counts until all API servers have noticed.
"""

from __future__ import annotations

import base64
import datetime
import logging
import re
import secrets
import time
from collections.abc import Callable

from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, Conflict
from cdi.kube.objects import Secret
from cdi.kube.resources import SECRETS

log = logging.getLogger(__name__)

NAME = "cdi-apiserver-entrance"
_SEGMENT, _MADE = "segment", "made"
_BYTES = 20
_SOUND = re.compile(r"[a-z0-9]{32,63}")  # a DNS label, as the API demands, and too long to guess
_LIFE = datetime.timedelta(hours=1)
_NOTICED_S = 120.0
_LOOK_EVERY_S = 1.0  # strangers cost one request a second at most


class Entrance:
    """``segment``: where webhook configurations are to lead; empty until ``renew`` has been there once.
    ``passed_by``: is told of strangers, for they may be API servers whose configuration leads elsewhere."""

    def __init__(self, client: Client, namespace: str, passed_by: Callable[[], None] = lambda: None) -> None:
        self.segment = ""
        self._passed_by = passed_by
        self._client = client
        self._namespace = namespace
        self._former: dict[str, float] = {}  # until when it counts
        self._looked = float("-inf")

    async def renew(self, now: datetime.datetime) -> None:
        """Makes the segment where it is missing, no segment, or due. Raises ApiError."""
        secret = await self._client.find(SECRETS, NAME, self._namespace)
        if secret is None or not self.segment or _is_due(secret, now):
            secret = await self._made(secret, now)
        self._adopt(secret)

    async def admits(self, segment: str) -> bool:
        """Whether somebody who came by ``segment`` is an API server."""
        admitted = self._knows(segment) or await self._knows_by_now(segment)
        if not admitted:
            self._passed_by()
        return admitted

    async def _knows_by_now(self, segment: str) -> bool:
        now = time.monotonic()
        if not _SOUND.fullmatch(segment) or now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        try:
            secret = await self._client.find(SECRETS, NAME, self._namespace)
        except ApiError as error:
            log.warning("the entrance is not known anew: %s", error)
            return False
        if secret is not None:
            self._adopt(secret)
        return self._knows(segment)

    def _knows(self, segment: str) -> bool:
        now = time.monotonic()
        counted = [self.segment, *(old for old, until in self._former.items() if until > now)]
        return any(one and secrets.compare_digest(segment.encode("utf-8", "replace"), one.encode()) for one in counted)

    def _adopt(self, secret: Secret) -> None:
        found = _segment(secret)
        if not found or found == self.segment:
            return
        now = time.monotonic()
        self._former = {old: until for old, until in self._former.items() if until > now and old != found}
        if self.segment:
            self._former[self.segment] = now + _NOTICED_S
        self.segment = found

    async def _made(self, before: Secret | None, now: datetime.datetime) -> Secret:
        """A new one, or what another pod has made in the same moment."""
        made = {_SEGMENT: secrets.token_hex(_BYTES), _MADE: now.isoformat()}
        data = {key: base64.b64encode(text.encode()).decode() for key, text in made.items()}
        try:
            if before is None:
                metadata = {"name": NAME, "namespace": self._namespace}
                return await self._client.create(SECRETS, {"metadata": metadata, "type": "Opaque", "data": data})
            self._adopt(before)
            patch = {"metadata": {"resourceVersion": before.metadata.resource_version}, "data": data}
            return await self._client.merge_patch(SECRETS, NAME, patch, namespace=self._namespace)
        except (AlreadyExists, Conflict):
            return await self._client.get(SECRETS, NAME, self._namespace)


def _segment(secret: Secret) -> str:
    """Empty where there is none."""
    found = secret.data.get(_SEGMENT, b"").decode("ascii", "replace")
    return found if _SOUND.fullmatch(found) else ""


def _is_due(secret: Secret, now: datetime.datetime) -> bool:
    """Also what cannot be read, or is of the future."""
    try:
        made = datetime.datetime.fromisoformat(secret.data.get(_MADE, b"").decode("ascii", "replace"))
        return not _segment(secret) or not made <= now < made + _LIFE
    except (ValueError, TypeError, OverflowError):
        return True
