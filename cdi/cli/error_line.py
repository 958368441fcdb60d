"""The line that ``-o json`` prints on standard output when something failed. Standard error has the text beside it."""

from __future__ import annotations

import argparse
import contextlib
import json

from cdi.base.faults import CATALOGUE, Exit, Fault


def is_wanted(args: argparse.Namespace) -> bool:
    """Whether ``--json`` or ``-o json`` was given, for any verb."""
    return bool(getattr(args, "json", None)) or getattr(args, "output", None) == "json"


def of_fault(fault: Fault, **about: str) -> str:
    """``about``: members beside ``error`` that say what failed, where a verb acts on more than one thing."""
    entry = fault.entry
    error = {
        "code": fault.code,
        "message": fault.message,
        "means": fault.means,
        "remedy": fault.remedy,
        "permanent": entry.permanent,
        "exit": int(entry.exit),
    }
    return json.dumps({**about, "error": error})


def of_text(code: str, text: str, status: Exit, **about: str) -> str:
    """The same of a fault that another process raised: of its values only the text is left.

    ``status``: the exit code where ``code`` is none of the catalogue. ``means`` is empty where it has values.
    """
    entry = CATALOGUE.get(code)
    error = {
        "code": code,
        "message": text,
        "means": entry.means if entry is not None and "{" not in entry.means else "",
        "remedy": text.partition(" Try: ")[2],
        "permanent": entry is not None and entry.permanent,
        "exit": int(entry.exit if entry is not None else status),
    }
    return json.dumps({**about, "error": error})


def say(line: str) -> None:
    """On standard output, unless its reader has gone: the exit code then tells what failed."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)
