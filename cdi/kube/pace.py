"""How fast somebody is listened to, whatever they say."""

from __future__ import annotations

import asyncio


class Pace:
    """``per_s`` of something on the average, and ``burst`` of it at once."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = asyncio.get_running_loop().time()

    async def spend(self, amount: float) -> None:
        """Returns when so much more is allowed; what was spent above that is waited for now."""
        now = asyncio.get_running_loop().time()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s) - amount
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / self._per_s)
