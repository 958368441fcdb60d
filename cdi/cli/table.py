"""Columns for people, as kubectl prints them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from cdi.base.moments import moment
from cdi.base.printable import one_line


def joined(parts: Iterable[str]) -> str:
    """Each is one line, whatever is in it: what others wrote cannot begin one of ours."""
    return "\n".join(map(one_line, parts))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[one_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """``Name:   value`` lines; rows without a value are left out."""
    shown = [(one_line(name), one_line(value)) for name, value in rows if value]
    width = max((len(name) for name, _ in shown), default=0) + 3
    return "\n".join(f"{name + ':':<{width}}{value}" for name, value in shown)


def indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def age(timestamp: str, now: datetime.datetime) -> str:
    """As kubectl shows it: ``42s``, ``3m``, ``5h``, ``2d``."""
    if moment(timestamp) is None:
        return "<unknown>"
    seconds = int(age_s(timestamp, now))
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{max(0, seconds)}s"


def age_s(timestamp: str, now: datetime.datetime) -> float:
    """Seconds since ``timestamp``; 0 where there is none."""
    at = moment(timestamp)
    return 0.0 if at is None else (now - at).total_seconds()


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
