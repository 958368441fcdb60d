"""Verbs that act on several volumes: one that fails keeps none of the others from its turn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from cdi.base.faults import Exit, Fault
from cdi.cli import error_line
from cdi.cli.names import Name
from cdi.cli.spoken import say


def each(found: Iterable[Name], act: Callable[[Name], None], args: argparse.Namespace) -> int:
    """The exit code: that of the first fault. A fault that may pass is the place's own, and ends it all."""
    status = int(Exit.OK)
    for name in found:
        try:
            act(name)
        except Fault as fault:
            if not fault.permanent:
                raise
            say(f"cdi: {fault.message}", file=sys.stderr)
            if error_line.is_wanted(args):
                error_line.say(error_line.of_fault(fault, name=str(name)))
            status = status or int(fault.entry.exit)
    return status
