"""What is done about the worker of a claim in one pass."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import Action

STUCK_S = 10.0  # after which a worker that its node has not started is asked about


@dataclass(frozen=True, slots=True)
class Step:
    """``first`` comes before the outputs are written, ``then`` after: what is lost with a pod is on record by then.
    ``wait``: seconds after which time alone changes what is decided."""

    outputs: Outputs
    first: tuple[Action, ...] = ()
    then: tuple[Action, ...] = ()
    wait: float | None = None
    scratch_is_awaited: bool = False
