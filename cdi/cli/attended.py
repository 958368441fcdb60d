"""Running a transfer while a person or a script watches: progress on the way, Ctrl-C and SIGTERM as a clean stop."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from cdi.cli.screen import Frame, Screen, screen

if TYPE_CHECKING:
    from importer.cancel import Cancel
    from importer.progress import Progress

Outcome = TypeVar("Outcome")
Warn = Callable[[str], None]


def attended(work: Callable[[Progress, Cancel, Warn], Outcome], *, as_json: bool = False) -> Outcome:
    """Run ``work`` in this thread with a reporter beside it; returns or raises what ``work`` does.

    What ``work`` warns of is printed at once, above the progress.
    """
    from importer.cancel import Cancel
    from importer.progress import Progress
    from importer.signals import stopping_on_signals

    progress, cancel = Progress(), Cancel()
    show = screen(as_json=as_json, out=sys.stderr)
    with stopping_on_signals(cancel), _reporting(progress, show):
        return work(progress, cancel, show.warn)


@contextlib.contextmanager
def _reporting(progress: Progress, show: Screen) -> Iterator[None]:
    done = threading.Event()

    def report() -> None:
        while not done.wait(show.interval_s):
            show.show(_frame(progress))

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    finished = False
    try:
        yield
        finished = True
    finally:
        done.set()
        thread.join()
        show.finish(_frame(progress), finished)


def _frame(progress: Progress) -> Frame:
    from importer.progress import line

    snapshot = progress.snapshot()
    # A probe is over before anyone could read that it runs.
    stage = "" if snapshot.stage.value == "Probing" and snapshot.elapsed_s < 2 else snapshot.stage.value
    return Frame(stage, line(snapshot), snapshot.elapsed_s, snapshot.told().encode())
