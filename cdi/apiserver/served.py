"""What controllers of this version act on. The rest says so when it is created: never a silent wait."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.base.sources import is_imported

_INSIDE = ("upload", "pvc", "snapshot")  # no sources that a worker fetches from outside the cluster

NOT_ACTED_ON = "accepted, not acted on by this version"


def source_warnings(members: Iterable[str]) -> tuple[str, ...]:
    """``members``: names of sources, as ``spec.source`` has them."""
    return tuple(
        f"source {name} is {NOT_ACTED_ON}" for name in members if name not in _INSIDE and not is_imported(name)
    )


def kind_warning(kind: str) -> str:
    return f"{kind} is {NOT_ACTED_ON}"
