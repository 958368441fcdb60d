"""How much our programs log: the ``-v=N`` that they are started with, which is the contract's."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from types import TracebackType

from cdi.base.printable import one_line

_DETAILS = 3
_Failure = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def verbosity_in(arguments: Sequence[str]) -> int:
    """Of ``-v=N``, 1 without it. Whatever else CDI's workers may be told does not stop ours."""
    said = [text.removeprefix("-v=") for text in arguments if text.startswith("-v=")]
    return int(said[-1][:9]) if said and said[-1].isdecimal() else 1


def level_of(verbosity: int) -> int:
    """From 3 on every step, below what an operator wants to know. Warnings and errors are always told."""
    return logging.DEBUG if verbosity >= _DETAILS else logging.INFO


def log_to_stderr(level: int, form: str = "%(asctime)s %(levelname)s %(name)s %(message)s") -> None:
    """For a whole program, once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(form))
    logging.basicConfig(level=level, handlers=[handler])


class _Lines(logging.Formatter):
    """A record is one line, and a traceback is indented: what others wrote, which is in many, looks like no record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the library's name
        return one_line(super().formatMessage(record))

    def formatException(self, ei: _Failure) -> str:  # noqa: N802  the library's name
        return "\n".join(f"    {one_line(line)}" for line in super().formatException(ei).split("\n"))
