"""How many connections to use: more while more makes it faster, fewer when it does not.

A fast LAN or loopback is full with two; a server that limits each connection, or a long round trip, wants eight
(docs/performance.md). Nobody can know beforehand, so the total rate decides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    least: int = 2
    most: int = 8
    window_s: float = 0.25  # long enough for a stable rate, short enough to be at 8 within a second
    gain: float = 1.10  # a step up must bring 10 % or it is taken back
    hold_s: float = 5.0  # after a useless step, do not try again for so long


class Governor:
    """Pure but for its own memory: ``sample`` is called with the total received and the time, and says how many."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self.connections = min(limits.least, limits.most)
        self._rate = 0.0
        self._before_step: tuple[int, float] | None = None  # connections and rate before the last step up
        self._bytes = 0
        self._since = now
        self._hold_until = now

    def sample(self, total_bytes: int, now: float) -> int:
        if now - self._since < self._limits.window_s:
            return self.connections
        rate = (total_bytes - self._bytes) / (now - self._since)
        self._bytes, self._since = total_bytes, now
        if self._before_step and rate < self._before_step[1] * self._limits.gain:
            self.connections, self._before_step = self._before_step[0], None
            self._hold_until = now + self._limits.hold_s
        elif now >= self._hold_until and rate > 0 and self.connections < self._limits.most:
            self._before_step = (self.connections, rate)
            self.connections = min(self._limits.most, self.connections + 2)
        return self.connections
