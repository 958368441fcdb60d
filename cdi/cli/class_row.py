"""A storage class as ``cdi storage`` shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassRow:
    """``modes``: access and volume modes, best first, as ``RWX/Block``. ``origin``: who says so. ``problems``: what is
    missing, each with what to do. ``is_default``: of disks that name no class; archives may have another one.
    ``binding``: empty where this user may not read storage classes, which then do not say the default either."""

    name: str
    provisioner: str
    is_default: bool
    binding: str
    modes: tuple[str, ...]
    clone: str
    snapshot_class: str
    origin: str
    problems: tuple[str, ...] = ()
    is_archive_default: bool = False
