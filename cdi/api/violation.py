"""A broken rule: where, and what is wrong."""

from __future__ import annotations

from typing import NamedTuple


class Violation(NamedTuple):
    """``field`` is the contract's path, its capitals included; empty where the contract names none."""

    field: str
    message: str
