"""The one way in which the command prints. Names, messages and logs that it shows are other people's: on a terminal
they show, and do nothing."""

from __future__ import annotations

import sys
from typing import TextIO

from cdi.base.printable import lines


def say(text: str, file: TextIO | None = None, *, flush: bool = False) -> None:
    """As ``print``. Line ends of ``text`` are ours, and what else acts is spelled out; JSON has done so by itself."""
    print(lines(text), file=sys.stdout if file is None else file, flush=flush)
