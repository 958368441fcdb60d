"""Stopping an import from outside: one flag that every wait of the data path looks at."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cdi.base.faults import Fault


class Cancel:
    """Set once, by a signal handler or a parent. Callbacks unblock what a flag cannot (sockets)."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @staticmethod
    def following(other: Cancel) -> Cancel:
        """One that is requested when ``other`` is, and can be requested alone."""
        child = Cancel()
        other.on_request(child.request)
        return child

    def __bool__(self) -> bool:
        raise NotImplementedError("ask .requested: a Cancel is always there")

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def on_request(self, callback: Callable[[], None]) -> None:
        """Called at the request, at once when it was made before; perhaps twice when it is being made."""
        self._callbacks.append(callback)
        if self.requested:
            callback()

    def request(self) -> None:
        self._event.set()
        for callback in self._callbacks:
            callback()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the request; then raise Fault Cancelled."""
        if self._event.wait(seconds):
            self.check(0)

    def check(self, got: int) -> None:
        if self._event.is_set():
            raise Fault("Cancelled", got=got)
