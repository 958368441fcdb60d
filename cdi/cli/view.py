"""One DataVolume as the verbs show it, wherever it lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api.datavolume import Condition, DataVolume
from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE
from cdi.cli.names import Name


@dataclass(frozen=True, slots=True)
class View:
    """``document``: the whole object, with fields this version does not know. ``transfer``: the worker's last progress
    line (keys as in ``importer.progress.Snapshot.json_line``); empty when none is known."""

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
        failure = self.volume.status.failure
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED) or (failure is not None and failure.permanent)

    def condition(self, kind: str) -> Condition:
        known = (item for item in self.volume.status.conditions if item.type == kind)
        return next(known, Condition(kind, "Unknown"))

    @property
    def trouble(self) -> str:
        """What went wrong last, in the worker's or controller's words; empty while nothing did."""
        running, bound = self.condition("Running"), self.condition("Bound")
        failure = self.volume.status.failure
        if failure is not None and running.status == "True":
            entry = CATALOGUE.get(failure.code)
            remedy = f" Try: {entry.remedy}" if entry is not None and "{" not in entry.remedy else ""
            return f"the last attempt ended in [{failure.code}], another one runs.{remedy}"
        if failure is not None or self.phase == Phase.FAILED or running.reason == "Error":
            return running.message or bound.message
        return ""
