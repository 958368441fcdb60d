"""An empty disk on a new volume that reads as zeroes is there already. Pure."""

from __future__ import annotations

from cdi.base.sources import is_empty
from cdi.contract import annotations as a
from cdi.controllers.claims.binding import is_bound
from cdi.controllers.classes import is_untouched, may_be_untouched
from cdi.controllers.population import outputs
from cdi.controllers.population.kind import Case
from cdi.controllers.population.step import Step
from cdi.sources.parameters import Parameters

_VOLUME_SEEN_S = 5.0
_OF_A_WORKER = (*a.POD_NAMES, a.POD_PHASE, a.OWN_HISTORY, a.OWN_DURABLE)  # it may have written something


def nothing_to_write(case: Case, asked: Parameters) -> Step | None:
    """None: a worker has to see to it."""
    seen, claim, before = case.seen, case.claim, case.before
    storage_class = seen.storage_class
    if not is_empty(asked.source) or asked.preallocation or storage_class is None or not is_bound(claim):
        return None
    if not may_be_untouched(claim, storage_class) or any(key in before for key in _OF_A_WORKER):
        return None
    if seen.volume is None:
        return Step(before, wait=_VOLUME_SEEN_S)  # its watch lags behind that of claims, and tells when it does no more
    if not is_untouched(claim, seen.volume, storage_class):
        return None
    text = (
        f"Import Complete: nothing was written, as new volumes of storage class {storage_class.metadata.name} are zero"
    )
    done = {a.POD_RESTARTS: "0"} | outputs.without_attempt(before) | {a.POD_PHASE: "Succeeded"}
    return Step(done | outputs.running(False, "Completed", text))
