"""Attempts at a target that comes late, goes away, and comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from cdi.base.faults import Fault
from cloner.server import Away, Finished
from importer.cancel import Cancel

log = logging.getLogger("cloner")

PATIENCE_S = 900.0  # without a byte that the target took; it may have to be scheduled, and its image pulled
_PAUSE_S, _PAUSE_MOST_S = 0.1, 2.0


def persist(
    attempt: Callable[[], None], taken: Callable[[], int], name: str, cancel: Cancel, patience_s: float = PATIENCE_S
) -> None:
    """Until one ends well. ``taken``: bytes by the target called ``name``, in all attempts. Blocking. Raises Fault
    CloneTargetAway, and what the attempt raises."""
    since_s, before, pause_s = time.monotonic(), 0, _PAUSE_S
    while True:
        try:
            attempt()
        except Finished:
            log.info("the target had all of it already")
            return
        except Away as away:
            now_s = time.monotonic()
            if taken() > before:
                since_s, before, pause_s = now_s, taken(), _PAUSE_S
            if now_s - since_s > patience_s:
                raise Fault("CloneTargetAway", server=name, seconds=f"{patience_s:.0f}", cause=away) from away
            log.info("%s: %s; it is tried again", name, away)
            cancel.sleep(pause_s)
            pause_s = min(2 * pause_s, _PAUSE_MOST_S)
        else:
            return
