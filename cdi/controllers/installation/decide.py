"""The status of each CDI object. Pure."""

from __future__ import annotations

from cdi.api.cdi import CDI, CDIStatus
from cdi.api.datavolume import Condition

_UNWANTED = "Reconciling to error state, unwanted CDI object"


def status_of(system: CDI, active: CDI | None, version: str, now: str) -> CDIStatus:
    if active is None or system.metadata.uid != active.metadata.uid:
        wanted = _conditions(("False", "", ""), ("False", "", ""), ("True", "ConfigError", _UNWANTED))
        return CDIStatus(conditions=_timed(wanted, system, now), phase="Error")
    done = ("DeployCompleted", "Deployment Completed")
    wanted = _conditions(("True", *done), ("False", "", ""), ("False", "", ""))
    return CDIStatus(
        conditions=_timed(wanted, system, now),
        observed_version=version,
        operator_version=version,
        phase="Deployed",
        target_version=version,
    )


def _conditions(*states: tuple[str, str, str]) -> list[Condition]:
    kinds = ("Available", "Progressing", "Degraded")
    return [Condition(kind, *state) for kind, state in zip(kinds, states, strict=True)]


def _timed(wanted: list[Condition], system: CDI, now: str) -> list[Condition]:
    """Times stay where nothing changed."""
    known = {item.type: item for item in system.status.conditions}
    result = []
    for item in wanted:
        old = known.get(item.type)
        same = old is not None and (old.status, old.reason, old.message) == (item.status, item.reason, item.message)
        item.last_transition_time = item.last_heartbeat_time = now
        result.append(old if same and old is not None else item)
    return result
