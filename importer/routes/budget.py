"""Memory that several threads share: who needs more than is left waits until another one has given some back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """``size`` bytes. Whoever holds some must not ask for more."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._left = size  # guarded by _changed

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Blocks until ``size`` bytes are left; who needs more than there are waits until nobody else has any."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= size)
            self._left -= size
        try:
            yield
        finally:
            with self._changed:
                self._left += size
                self._changed.notify_all()
