"""Showing progress while a person or a script watches: one line redrawn on a terminal, else lines, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TextIO

from cdi.base.printable import one_line
from cdi.cli.spoken import say

_TTY_INTERVAL_S = 0.2
_PLAIN_INTERVAL_S = 30.0  # a log wants a sign of life, not a film
_JSON_INTERVAL_S = 2.0
_PERCENT_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment. ``stage``: a change of it is worth a line in a log; empty: not worth one yet."""

    stage: str
    text: str
    elapsed_s: float
    record: str  # one line of JSON


class Screen(Protocol):
    @property
    def interval_s(self) -> float:
        """How often it wants a frame."""

    def show(self, frame: Frame) -> None: ...

    def warn(self, sentence: str) -> None:
        """What people should know, on a line of its own."""

    def finish(self, frame: Frame, succeeded: bool) -> None:
        """``frame``: the last one. Of what failed the error tells more than it would."""


def screen(*, as_json: bool, out: TextIO) -> Screen:
    """``out``: for people; JSON goes to standard output."""
    return JsonLines() if as_json else Bar(out) if out.isatty() else PlainLines(out)


class Bar:
    """One line on a terminal, redrawn in place."""

    interval_s = _TTY_INTERVAL_S

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = False

    def show(self, frame: Frame) -> None:
        import shutil

        self._out.write(f"\r\x1b[K{one_line(frame.text)[: shutil.get_terminal_size().columns - 1]}")
        self._out.flush()
        self._drawn = True

    def warn(self, sentence: str) -> None:
        self._out.write(f"\r\x1b[Knote: {one_line(sentence)}\n")
        self._out.flush()

    def finish(self, frame: Frame, succeeded: bool) -> None:
        if succeeded:
            self.show(frame)
        if self._drawn:
            self._out.write("\n")
            self._out.flush()


class PlainLines:
    """One line per change of stage, and one every 30 s. No control characters."""

    interval_s = 0.1

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: tuple[str, int] = ("", 0)

    def show(self, frame: Frame) -> None:
        mark = (frame.stage, int(frame.elapsed_s / _PLAIN_INTERVAL_S))
        if frame.stage and mark != self._shown:
            self._shown = mark
            say(one_line(frame.text.rstrip()), file=self._out, flush=True)

    def warn(self, sentence: str) -> None:
        say(f"note: {sentence}", file=self._out, flush=True)

    def finish(self, frame: Frame, succeeded: bool) -> None:
        if succeeded:
            self.show(frame)


class JsonLines:
    """One JSON object per line on standard output, at most every 2 s, and one at the end."""

    interval_s = _JSON_INTERVAL_S

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._last = ""

    def show(self, frame: Frame) -> None:
        if frame.record != self._last:
            self._last = frame.record
            say(frame.record, file=self._out, flush=True)

    def warn(self, sentence: str) -> None:
        say(f"note: {sentence}", file=sys.stderr, flush=True)

    def finish(self, frame: Frame, succeeded: bool) -> None:
        self.show(frame)


def percent_of(text: str) -> float | None:
    """``42.10%`` as a number; None for ``N/A``, and for what is no share of a hundred."""
    try:
        found = float(text.removesuffix("%")) if len(text) < _PERCENT_CHARACTERS else -1
    except ValueError:
        return None
    return found if 0 <= found <= 100 else None


def moving(transfer: Mapping[str, Any], progress: str) -> str:
    """The line with the bar. ``transfer``: a worker's progress line, as far as known; ``progress``: the status'."""
    from importer.progress import Snapshot, Stage, line

    percent = transfer.get("percent")
    stage = next((known for known in Stage if known.value == transfer.get("stage")), Stage.PROBING)
    return line(
        Snapshot(
            stage=stage,
            bytes_done=transfer.get("bytesDone") or 0,
            bytes_total=transfer.get("bytesTotal"),
            percent=percent_of(progress) if percent is None else percent,
            rate_bps=transfer.get("rateBps") or 0.0,
            eta_s=transfer.get("etaSeconds"),
            elapsed_s=0.0,
        )
    )
