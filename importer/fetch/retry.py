"""When to try again after a fault in the middle of a transfer, and how long to wait before."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from cdi.base.faults import Fault

log = logging.getLogger("importer")

# A server that gave no range so often in a row gives none; there is another way to read it.
_RANGES_REFUSED = 3
_DOUBLINGS = 32  # more than reach any longest wait; attempts may be any number
FIRST_WAIT_S = 60.0  # in total before the first answer: longer, and somebody should know that nothing happens


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``attempts`` consecutive failures without one new byte end the transfer: about 2 minutes of outage."""

    attempts: int = 10
    first_s: float = 0.2
    longest_s: float = 30.0

    @property
    def longest_asked_s(self) -> float:
        """What a server may ask for with Retry-After."""
        return 10 * self.longest_s


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
        if fault.permanent or fault.code == "Cancelled" or self._failures >= self._most(fault):
            raise fault
        self._sleep(self._delay(fault))

    def _most(self, fault: Fault) -> int:
        attempts = self._policy.attempts
        return min(attempts, _RANGES_REFUSED) if fault.code == "RangesWithdrawn" else attempts

    def _delay(self, fault: Fault) -> float:
        if asked_s := asked_wait(fault):
            return told_wait(asked_s, self._policy.longest_asked_s, fault)
        backoff = min(self._policy.longest_s, self._policy.first_s * 2.0 ** min(self._failures - 1, _DOUBLINGS))
        return float(backoff * (0.5 + self._jitter() / 2))  # jitter: many readers must not return in step


class FirstPatience:
    """Before the first answer only a wait that the server itself has named is waited for, and no long one: whoever
    started this has to see a fault of the source soon, and starts it again."""

    def __init__(self, policy: RetryPolicy, sleep: Callable[[float], None]) -> None:
        self._left = policy.attempts - 1
        self._left_s = FIRST_WAIT_S
        self._sleep = sleep

    def wait_or_raise(self, fault: Fault) -> None:
        asked_s = asked_wait(fault)
        self._left -= 1
        self._left_s -= asked_s
        if fault.permanent or asked_s <= 0 or self._left < 0 or self._left_s < 0:
            raise fault
        self._sleep(told_wait(asked_s, FIRST_WAIT_S, fault))


def asked_wait(fault: Fault) -> float:
    """Seconds that the server asked to wait for; 0 when it named none."""
    asked = fault.values.get("retry_after_s")
    return float(asked) if isinstance(asked, int | float) and asked > 0 else 0.0


def told_wait(asked_s: float, longest_s: float, fault: Fault) -> float:
    """How long to wait, and a line that says so: a transfer that stands still without a word looks broken."""
    if asked_s > longest_s:
        log.warning("%s It asks to wait %.0f s: it is asked again after %.0f s.", fault.what, asked_s, longest_s)
        return longest_s
    log.warning("%s It asks to wait %.0f s.", fault.what, asked_s)
    return asked_s
