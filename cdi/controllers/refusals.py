"""What the API server refused to make, and when it is asked again.

A quota, a policy or a webhook is in the way, and people take it away, or never. So each request is repeated after a
back-off of its own, and at a pace that a namespace full of refused ones cannot raise, also when a controller that had
other things to do finds many due at once. A request that has changed is another one, and made at once. When something
was granted, or a quota has got room, the two that wait longest are asked for, and two more for each of them that is
granted: all of them begin soon, and a quota with room for one costs two requests, however many wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import msgspec

from cdi.base.units import parse_quantity
from cdi.kube.backoff import Backoff
from cdi.kube.errors import ApiError
from cdi.kube.objects import ResourceQuota
from cdi.kube.store import Key

T = TypeVar("T")

FIRST_S, LONGEST_S = 5.0, 300.0
NAMESPACE_S, ALL_S = 0.25, 0.0625  # between two repetitions in one namespace, and between any two on the average
_PILE_S = 2.5  # so many seconds' worth of repetitions in one namespace may come at once
_WOKEN = 2
_AT_ONCE = -math.inf


class Refused(Exception):
    """``cause``: what the API server said, now or when it was asked last. ``again_s``: seconds until the next request.
    ``is_news``: nobody was ``told`` of it yet."""

    def __init__(self, cause: ApiError, again_s: float, *, is_news: bool) -> None:
        super().__init__(cause.message)
        self.cause = cause
        self.again_s = again_s
        self.is_news = is_news


@dataclass(slots=True)
class _Standing:
    request: bytes
    cause: ApiError
    due: float = 0.0
    told: bool = False
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_S, LONGEST_S))


class Refusals:
    """Of one controller: at most one for each of its keys."""

    def __init__(self) -> None:
        self._standing: dict[str, dict[str, _Standing]] = {}  # by namespace and name; the one asked last comes last
        self._next: dict[str, float] = {}  # by namespace: when its next turn is
        self._free: dict[str, float] = {}  # by namespace: until when the pace is used up
        self._enqueue: Callable[[Key], None] = lambda _: None

    def on_turn(self, enqueue: Callable[[Key], None]) -> None:
        """``enqueue`` gets keys whose requests are worth another try, before their time."""
        self._enqueue = enqueue

    async def ask(self, key: Key, request: Mapping[str, Any], call: Callable[[], Awaitable[T]]) -> T:
        """What ``call`` gives. Raises Refused, without a call while the same ``request`` has to wait; and whatever
        ``call`` raises that is no refusal."""
        digest = hashlib.sha256(msgspec.json.encode(request, order="deterministic")).digest()
        before = self._standing.get(key.namespace, {}).get(key.name)
        if before is not None and before.request != digest:
            before = None
        if before is not None and (wait_s := self._wait_s(key.namespace, before)) > 0:
            raise Refused(before.cause, wait_s, is_news=not before.told)
        try:
            granted = await call()
        except ApiError as error:
            if not error.refused:
                raise
            standing = self._stand(key, _Standing(digest, error))
            raise Refused(error, standing.due - _now(), is_news=not standing.told) from error
        self.forget(key)
        self.wake(key.namespace)
        return granted

    def told(self, key: Key) -> None:
        """Whoever has to know of the refusal does."""
        found = self._standing.get(key.namespace, {}).get(key.name)
        if found is not None:
            found.told = True

    def forget(self, key: Key) -> None:
        """Nobody asks for it any more."""
        found = self._standing.get(key.namespace, {})
        found.pop(key.name, None)
        if not found:
            self._standing.pop(key.namespace, None)
            self._next.pop(key.namespace, None)
            self._free.pop(key.namespace, None)

    def wake(self, namespace: str) -> None:
        """Something may be granted there now."""
        now = _now()
        waiting = (found for found in self._standing.get(namespace, {}).items() if found[1].due > now)
        for name, item in list(islice(waiting, _WOKEN)):
            item.due = _AT_ONCE
            self._enqueue(Key(namespace, name))

    def lift(self, key: Key) -> None:
        """What it was refused for may have changed: it is asked again in its turn, without the rest of its wait."""
        found = self._standing.get(key.namespace, {}).get(key.name)
        if found is not None:
            found.due = min(found.due, self._turn(key.namespace, 0.0))

    def quota_changed(self, old: ResourceQuota | None, new: ResourceQuota | None) -> None:
        """Follows the store of quotas."""
        changed = new or old
        if old is not None and changed is not None and (new is None or _has_more_room(old, new)):
            self.wake(changed.metadata.namespace)

    def _stand(self, key: Key, made: _Standing) -> _Standing:
        made.cause.with_traceback(None)  # which would keep all that the caller had in hand
        found = self._standing.setdefault(key.namespace, {})
        before = found.pop(key.name, None)
        if before is not None and before.request == made.request:
            made.backoff = before.backoff
            made.told = before.told and before.cause.message == made.cause.message
        made.due = self._turn(key.namespace, made.backoff.next_s())
        found[key.name] = made
        return made

    def _turn(self, namespace: str, wait_s: float) -> float:
        """When something is asked again that waits so long at least: there are only so many turns in a second."""
        turn = max(self._next.get(namespace, 0.0), _now())
        self._next[namespace] = turn + self._gap_s()
        return turn + wait_s

    def _wait_s(self, namespace: str, item: _Standing) -> float:
        """Seconds until it may be repeated; 0: it is. What is due may have piled up behind other work: only so many of
        it are repeated at once, and the others take another turn."""
        now = _now()
        if item.due == _AT_ONCE:
            return 0.0
        if item.due > now:
            return item.due - now
        free = max(self._free.get(namespace, 0.0), now)
        if free - now > _PILE_S:
            item.due = self._turn(namespace, FIRST_S)
            return item.due - now
        self._free[namespace] = free + self._gap_s()
        return 0.0

    def _gap_s(self) -> float:
        return max(NAMESPACE_S, ALL_S * len(self._standing))


def _has_more_room(old: ResourceQuota, new: ResourceQuota) -> bool:
    before, after = old.status, new.status
    if before.hard != after.hard:
        return True
    try:
        return any(
            parse_quantity(after.used.get(name, "0")) < parse_quantity(said) for name, said in before.used.items()
        )
    except ValueError:
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
