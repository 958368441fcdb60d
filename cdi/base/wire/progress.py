"""How far a worker is: one JSON line on its standard output when that changes, at most every 2 s, and one at its end.

A local parent reads the pipe, a controller the pod's log; ``cdi import -o json`` prints the same lines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LONGEST = 16 << 10  # bytes; a worker's are 300, and at most 4 KiB with the record of a device
_STAGE, _RECORD = 64, 8 << 10  # characters


@dataclass(frozen=True, slots=True)
class ProgressLine:
    """``bytes_*``: transferred bytes; total None where the source does not say. ``percent``: 0 to 100, None where no
    total is known. ``rate_bps``: bytes per second. ``durable``: bytes of disk that would survive a power cut.
    ``record``: of a device, which ones, for another pod to go on with; empty where there is nothing to say."""

    stage: str = ""
    bytes_done: int = 0
    bytes_total: int | None = None
    percent: float | None = None
    rate_bps: float = 0
    eta_seconds: float | None = None
    durable: int = 0
    record: str = ""

    def members(self) -> dict[str, object]:
        """By their names on the wire; none while nothing is known."""
        if not self.stage:
            return {}
        said: dict[str, object] = {
            "stage": self.stage,
            "bytesDone": self.bytes_done,
            "bytesTotal": self.bytes_total,
            "percent": self.percent,
            "rateBps": self.rate_bps,
            "etaSeconds": self.eta_seconds,
            "durable": self.durable,
        }
        if self.record:
            said["record"] = self.record
        return said

    def encode(self) -> str:
        return json.dumps(self.members(), separators=(",", ":"))


def decode_progress(line: str | bytes) -> ProgressLine | None:
    """None for what is no progress line: a library's words, or numbers that no status could hold."""
    from cdi.base.wire.members import Members

    try:
        said = Members(line, LONGEST)
        return ProgressLine(
            stage=said.text("stage", _STAGE),
            bytes_done=said.count("bytesDone") or 0,
            bytes_total=said.count("bytesTotal"),
            percent=said.number("percent", 0, 1000),
            rate_bps=said.number("rateBps", 0, 1e15) or 0,
            eta_seconds=said.number("etaSeconds", -1e15, 1e15),
            durable=said.count("durable") or 0,
            record=said.text("record", _RECORD),
        )
    except ValueError:
        return None
