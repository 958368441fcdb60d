"""What is left of an exception that nobody foresaw: a fault for people, and the traceback in a file for a report."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from cdi import __version__
from cdi.base.defect import place_of
from cdi.base.faults import Fault


def fault_of(error: Exception, verb: str) -> Fault:
    return Fault("CommandDefect", error=place_of(error), report=_written(error, verb))


def _written(error: Exception, verb: str) -> str:
    """Half a sentence on where the traceback is. For the owner's eyes: it may hold what is secret in a URL."""
    text = f"cdi {__version__} {verb}, Python {sys.version}\n{''.join(traceback.format_exception(error))}"
    try:
        descriptor, path = tempfile.mkstemp(prefix="cdi-defect-", suffix=".txt")
        with os.fdopen(descriptor, "w", errors="backslashreplace") as file:
            file.write(text)
    except OSError as second:
        return f"its traceback could be written nowhere ({second.strerror})"
    return f"its traceback is in {path}"
