"""Objects of one kind as the API server last told them, with indexes. Filled by a reflector, read by everybody.

All of it happens on the event loop's thread. Objects are shared: do not change them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Generic, NamedTuple, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Key(NamedTuple):
    """The name of an object; ``namespace`` is empty for kinds that have none."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class _Index(Generic[T]):
    def __init__(self, values: Callable[[T], Iterable[str]]) -> None:
        self.values = values
        self.keys: dict[str, dict[Key, None]] = {}  # a dict keeps the order in which objects came

    def add(self, key: Key, item: T) -> None:
        for value in self.values(item):
            self.keys.setdefault(value, {})[key] = None

    def remove(self, key: Key, item: T) -> None:
        for value in self.values(item):
            found = self.keys.get(value, {})
            found.pop(key, None)
            if not found:
                self.keys.pop(value, None)


Change = Callable[[T | None, T | None], None]


class Store(Generic[T]):
    """``put``, ``drop`` and ``keep_only`` are the reflector's."""

    def __init__(self) -> None:
        self._items: dict[Key, T] = {}
        self._versions: dict[Key, str] = {}
        self._indexes: dict[str, _Index[T]] = {}
        self._subscribers: list[Change[T]] = []

    def __len__(self) -> int:
        return len(self._items)

    def get(self, name: str, namespace: str = "") -> T | None:
        return self._items.get(Key(namespace, name))

    def all(self) -> list[T]:
        return list(self._items.values())

    def index(self, name: str, values: Callable[[T], Iterable[str]]) -> None:
        """Objects will be found with ``by(name, value)`` for each of their ``values``, which must be pure. Several may
        ask for the same index."""
        if name in self._indexes and self._indexes[name].values is values:
            return
        if name in self._indexes:
            raise ValueError(f"there is an index {name} already")
        made = _Index(values)
        for key, item in self._items.items():
            made.add(key, item)
        self._indexes[name] = made

    def by(self, index: str, value: str) -> list[T]:
        return [self._items[key] for key in self._indexes[index].keys.get(value, ())]

    def subscribe(self, changed: Change[T]) -> None:
        """``changed(old, new)`` for all there are now (old None) and for every change (new None: deleted).

        A change may stand for several: an object that was deleted and made again during an outage is one change.
        What ``changed`` raises is logged: it is a bug, and must not stop the others.
        """
        self._subscribers.append(changed)
        for item in self.all():
            self._call(changed, None, item)

    def put(self, key: Key, item: T, version: str) -> None:
        if version and self._versions.get(key) == version:
            return  # told again, as after a lost connection
        old = self._items.get(key)
        self._forget(key, old)
        self._items[key] = item
        self._versions[key] = version
        for index in self._indexes.values():
            index.add(key, item)
        self._tell(old, item)

    def drop(self, key: Key) -> None:
        old = self._items.pop(key, None)
        if old is None:
            return
        del self._versions[key]
        self._forget(key, old)
        self._tell(old, None)

    def keep_only(self, keys: Collection[Key]) -> None:
        """Drops all others: they were deleted while nobody told us."""
        for key in [key for key in self._items if key not in keys]:
            self.drop(key)

    def _forget(self, key: Key, old: T | None) -> None:
        if old is not None:
            for index in self._indexes.values():
                index.remove(key, old)

    def _tell(self, old: T | None, new: T | None) -> None:
        for changed in self._subscribers:
            self._call(changed, old, new)

    def _call(self, changed: Change[T], old: T | None, new: T | None) -> None:
        try:
            changed(old, new)
        except Exception:
            log.exception("a subscriber failed")
