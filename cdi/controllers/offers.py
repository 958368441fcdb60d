"""What the existing volumes of each class can do, kept up to date as they come and go: of ten thousand alike, one is
looked at, and nobody is told of the second one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cdi.kube.storage import PersistentVolume
from cdi.kube.store import Key, Store


class Sort(NamedTuple):
    """What tells volumes of a class apart for whoever wants one."""

    access_modes: tuple[str, ...]
    volume_mode: str
    is_available: bool


class Offers:
    """Follows ``volumes``. ``changed(class, is_new)`` is called when a class has a sort more, or one less."""

    def __init__(self, volumes: Store[PersistentVolume], changed: Callable[[str, bool], None]) -> None:
        self._volumes = volumes
        self._told = changed
        self._sorts: dict[str, dict[Sort, dict[Key, None]]] = {}  # by class
        volumes.subscribe(self._changed)

    def of(self, class_name: str) -> list[PersistentVolume]:
        """One volume of each sort."""
        found = (self._volumes.get(next(iter(keys)).name) for keys in self._sorts.get(class_name, {}).values())
        return [volume for volume in found if volume is not None]

    def _changed(self, old: PersistentVolume | None, new: PersistentVolume | None) -> None:
        before, after = (_place(volume) if volume is not None else None for volume in (old, new))
        if before == after:
            return
        if before is not None and old is not None and self._remove(before, old):
            self._told(before[0], False)
        if after is not None and new is not None and self._add(after, new):
            self._told(after[0], True)

    def _add(self, place: tuple[str, Sort], volume: PersistentVolume) -> bool:
        sorts = self._sorts.setdefault(place[0], {})
        is_new = place[1] not in sorts
        sorts.setdefault(place[1], {})[_key(volume)] = None
        return is_new

    def _remove(self, place: tuple[str, Sort], volume: PersistentVolume) -> bool:
        sorts = self._sorts.get(place[0], {})
        keys = sorts.get(place[1], {})
        keys.pop(_key(volume), None)
        if keys:
            return False
        sorts.pop(place[1], None)
        if not sorts:
            self._sorts.pop(place[0], None)
        return True


def _key(volume: PersistentVolume) -> Key:
    return Key("", volume.metadata.name)


def _place(volume: PersistentVolume) -> tuple[str, Sort]:
    spec = volume.spec
    sort = Sort(tuple(spec.access_modes), spec.volume_mode or "Filesystem", volume.status.phase == "Available")
    return spec.storage_class_name, sort
