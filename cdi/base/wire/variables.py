"""Values that several workers' environments have in common, read from the variables that hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cdi.base.faults import Fault
from cdi.base.units import parse_quantity


def size_in(name: str, text: str) -> int | None:
    """Bytes of the quantity ``text`` of variable ``name``; None of an empty one. Raises Fault ManifestInvalid."""
    try:
        return parse_quantity(text) if text else None
    except ValueError as error:
        raise Fault("ManifestInvalid", where=name, detail=str(error)) from error


def share_in(name: str, text: str) -> float:
    """From 0 to 1; an empty text is 0. Raises Fault ManifestInvalid."""
    try:
        share = float(text or "0")
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise Fault("ManifestInvalid", where=name, detail=f"{text!r} is no share from 0 to 1")
    return share


def truth_in(environ: Mapping[str, str], name: str) -> bool:
    """Of ``true`` and ``false`` in any case; a missing or empty one is false. Raises Fault ManifestInvalid."""
    text = environ.get(name, "").lower()
    if text not in ("true", "false", ""):
        raise Fault("ManifestInvalid", where=name, detail=f"{text!r} is neither true nor false")
    return text == "true"
