"""Byte sizes: constants, Kubernetes quantities, and how sizes are shown to people."""

from __future__ import annotations

import re

from cdi.base.printable import excerpt

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB
TiB = 1024 * GiB

# Of a Kubernetes resource.Quantity (k8s.io/apimachinery api/resource): powers of ten, and multiples.
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_MULTIPLES = {"Ki": KiB, "Mi": MiB, "Gi": GiB, "Ti": TiB, "Pi": 1024 * TiB, "Ei": 1024 * 1024 * TiB}
_QUANTITY = re.compile(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+)|([KMGTPE]i|[numkMGTPE]?))")
_LONGEST = 64  # characters; what Kubernetes writes itself has 20
_FAR = 2 * _LONGEST  # as an exponent: no number of so many digits comes back from there
LARGEST = 2**63 - 1  # bytes that a quantity can say, in either direction


def parse_quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as ``20Gi``, ``1500M``, ``1e9`` or ``512``; fractions round up.

    Raises ValueError with a sentence that names the text, also for what is beyond ``LARGEST``. A text of any length may
    come: it is cut off before it is looked at.
    """
    match = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        raise ValueError(f"{excerpt(text)!r} is not a size: write a number with Ki, Mi, Gi or Ti, for example 20Gi")
    sign, whole, decimals, only_decimals, exponent, suffix = match.groups()
    fraction = decimals or only_decimals or ""
    number = int((whole or "") + fraction) * _MULTIPLES.get(suffix or "", 1)
    power = _POWERS.get(suffix or "", 0) + max(-_FAR, min(_FAR, int(exponent or 0))) - len(fraction)
    number = -number if sign == "-" else number
    size: int = number * 10**power if power >= 0 else -(-number // 10**-power)
    if abs(size) > LARGEST:
        raise ValueError(f"{excerpt(text)!r} is no size that Kubernetes can hold: write less than 8Ei")
    return size


def size_or_none(text: str) -> int | None:
    """``parse_quantity`` for what is only compared or shown."""
    try:
        return parse_quantity(text)
    except ValueError:
        return None


def format_quantity(size: int) -> str:
    """The shortest exact binary Kubernetes quantity of ``size`` bytes: ``21474836480`` -> ``20Gi``."""
    for suffix, unit in (("Ti", TiB), ("Gi", GiB), ("Mi", MiB), ("Ki", KiB)):
        if size and size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)


def human_size(size: float) -> str:
    """``size`` bytes for people: ``1.1 GiB``, ``640 MiB``, ``512 B``."""
    for suffix, unit in (("TiB", TiB), ("GiB", GiB), ("MiB", MiB), ("KiB", KiB)):
        if size >= unit:
            value = size / unit
            return f"{value:.0f} {suffix}" if value >= 100 or value == int(value) else f"{value:.1f} {suffix}"
    return f"{int(size)} B"


def human_duration(seconds: float) -> str:
    """``seconds`` for people: ``0.4 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def round_down(value: int, unit: int) -> int:
    return value // unit * unit
