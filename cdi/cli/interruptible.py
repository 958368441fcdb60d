"""Coroutines, run one after the other, that Ctrl-C interrupts without breaking the event loop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Coroutine
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Runner:
    """An ``asyncio.Runner`` for many runs. KeyboardInterrupt comes out of ``run`` when its coroutine has been cancelled
    and has ended, and between runs at once.

    The library's own way suits one run: with SIGINT in the moment in which a task ends, it leaves the loop so that the
    next run, which cleans up, fails with "Event loop stopped before Future completed" (seen: 1 of 200 signals).
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._is_running = self._is_interrupted = False
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self._runner.__enter__()
        # Whatever else is set is meant so: a shell's background jobs, for example, ignore the signal.
        self._takes_signals = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._takes_signals:
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_running = True  # to close takes no time: a signal waits
        try:
            self._runner.__exit__(kind, error, trace)
        finally:
            if self._takes_signals:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(self, coroutine: Awaitable[T]) -> T:
        """Blocking. Raises what the coroutine raises."""
        self._is_interrupted, self._is_running = False, True
        try:
            return self._runner.run(self._begun(coroutine))
        finally:
            # The task goes while a signal only leaves a note: weak references to it have callbacks, and Python drops
            # what a signal's handler raises in one of these (seen: a Ctrl-C that did nothing).
            self._task = None
            self._is_running = False
            if self._is_interrupted:
                raise KeyboardInterrupt

    async def _begun(self, coroutine: Awaitable[T]) -> T:
        self._task = asyncio.current_task()
        if self._is_interrupted:
            if isinstance(coroutine, Coroutine):
                coroutine.close()
            raise asyncio.CancelledError
        return await coroutine

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._is_running:
            raise KeyboardInterrupt
        self._is_interrupted = True
        if self._task is not None:
            self._runner.get_loop().call_soon_threadsafe(self._task.cancel)
