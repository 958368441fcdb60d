"""What somebody may have meant: the nearest of the names that exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_SHOWN = 3


def hint(name: str, known: Collection[str]) -> str:
    """``; there are: a, b and 5 more``, the nearest of ``known``, to follow a sentence that misses ``name``."""
    near = difflib.get_close_matches(name, known, _SHOWN, 0.5) or sorted(known)[:_SHOWN]
    others = len(set(known)) - len(near)
    more = f" and {others} more" if others else ""
    return f"; there are: {', '.join(near)}{more}" if near else "; there is none at all"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """``, did you mean X?``, or nothing when nothing is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f", did you mean {near[0]}?" if near else ""
