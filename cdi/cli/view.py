"""One DataVolume as the verbs show it, wherever it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api.datavolume import Condition, DataVolume
from cdi.api.phase import Phase
from cdi.cli.names import Name

UNSEEN_S = 10.0  # after which somebody should say that nobody looks at a volume


@dataclass(frozen=True, slots=True)
class View:
    """``document``: the whole object, with fields this version does not know. ``transfer``: the worker's last progress
    line (keys as in ``cdi.base.wire.progress``); empty when none is known."""

    volume: DataVolume
    document: Mapping[str, Any]
    transfer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> Name:
        return Name(self.volume.metadata.namespace, self.volume.metadata.name)

    @property
    def phase(self) -> str:
        return self.volume.status.phase

    @property
    def is_moving(self) -> bool:
        """Bytes are on their way, as far as can be seen from here."""
        return self.phase.endswith("InProgress") and self.volume.status.failure is None

    @property
    def is_over(self) -> bool:
        """Nothing will happen unless somebody does something."""
        failure, metadata = self.volume.status.failure, self.volume.metadata
        if failure is not None and 0 < failure.generation < metadata.generation:
            return self.phase == Phase.SUCCEEDED  # corrected, and not looked at since
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED) or (failure is not None and failure.permanent)

    @property
    def is_unseen(self) -> bool:
        """No controller has looked at it yet."""
        return not self.phase and not self.volume.status.conditions

    def condition(self, kind: str) -> Condition:
        known = (item for item in self.volume.status.conditions if item.type == kind)
        return next(known, Condition(kind, "Unknown"))

    @property
    def trouble(self) -> str:
        """What went wrong last, in the worker's or controller's words; empty while nothing did."""
        running, bound = self.condition("Running"), self.condition("Bound")
        failure = self.volume.status.failure
        said = failure.message if failure is not None else ""
        if failure is not None and running.status == "True":
            return f"another attempt runs; the last one ended so: {said or f'[{failure.code}]'}"
        if failure is not None or self.phase == Phase.FAILED or running.reason == "Error":
            return said or running.message or bound.message
        return ""
