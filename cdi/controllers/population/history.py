"""The last attempts at a claim, on the claim itself: there is no other trace of them once their pods are gone. Pure."""

from __future__ import annotations

import msgspec

from cdi.api.datavolume import Attempt

_KEPT = 5


def recorded(before: str, attempt: Attempt) -> str:
    """``before``, the annotation as it was, with ``attempt`` in it once, however often it is seen, and as it was seen
    last."""
    known = attempts_in(before)
    if attempt in known:
        return before
    others = [past for past in known if past.start != attempt.start]
    return msgspec.json.encode([*others, attempt][-_KEPT:]).decode()


def attempts_in(annotation: str) -> list[Attempt]:
    """None where there is no annotation, or none of ours."""
    try:
        return msgspec.json.decode(annotation, type=list[Attempt])
    except msgspec.MsgspecError:
        return []
