"""The time as the API writes it."""

from __future__ import annotations

import datetime


def now() -> str:
    """RFC 3339, UTC, whole seconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
