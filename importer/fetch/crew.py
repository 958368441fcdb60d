"""A crew of threads on one task: the first error wins, everyone stops, and it is raised where the crew is awaited."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Crew:
    """Start jobs, wait for all of them. A thread that dies silently would be a fast wrong result: none can here."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []

    @property
    def failed(self) -> bool:
        return self._error is not None

    @property
    def size(self) -> int:
        return self._running

    def start(self, name: str, job: Callable[[], None]) -> None:
        """Raises RuntimeError where the system takes no more threads; those before go on, and can be awaited."""
        thread = threading.Thread(target=self._run, args=(job,), name=name, daemon=True)
        with self._changed:
            self._running += 1
        try:
            thread.start()
        except BaseException:
            with self._changed:
                self._running -= 1
            raise
        self._threads.append(thread)

    def _run(self, job: Callable[[], None]) -> None:
        error: BaseException | None = None
        try:
            job()
        except BaseException as caught:  # noqa: BLE001  the boundary of the thread: kept and raised by check()
            error = caught
        with self._changed:
            self._error = self._error or error
            self._running -= 1
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all have ended or the first failed, at most ``timeout_s``; True when it is over."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0 or self._error is not None, timeout_s)

    def end(self) -> None:
        """Wait for every thread."""
        for thread in self._threads:
            thread.join()

    def join(self) -> None:
        """Wait for every thread, then raise the first error, if any."""
        self.end()
        if self._error is not None:
            raise self._error
