"""The data directory: ``DIR/<namespace>/<name>/`` with manifest.yaml, status.json and, when it is whole, disk.img."""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from cdi.api.datavolume import DataVolume
from cdi.base.faults import Fault

DISK = "disk.img"
CONTENTS = "contents"  # of an archive


class Attempt(msgspec.Struct, rename="camel"):
    """One run of a worker. Times are RFC 3339; ``end`` empty while it runs."""

    start: str
    end: str = ""
    bytes_done: int = 0
    outcome: str = ""


class Record(msgspec.Struct, rename="camel"):
    """What is known of a volume: the object as it was applied with its status, and the last attempts."""

    volume: DataVolume
    progress: dict[str, Any] = {}
    history: list[Attempt] = []


@dataclass(frozen=True)
class Store:
    directory: Path

    def place(self, namespace: str, name: str) -> Path:
        return self.directory / namespace / name

    def disk(self, volume: DataVolume) -> Path:
        """The volume's file, or directory for an archive."""
        place = self.place(volume.metadata.namespace, volume.metadata.name)
        return place / (CONTENTS if volume.spec.is_archive else DISK)

    def load(self, namespace: str, name: str) -> Record | None:
        try:
            content = (self.place(namespace, name) / "status.json").read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(content, type=Record)
        except msgspec.MsgspecError as error:
            raise Fault("FileUnreadable", source=str(self.place(namespace, name)), cause=error) from error

    def save(self, record: Record) -> None:
        """By rename: a reader, or a kill, never meets half a file."""
        meta = record.volume.metadata
        place = self.place(meta.namespace, meta.name)
        place.mkdir(parents=True, exist_ok=True)
        _replace(place / "status.json", msgspec.json.format(msgspec.json.encode(record)))

    def save_manifest(self, volume: DataVolume) -> None:
        place = self.place(volume.metadata.namespace, volume.metadata.name)
        place.mkdir(parents=True, exist_ok=True)
        _replace(place / "manifest.yaml", as_yaml(volume).encode())

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """All volumes (of ``namespace``), by namespace and name."""
        for path in sorted(self.directory.glob(f"{namespace or '*'}/*/status.json")):
            record = self.load(path.parent.parent.name, path.parent.name)
            if record is not None:
                yield record

    def find(self, name: str, namespace: str) -> Record:
        """``name`` may be NAME, dv/NAME or NAMESPACE/NAME. Raises Fault with close matches when there is none."""
        name = name.removeprefix("dv/").removeprefix("datavolume/")
        if "/" in name:
            namespace, _, name = name.partition("/")
        record = self.load(namespace, name)
        if record is None:
            known = [f"{item.volume.metadata.namespace}/{item.volume.metadata.name}" for item in self.records()]
            near = difflib.get_close_matches(f"{namespace}/{name}", known, 3, 0.5) or known[:3]
            hint = f"; there are: {', '.join(near)}" if near else "; there is none at all"
            raise Fault("ObjectNotFound", name=f"{namespace}/{name}", hint=hint)
        return record

    @contextlib.contextmanager
    def lock(self, namespace: str, name: str) -> Iterator[None]:
        """One process at a time works on a volume; Fault TargetBusy for the second."""
        place = self.place(namespace, name)
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise Fault("TargetBusy", target=f"{namespace}/{name}", cause="another cdi works on it") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def delete(self, namespace: str, name: str) -> None:
        with self.lock(namespace, name):
            shutil.rmtree(self.place(namespace, name))
        with contextlib.suppress(OSError):  # the last of its namespace
            (self.directory / namespace).rmdir()


def as_yaml(obj: object) -> str:
    return yaml.safe_dump(msgspec.to_builtins(obj), sort_keys=False, default_flow_style=False)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(content)
    fresh.rename(path)
