"""Columns for people, as kubectl prints them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """``Name:   value`` lines; rows without a value are left out."""
    shown = [(name, value) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0) + 3
    return "\n".join(f"{name + ':':<{width}}{value}" for name, value in shown)


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def age(timestamp: str, now: datetime.datetime) -> str:
    """As kubectl shows it: ``42s``, ``3m``, ``5h``, ``2d``."""
    if not timestamp:
        return "<unknown>"
    seconds = int(age_s(timestamp, now))
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{max(0, seconds)}s"


def age_s(timestamp: str, now: datetime.datetime) -> float:
    """Seconds since ``timestamp``; 0 where there is none."""
    return (now - datetime.datetime.fromisoformat(timestamp)).total_seconds() if timestamp else 0.0


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
