"""The goals of the project's first issue, each with the value that this run measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.cases import CONVERT, DIRECT, ONE_STREAM
from bench.report import median, ratios
from bench.rounds import OURS, Outcome

from cdi.base.units import GiB, MiB


@dataclass(frozen=True)
class Goal:
    """``cases``: names of those it is measured on; the worst of them counts."""

    text: str
    limit: float
    cases: tuple[str, ...]
    value: Callable[[Outcome, int], float]


def _written(outcome: Outcome, allocated: int) -> float:
    return max(run.written for run in outcome.runs[OURS]) / allocated


def _ratio_to(rival: str) -> Callable[[Outcome, int], float]:
    return lambda outcome, _: statistics.median(ratios(outcome, rival))


def _cpu_per_gib(outcome: Outcome, allocated: int) -> float:
    return median(outcome.runs[OURS], lambda run: run.cpu_s) * GiB / allocated


def _peak(outcome: Outcome, _: int) -> float:
    return max(run.peak for run in outcome.runs[OURS]) / MiB


def _group_peak(outcome: Outcome, _: int) -> float:
    return outcome.group_peak / MiB


def _wall(outcome: Outcome, _: int) -> float:
    return median(outcome.runs[OURS], lambda run: run.wall_s)


_FORMATS = ("qcow2", "raw", "qcow2-zlib", "qcow2-zstd", "raw.gz", "raw.zst", "raw.xz", "qcow2 S3")
_FOUR = ("qcow2 40 MB/s, 4 conn.", "qcow2 S3 30 ms, 4 conn.")
_EIGHT = ("qcow2 40 MB/s", "qcow2 30 ms", "qcow2 S3 30 ms")

GOALS = (
    Goal("written / allocated", 1.02, _FORMATS, _written),
    Goal("wall against curl + qemu-img convert, plain qcow2", 0.70, ("qcow2",), _ratio_to(CONVERT.name)),
    Goal("wall against curl to dd oflag=direct, plain qcow2", 0.80, ("qcow2",), _ratio_to(DIRECT.name)),
    Goal("wall against one stream at 40 MB/s per connection", 0.20, ("qcow2 40 MB/s",), _ratio_to(ONE_STREAM.name)),
    Goal("cpu s per GiB, plain qcow2", 0.70, ("qcow2",), _cpu_per_gib),
    Goal("peak MiB at 4 connections", 64, _FOUR, _peak),
    Goal("peak MiB at 8 connections", 96, _EIGHT, _peak),
    Goal("cgroup peak MiB in 128 MiB", 128, ("qcow2 128 MiB cgroup", "raw.zst 128 MiB cgroup"), _group_peak),
    Goal("process s, 21 MiB qcow2", 0.35, ("21 MiB qcow2",), _wall),
)


def table(results: Iterable[tuple[Outcome, int]]) -> str:
    """Only goals whose cases were run; ``worst`` names the case that counts."""
    found = {outcome.case.name: (outcome, allocated) for outcome, allocated in results}
    lines = ["| goal | limit | measured | worst case | met |", "|---|---|---|---|---|"]
    for goal in GOALS:
        values = [(goal.value(*found[name]), name) for name in goal.cases if name in found]
        if values:
            value, name = max(values)
            met = "yes" if value <= goal.limit else "**no**"
            lines.append(f"| {goal.text} | {goal.limit:g} | {value:.2f} | {name} | {met} |")
    return "\n".join(lines)
