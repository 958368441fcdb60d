"""The data directory: ``DIR/<namespace>/<name>/`` with manifest.yaml, status.json and, when it is whole, disk.img."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from cdi.api.datavolume import DataVolume, DataVolumeStatus, ObjectMeta
from cdi.api.validation import name_violation
from cdi.base.faults import Fault
from cdi.base.nearest import hint
from cdi.base.wire.progress import ProgressLine
from importer.sinks.lock import is_at
from importer.sinks.refusal import fault_of, refusals

DISK = "disk.img"
CONTENTS = "contents"  # of an archive
LOG = "worker.log"
_STATUS = "status.json"
_PATIENCE_S = 0.5  # for a lock: `cdi get` and `cdi why` hold one for a moment to see who works


class Attempt(msgspec.Struct, rename="camel"):
    """One run of a worker. Times are RFC 3339; ``end`` empty while it runs."""

    start: str
    end: str = ""
    bytes_done: int = 0
    outcome: str = ""


class Record(msgspec.Struct, rename="camel"):
    """What is known of a volume: the object as it was applied with its status, and the last attempts of all.

    ``origin``: which version of the source is in it: etag, lastModified, verified (a checksum), as far as known.
    """

    volume: DataVolume
    progress: ProgressLine = ProgressLine()
    history: list[Attempt] = []
    attempts: int = 0
    origin: dict[str, str] = {}


@dataclass(frozen=True)
class Store:
    directory: Path

    def place(self, namespace: str, name: str) -> Path:
        """The volume's directory. Raises Fault ManifestInvalid for names that would be another path."""
        broken = name_violation(ObjectMeta(name=name, namespace=namespace))
        if broken is not None:
            raise Fault("ManifestInvalid", where=broken.field, detail=broken.message)
        return self.directory / namespace / name

    def disk(self, volume: DataVolume) -> Path:
        """The volume's file, or directory for an archive."""
        place = self.place(volume.metadata.namespace, volume.metadata.name)
        return place / (CONTENTS if volume.spec.is_archive else DISK)

    def load(self, namespace: str, name: str) -> Record | None:
        path = self.place(namespace, name) / _STATUS
        try:
            return msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Fault("FileUnreadable", source=str(path), cause=error.strerror) from error
        except msgspec.MsgspecError as error:
            raise Fault("FileUnreadable", source=str(path), cause=error) from error

    def save(self, record: Record) -> None:
        """By rename: a reader, or a kill, never meets half a file."""
        meta = record.volume.metadata
        _replace(self.place(meta.namespace, meta.name) / _STATUS, msgspec.json.format(msgspec.json.encode(record)))

    def save_manifest(self, volume: DataVolume) -> None:
        place = self.place(volume.metadata.namespace, volume.metadata.name)
        applied = msgspec.structs.replace(volume, status=DataVolumeStatus())
        _replace(place / "manifest.yaml", as_yaml(applied).encode())

    def records(self, namespace: str | None = None) -> Iterator[Record]:
        """All volumes (of ``namespace``), by namespace and name."""
        for path in sorted(self.directory.glob(f"*/*/{_STATUS}")):
            place = path.parent
            if namespace in (None, place.parent.name):
                record = self.load(place.parent.name, place.name)
                if record is not None:
                    yield record

    def find(self, name: str, namespace: str) -> Record:
        """Raises Fault with close matches when there is none."""
        named = name_violation(ObjectMeta(name=name, namespace=namespace)) is None
        record = self.load(namespace, name) if named else None
        if record is None:
            known = [f"{item.volume.metadata.namespace}/{item.volume.metadata.name}" for item in self.records()]
            wanted = f"{namespace}/{name}"
            raise Fault("ObjectNotFound", name=wanted, hint=hint(wanted, known))
        return record

    @contextlib.contextmanager
    def lock(self, namespace: str, name: str) -> Iterator[None]:
        """One process at a time works on a volume; Fault TargetBusy for the second."""
        place = self.place(namespace, name)
        with refusals(str(place)):
            descriptor = _locked_directory(place, f"{namespace}/{name}")
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # unless something was made, nothing is left
                place.rmdir()
                place.parent.rmdir()
            os.close(descriptor)

    def is_worked_on(self, namespace: str, name: str) -> bool:
        """Whether a `cdi run` has the volume."""
        return not _is_free(self.place(namespace, name))

    def worker_lives(self, namespace: str, name: str) -> bool:
        """Whether a worker runs, also one whose `cdi run` was killed: it holds its log (see ``Worker``)."""
        return not _is_free(self.place(namespace, name) / LOG)

    def delete(self, namespace: str, name: str) -> None:
        with self.lock(namespace, name):
            if self.worker_lives(namespace, name):
                raise Fault("TargetBusy", target=f"{namespace}/{name}", cause="the worker of a killed run still ends")
            place = self.place(namespace, name)
            with refusals(str(place)):
                # The status goes last: whoever is killed before can name the volume again, and delete it.
                for entry in sorted(place.iterdir(), key=lambda entry: entry.name == _STATUS):
                    if entry.is_dir() and not entry.is_symlink():
                        shutil.rmtree(entry)
                    else:
                        entry.unlink()
                place.rmdir()
        with contextlib.suppress(OSError):  # the last of its namespace
            (self.directory / namespace).rmdir()


def _locked_directory(place: Path, name: str) -> int:
    """The descriptor that holds the lock. Raises OSError, and Fault TargetBusy."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise Fault("TargetBusy", target=name, cause="another cdi works on it") from error
            time.sleep(0.02)
            continue
        if is_at(descriptor, place.resolve()):
            return descriptor
        os.close(descriptor)  # it was deleted between our open and our lock


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise fault_of(error, str(path)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def as_yaml(obj: object) -> str:
    return yaml.safe_dump(msgspec.to_builtins(obj), sort_keys=False, default_flow_style=False)


def _replace(path: Path, content: bytes) -> None:
    """For the owner's eyes: URLs and header lines may hold what only they should know."""
    fresh = path.with_name(path.name + ".new")
    with refusals(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fdatasync(descriptor)  # a rename without it may leave an empty file after a power cut
        fresh.rename(path)
