"""SIGINT and SIGTERM as a clean stop of a transfer (also as PID 1 of a container, which has no default action)."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from importer.cancel import Cancel


def stop_with_parent(cancel: Cancel) -> None:
    """Request a stop when standard input ends, as it does when the parent that holds its other end dies."""

    def watch() -> None:
        # Not sys.stdin: its lock, held by a daemon thread, aborts the interpreter at exit.
        while os.read(0, 4096):
            pass
        cancel.request()

    threading.Thread(target=watch, name="parent", daemon=True).start()


@contextlib.contextmanager
def stopping_on_signals(cancel: Cancel) -> Iterator[None]:
    """SIGINT and SIGTERM request a stop once; a second SIGINT is Python's own KeyboardInterrupt."""

    def stop(_signum: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Not in the handler itself: it runs between two bytecodes of the main thread, which may hold a lock.
        threading.Thread(target=cancel.request, name="stop", daemon=True).start()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
