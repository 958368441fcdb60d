"""Whether the tokens on an object permit a clone. A token counts by its signature and contents, wherever it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from cdi.contract import annotations as a
from cdi.trust.tokens import Permit

Verify = Callable[[str], Permit | None]


def is_permitted(wanted: Permit, annotations: Mapping[str, str], verify: Verify) -> bool:
    """``wanted``: with the uid of the target, which a token may leave out and must not contradict. Within a namespace
    no token is needed: whoever makes claims there may mount the source."""
    if wanted.source.namespace == wanted.target.namespace:
        return True
    return wanted in [replace(item, uid=item.uid or wanted.uid) for item in _permits(annotations, verify)]


def has_lasting(wanted: Permit, annotations: Mapping[str, str], verify: Verify) -> bool:
    """Whether there is a token that does not end in minutes, for this very object."""
    token = annotations.get(a.EXTENDED_CLONE_TOKEN, "")
    return bool(token) and verify(token) == wanted


def _permits(annotations: Mapping[str, str], verify: Verify) -> list[Permit]:
    tokens = [annotations.get(key, "") for key in (a.EXTENDED_CLONE_TOKEN, a.CLONE_TOKEN)]
    return [permit for token in tokens if token and (permit := verify(token)) is not None]
