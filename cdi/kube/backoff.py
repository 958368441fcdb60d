"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Backoff:
    """Doubles from ``first_s`` to ``longest_s``; each wait is 50 to 100 % of that, so that crowds disperse."""

    first_s: float
    longest_s: float
    jitter: Callable[[], float] = random.random
    failures: int = 0

    def next_s(self) -> float:
        # The exponent is bounded: 2.0 ** 1024 overflows, and an outage may last a week.
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(self.failures, 60))
        self.failures += 1
        return ceiling * (1 + self.jitter()) / 2

    def reset(self) -> None:
        self.failures = 0
