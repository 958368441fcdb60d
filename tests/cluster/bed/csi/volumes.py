"""Volumes and snapshots as sparse files, each with a small record beside it. Copies share blocks (XFS reflinks).

volumes/ID.img  volumes/ID.json      ID is made of the name that the caller gave: the same request
snapshots/ID.img  snapshots/ID.json  twice means the same file, also after a restart
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from tests.cluster.bed.command import run

_NAMES = uuid.UUID("2f0c6a5c-5b1b-4d5e-9d0b-6f7a3f0d6c11")
BLOCK = 4096


@dataclass(frozen=True)
class Origin:
    """What a volume was filled from."""

    kind: Literal["snapshot", "volume"]
    id: str


@dataclass(frozen=True)
class Record:
    """``size`` in bytes; ``source``: of a snapshot, the volume it was taken of; ``origin``: of a volume."""

    id: str
    name: str
    size: int
    created_ns: int
    source: str = ""
    origin: Origin | None = None


class Shelf:
    """The volumes, or the snapshots, of one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    @staticmethod
    def id_of(name: str) -> str:
        return str(uuid.uuid5(_NAMES, name))

    def image(self, id_: str) -> Path:
        return self._directory / f"{id_}.img"

    def find(self, id_: str) -> Record | None:
        try:
            fields = json.loads(self._record(id_).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # a name that no file system takes is the name of nothing
            return None
        origin = fields.pop("origin")
        return Record(**fields, origin=Origin(**origin) if origin else None)

    def all(self) -> list[Record]:
        found = (self.find(path.stem) for path in sorted(self._directory.glob("*.json")))
        return [record for record in found if record]

    def add(self, record: Record, content: Path | None) -> Record:
        """``content``: the file to copy, at most as large as the record says; empty without."""
        image = self.image(record.id)
        if content is None:
            image.unlink(missing_ok=True)
            image.touch()
        else:
            run("cp", "--reflink=auto", "--sparse=always", content, image)
        os.truncate(image, record.size)
        record = replace(record, created_ns=time.time_ns())
        self._write(record)
        return record

    def grow(self, record: Record, size: int) -> Record:
        grown = replace(record, size=max(record.size, size))
        os.truncate(self.image(record.id), grown.size)
        self._write(grown)
        return grown

    def remove(self, id_: str) -> None:
        self._record(id_).unlink(missing_ok=True)
        self.image(id_).unlink(missing_ok=True)

    def _record(self, id_: str) -> Path:
        return self._directory / f"{id_.replace('/', '_')}.json"

    def _write(self, record: Record) -> None:
        path = self._record(record.id)
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(record)))
        unfinished.rename(path)


class Store:
    """Both shelves, and one lock per volume: two requests for one volume wait for each other, others do not."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.volumes = Shelf(directory / "volumes")
        self.snapshots = Shelf(directory / "snapshots")
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self.published: defaultdict[str, set[str]] = defaultdict(set)  # volume -> where pods have it

    def lock(self, id_: str) -> threading.RLock:
        return self._locks[id_]


def rounded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
