"""Whether extents are compressed: only where that is faster than sending them as they are."""

from __future__ import annotations

from collections.abc import Callable

import zstandard

from cdi.base.units import MiB

# zstd at level 1 packs 300 to 500 MiB/s of a core; what a link takes faster than this share of it, goes plain.
_SLOW = 60 * MiB
_WORTH = 0.9  # of the plain bytes: what packs to more is not worth its time
_HOLD = 8  # batches until data that did not pack is tried again


class Packing:
    """Of one connection, for its thread. ``compress``: see ``Encoder``."""

    def __init__(self) -> None:
        self.compress: Callable[[memoryview], bytes] | None = None
        self._packer = zstandard.ZstdCompressor(level=1)
        self._hold = 0

    def learn(self, plain: int, sent: int, seconds: float) -> None:
        """Of one batch: bytes before and after, and how long the link took for them."""
        self._hold = max(0, self._hold - 1)
        if self.compress is not None and sent > plain * _WORTH:
            self._hold = _HOLD
        is_slow = seconds > 0 and sent / seconds < _SLOW
        self.compress = self._packer.compress if is_slow and not self._hold else None
