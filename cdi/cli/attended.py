"""Running a transfer while a person or a script watches: progress on the way, Ctrl-C and SIGTERM as a clean stop."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar

if TYPE_CHECKING:
    from importer.cancel import Cancel
    from importer.progress import Progress

Outcome = TypeVar("Outcome")

_TTY_INTERVAL_S = 0.2
_PLAIN_INTERVAL_S = 30.0  # a log wants a sign of life, not a film
_JSON_INTERVAL_S = 2.0


def attended(work: Callable[[Progress, Cancel], Outcome], *, as_json: bool = False) -> Outcome:
    """Run ``work`` in this thread with a reporter beside it; returns or raises what ``work`` does."""
    from importer.cancel import Cancel
    from importer.progress import Progress
    from importer.signals import stopping_on_signals

    progress, cancel = Progress(), Cancel()
    with stopping_on_signals(cancel), _reporting(progress, as_json):
        return work(progress, cancel)


@contextlib.contextmanager
def _reporting(progress: Progress, as_json: bool) -> Iterator[None]:
    done = threading.Event()
    show = _JsonLines(progress) if as_json else _Bar(progress) if sys.stderr.isatty() else _PlainLines(progress)

    def report() -> None:
        while not done.wait(show.interval_s):
            show.update()

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    finished = False
    try:
        yield
        finished = True
    finally:
        done.set()
        thread.join()
        show.finish(finished)


class _Bar:
    """One line on a terminal, redrawn in place."""

    interval_s = _TTY_INTERVAL_S

    def __init__(self, progress: Progress, out: TextIO = sys.stderr) -> None:
        self._progress = progress
        self._out = out
        self._drawn = False

    def update(self) -> None:
        from importer.progress import line

        self._out.write(f"\r\x1b[K{line(self._progress.snapshot())}")
        self._out.flush()
        self._drawn = True

    def finish(self, succeeded: bool) -> None:
        if succeeded or self._drawn:
            self.update()
            self._out.write("\n")
            self._out.flush()


class _PlainLines:
    """One line per change of stage, and one every 30 s. No control characters."""

    interval_s = 0.1

    def __init__(self, progress: Progress, out: TextIO = sys.stderr) -> None:
        self._progress = progress
        self._out = out
        self._shown: tuple[str, int] = ("", 0)

    def update(self) -> None:
        from importer.progress import line

        snapshot = self._progress.snapshot()
        if snapshot.stage.value == "Probing" and snapshot.elapsed_s < 2:
            return  # over before anyone could read it
        mark = (snapshot.stage.value, int(snapshot.elapsed_s / _PLAIN_INTERVAL_S))
        if mark != self._shown:
            self._shown = mark
            print(line(snapshot).rstrip(), file=self._out, flush=True)

    def finish(self, succeeded: bool) -> None:
        if succeeded:
            self.update()


class _JsonLines:
    """One JSON object per line on standard output, at most every 2 s, and one at the end."""

    interval_s = _JSON_INTERVAL_S

    def __init__(self, progress: Progress, out: TextIO = sys.stdout) -> None:
        self._progress = progress
        self._out = out
        self._last = ""

    def update(self) -> None:
        text = self._progress.snapshot().json_line()
        if text != self._last:
            self._last = text
            print(text, file=self._out, flush=True)

    def finish(self, succeeded: bool) -> None:
        self.update()
