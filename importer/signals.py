"""SIGINT and SIGTERM as a clean stop of a transfer (also as PID 1 of a container, which has no default action)."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from importer.cancel import Cancel


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
