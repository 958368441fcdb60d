"""When to try again after a fault in the middle of a transfer, and how long to wait before."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from cdi.base.faults import Fault


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``attempts`` consecutive failures without one new byte end the transfer: about 2 minutes of outage."""

    attempts: int = 10
    first_s: float = 0.2
    longest_s: float = 30.0


class Patience:
    """Counts failures in a row of one reader. Transient faults are waited out, permanent ones raised at once."""

    def __init__(
        self, policy: RetryPolicy, sleep: Callable[[float], None], jitter: Callable[[], float] = random.random
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._jitter = jitter
        self._failures = 0

    def progressed(self) -> None:
        self._failures = 0

    def wait_or_raise(self, fault: Fault) -> None:
        """Return after the back-off when another try makes sense, else raise ``fault``; ``sleep`` may raise too."""
        self._failures += 1
        if fault.permanent or fault.code == "Cancelled" or self._failures >= self._policy.attempts:
            raise fault
        self._sleep(self._delay(fault))

    def _delay(self, fault: Fault) -> float:
        asked = fault.values.get("retry_after_s")
        if isinstance(asked, int | float) and asked > 0:
            return min(float(asked), 10 * self._policy.longest_s)
        backoff = min(self._policy.longest_s, self._policy.first_s * 2.0 ** (self._failures - 1))
        return float(backoff * (0.5 + self._jitter() / 2))  # jitter: many readers must not return in step
