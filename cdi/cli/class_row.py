"""A storage class as ``cdi storage`` shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassRow:
    """``modes``: access and volume modes, best first, as ``RWX/Block``. ``origin``: who says so. ``problems``: what is
    missing, each with what to do."""

    name: str
    provisioner: str
    is_default: bool
    binding: str
    modes: tuple[str, ...]
    clone: str
    snapshot_class: str
    origin: str
    problems: tuple[str, ...] = ()
