"""``--size`` as every verb takes it."""

from __future__ import annotations

import argparse

from cdi.base.units import parse_quantity


def size(text: str) -> int:
    """Bytes; for argparse."""
    try:
        found = parse_quantity(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if found <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a disk has at least one byte")
    return found
