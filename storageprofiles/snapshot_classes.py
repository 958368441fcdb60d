"""Which VolumeSnapshotClass serves a driver. Pure. The rules are the contract's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"

_BY_PROFILE = "VolumeSnapshotClass selected according to StorageProfile"
_BY_DEFAULT = "Default VolumeSnapshotClass selected"
_BY_NAME = "First VolumeSnapshotClass selected"


@dataclass(frozen=True, slots=True)
class SnapshotClass:
    name: str
    driver: str
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Selected:
    """``how``: the contract's text, before the name in the event VolumeSnapshotClassSelected."""

    name: str
    how: str


def snapshot_class(driver: str, classes: Iterable[SnapshotClass], *, profiled: str = "") -> Selected | None:
    """``profiled``: the one that the storage profiles agree on, empty where they do not. It must be of the driver, or
    there is none. Else the default one, else the first by name."""
    own = sorted((item for item in classes if item.driver == driver), key=lambda item: item.name)
    if profiled:
        return next((Selected(item.name, _BY_PROFILE) for item in own if item.name == profiled), None)
    marked = [Selected(item.name, _BY_DEFAULT) for item in own if item.is_default]
    return next(iter([*marked, *(Selected(item.name, _BY_NAME) for item in own)]), None)
