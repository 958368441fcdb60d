"""Amounts of resources on the wire: ``20Gi``, ``"500m"``, ``2``."""

from __future__ import annotations

# The schema admits text and whole numbers only; JSON that never saw an API server may hold a fraction.
Quantity = str | int | float
