"""Points in time as the API writes them: RFC 3339."""

from __future__ import annotations

import datetime

_LONGEST = 40  # characters: 2026-01-01T00:00:00.123456789+00:00 has 35
_DAY = datetime.timedelta(days=1)


def moment(text: str) -> datetime.datetime | None:
    """Of ``2026-01-01T00:00:00Z``; None for what is none, has no time zone, or lies at an end of the calendar, where
    nothing can be added to it."""
    if len(text) > _LONGEST:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
        return found.astimezone(datetime.UTC) if found.tzinfo and found - _DAY and found + _DAY else None
    except (ValueError, OverflowError):
        return None


def written(at: datetime.datetime) -> str:
    """To the second, in UTC. ``at``: with a time zone."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
