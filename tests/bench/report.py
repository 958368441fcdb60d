"""The results as tables and as JSON: medians, and the median of the ratios of each round's pair."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Iterable
from typing import Any

from bench.measure import Measured
from bench.rounds import OURS, Outcome

from cdi.base.units import GiB, MiB

BAR = "\\|"  # a bar inside a cell
_HEADER = (
    "| case (n) | against | wall s | cpu s/GiB | peak MiB | written/allocated | wall ratio (min-max) | load |\n"
    "|---|---|---|---|---|---|---|---|"
)


def median(runs: Iterable[Measured], value: Callable[[Measured], float]) -> float:
    return statistics.median(map(value, runs))


def ratios(outcome: Outcome, rival: str) -> list[float]:
    """Wall time of ours over the rival's, round by round."""
    pairs = zip(outcome.runs[OURS], outcome.runs[rival], strict=True)
    return [ours.wall_s / theirs.wall_s for ours, theirs in pairs]


def table(outcomes: Iterable[tuple[Outcome, int]]) -> str:
    """``outcomes``: with the allocated bytes of each one's disk. Cells are ours / the rival's."""
    return "\n".join([_HEADER, *(line for outcome, allocated in outcomes for line in lines(outcome, allocated))])


def lines(outcome: Outcome, allocated: int) -> list[str]:
    rivals = [name for name in outcome.runs if name != OURS]
    return [_line(outcome, rival, allocated) for rival in rivals or [""]]


def _line(outcome: Outcome, rival: str, allocated: int) -> str:
    sides = [outcome.runs[OURS]] + ([outcome.runs[rival]] if rival else [])
    cells = (
        " / ".join(f"{median(side, lambda run: run.wall_s):.2f}" for side in sides),
        " / ".join(f"{median(side, lambda run: run.cpu_s) * GiB / allocated:.2f}" for side in sides),
        " / ".join(f"{max(run.peak for run in side) / MiB:.0f}" for side in sides) + _group(outcome),
        " / ".join(f"{median(side, lambda run: run.written) / allocated:.2f}" for side in sides),
        _ratio(outcome, rival) if rival else "-",
        "{:.1f}-{:.1f}".format(*outcome.load),
    )
    return f"| {outcome.case.name} ({len(sides[0])}) | {rival.replace('|', BAR) or '-'} | {' | '.join(cells)} |"


def _group(outcome: Outcome) -> str:
    return f" (cgroup {outcome.group_peak / MiB:.0f})" if outcome.group_peak else ""


def _ratio(outcome: Outcome, rival: str) -> str:
    found = ratios(outcome, rival)
    return f"**{statistics.median(found):.2f}** ({min(found):.2f}-{max(found):.2f})"


def as_json(outcomes: Iterable[tuple[Outcome, int]]) -> list[dict[str, Any]]:
    return [{"allocated": allocated, **dataclasses.asdict(outcome)} for outcome, allocated in outcomes]
