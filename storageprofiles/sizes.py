"""Sizes of claims and disks under a file system's overhead. Formulas and roundings are the contract's. Pure.

Decimal arithmetic: the overhead is written as ``0.06`` and must not become 0.05999.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from cdi.base.units import MiB, round_down, round_up


def required(overhead: str, disk_size: int) -> int:
    """Bytes to request for a disk of ``disk_size`` bytes: ``required("0.06", 1 GiB)`` is 1138166334."""
    return _ceil(Decimal(round_up(disk_size, MiB)) * (1 + Decimal(overhead)))


def usable(overhead: str, available: int) -> int:
    """Bytes of disk that fit into ``available`` bytes: ``usable("0.06", 1 GiB)`` is 1012924416."""
    return round_down(_ceil(Decimal(available) / (1 + Decimal(overhead))), MiB)


def _ceil(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_CEILING))


def scratch(target: int, target_overhead: str, scratch_overhead: str) -> int:
    """Bytes to request for the scratch claim of a target of ``target`` bytes."""
    needed = Decimal(round_up(usable(target_overhead, target), MiB)) * (1 + Decimal(scratch_overhead))
    return round_up(_ceil(needed), MiB)
