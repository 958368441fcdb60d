"""The last attempts at a claim, on the claim itself: there is no other trace of them once their pods are gone. Pure."""

from __future__ import annotations

import msgspec

from cdi.api.datavolume import Attempt
from cdi.base.moments import moment
from cdi.kube.decoding import told

_KEPT = 5
_CHARACTERS = 1 << 14  # five attempts have a thousand
BROKEN_OFF = "PodDeleted"  # somebody deleted the pod while it worked; its container may tell more in the end


def recorded(before: str, attempt: Attempt) -> str:
    """``before``, the annotation as it was, with ``attempt`` in it once, however often it is seen, and as it was seen
    last. Times are whole seconds, and the first restart follows at once: two attempts may share their start, and differ
    in how they ended."""
    known = attempts_in(before)
    if attempt in known:
        return before
    others = [past for past in known if not _is_same(past, attempt)]
    return msgspec.json.encode([*others, attempt][-_KEPT:]).decode()


def _is_same(past: Attempt, attempt: Attempt) -> bool:
    outcomes = {past.outcome, attempt.outcome}
    return past.start == attempt.start and (len(outcomes) == 1 or BROKEN_OFF in outcomes)


def attempts_in(annotation: str) -> list[Attempt]:
    """None where there is no annotation, or none of ours."""
    return [attempt for attempt in told(list[Attempt], annotation, _CHARACTERS) or [] if _is_sound(attempt)]


def _is_sound(attempt: Attempt) -> bool:
    """Whether a status can hold it: anybody may have written it."""
    times = (attempt.start, attempt.end)
    return all(not text or moment(text) for text in times) and 0 <= attempt.bytes_done < 2**63
