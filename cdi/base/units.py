"""Byte sizes: constants, Kubernetes quantities, and how sizes are shown to people."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal

KiB = 1024
MiB = 1024 * KiB
GiB = 1024 * MiB
TiB = 1024 * GiB

# Suffixes of a Kubernetes resource.Quantity (k8s.io/apimachinery api/resource); "m" is milli.
_SUFFIXES: dict[str, Decimal] = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(KiB),
    "Mi": Decimal(MiB),
    "Gi": Decimal(GiB),
    "Ti": Decimal(TiB),
    "Pi": Decimal(1024 * TiB),
    "Ei": Decimal(1024 * 1024 * TiB),
}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|([KMGTPE]i|[mkMGTPE]?))")


def parse_quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as ``20Gi``, ``1500M``, ``1e9`` or ``512``; fractions round up.

    Raises ValueError with a sentence that names the text.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size: write a number with Ki, Mi, Gi or Ti, for example 20Gi")
    number, exponent, suffix = match.groups()
    value = Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]
    return int(value.to_integral_value(rounding=ROUND_CEILING))


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
