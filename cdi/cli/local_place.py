"""The volumes of ``cdi run`` in a directory of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cdi.base.faults import Fault
from cdi.cli.class_row import ClassRow
from cdi.cli.names import Name
from cdi.cli.story import Attempt, Story
from cdi.cli.view import View
from cdi.local.store import LOG, Record, Store
from storageprofiles.rendering import LOCAL_DIR

_POLL_S = 0.25
_CONTINUES = "Run `cdi run -f ...` again when the cause is gone: it goes on from where it stopped."
_LOG_LINES = 10


@dataclass(frozen=True)
class LocalPlace:
    directory: Path
    namespace: str

    @property
    def goes_on(self) -> str:
        return "a `cdi run` that works on it goes on"

    def where(self, *, everywhere: bool = False) -> str:
        return f"local: {self.directory.resolve()}"

    @property
    def _store(self) -> Store:
        return Store(self.directory)

    def volumes(self, namespace: str | None) -> list[View]:
        return [_view(record) for record in self._store.records(namespace)]

    def volume(self, name: Name) -> View:
        return _view(self._store.find(name.name, name.namespace))

    def story(self, view: View) -> Story:
        record = self._store.find(view.name.name, view.name.namespace)
        disk = self._store.disk(record.volume)
        failed = record.volume.status.failure is not None
        return Story(
            disk=str(disk) if disk.exists() else f"{disk} (not there yet)",
            continues=_CONTINUES,
            origin=", ".join(f"{name} {value}" for name, value in record.origin.items()),
            is_worked_on=self._store.is_worked_on(view.name.namespace, view.name.name),
            log=self._log(view.name) if failed else (),
            attempts=tuple(Attempt(past.start, past.end, past.outcome, past.bytes_done) for past in record.history),
        )

    def _log(self, name: Name) -> tuple[str, ...]:
        try:
            text = (self._store.place(name.namespace, name.name) / LOG).read_text(errors="replace")
        except OSError:
            return ()  # a log is a help where it is there
        return tuple(text.splitlines()[-_LOG_LINES:])

    def follow(self, name: Name) -> Iterator[View]:
        yield _view(self._store.find(name.name, name.namespace))
        while True:
            time.sleep(_POLL_S)
            record = self._store.load(name.namespace, name.name)
            if record is None:
                raise Fault("ObjectDeleted", name=name)
            yield _view(record)

    def delete(self, name: Name) -> None:
        self._store.find(name.name, name.namespace)
        self._store.delete(name.namespace, name.name)

    def classes(self) -> list[ClassRow]:
        modes = tuple(f"{''.join(item.access_modes)}/{item.volume_mode}" for item in LOCAL_DIR.sets)
        short = tuple(mode.replace("ReadWriteMany", "RWX") for mode in modes)
        name = LOCAL_DIR.storage_class
        return [ClassRow(name, "cdi run", True, "Immediate", short, "copy", "", "built in", is_archive_default=True)]


def _view(record: Record) -> View:
    return View(record.volume, msgspec.to_builtins(record.volume), record.progress.members())
