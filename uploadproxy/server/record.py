"""What a server remembers of the session whose disk is being written, for the process that comes after it.

Beside the journal of the disk, which vouches for the disk's bytes: a small JSON file, made anew each time, and for a
device, of whose first bytes the disk has nothing before it is published, a file with these. Secrets are in neither.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cdi.base.wire.extents.frames import DIGEST_SIZE, START, Mark
from cdi.base.wire.members import Members
from importer.sinks.identity import boot_id
from importer.sinks.kernel import sync_directory
from importer.sinks.refusal import refusals

_MOST = 4096
_KINDS = ("raw", "sparse", "other")


@dataclass(frozen=True, slots=True)
class Remembered:
    """``hashed``: of the session's id. ``length``: bytes of the upload, None while not known. ``size``: bytes of disk.
    ``ends``: time.time() after which the session is dead. ``mark``, ``durable``: of a sparse stream, behind what was
    written in this boot, and what survives a power cut."""

    hashed: str
    kind: str
    length: int | None
    size: int
    ends: float
    boot: str
    mark: Mark = START
    durable: Mark = START

    @property
    def trusted(self) -> Mark:
        return self.mark if self.boot and self.boot == boot_id() else self.durable


class Record:
    """One thread at a time. Raises the faults of a sink."""

    def __init__(self, path: Path) -> None:
        self._path, self._head = path, path.with_suffix(".head")
        self._now: Remembered | None = None

    def read(self) -> Remembered | None:
        """None where there is none, or none of ours."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            try:
                self._now = _decode(file.read(_MOST + 1))
            except (OSError, ValueError):
                return None
        return self._now if self._now.ends > time.time() else None

    def begin(self, remembered: Remembered) -> None:
        self.forget()
        self._write(remembered)

    def marked(self, mark: Mark, *, durable: bool = False) -> None:
        if self._now is not None:
            self._write(replace(self._now, mark=mark, durable=mark if durable else self._now.durable))

    def keep_head(self, offset: int, data: memoryview) -> None:
        """Bytes of the disk that nothing else keeps. Offsets ascend without gaps."""
        with refusals(str(self._head)):
            fd = os.open(self._head, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.pwrite(fd, data, offset)
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def head(self, length: int) -> bytes:
        """As much of it as there is, ``length`` at most."""
        try:
            fd = os.open(self._head, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        with os.fdopen(fd, "rb") as file:
            return file.read(length)

    def forget(self) -> None:
        self._now = None
        for path in (self._path, self._head):
            with refusals(str(path)):
                path.unlink(missing_ok=True)

    def _write(self, remembered: Remembered) -> None:
        fresh = self._path.with_suffix(".session-new")
        with refusals(str(self._path)):
            fresh.unlink(missing_ok=True)
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(_encode(remembered))
                file.flush()
                if remembered.durable != (self._now.durable if self._now else None):
                    os.fdatasync(fd)
            os.rename(fresh, self._path)
            if self._now is None:
                sync_directory(self._path.parent)
        self._now = remembered


def _encode(remembered: Remembered) -> bytes:
    found = asdict(remembered) | {"mark": _told(remembered.mark), "durable": _told(remembered.durable)}
    return json.dumps(found).encode()


def _told(mark: Mark) -> str:
    return f"{mark.position} {mark.reached} {mark.count} {mark.chain.hex()}"


def _decode(data: bytes) -> Remembered:
    """Raises ValueError."""
    said = Members(data, _MOST)
    found = Remembered(
        hashed=said.text("hashed", 64),
        kind=said.text("kind", 10),
        length=said.count("length"),
        size=said.count("size") or 0,
        ends=said.number("ends", 0, 2**40) or 0.0,
        boot=said.text("boot", 100),
        mark=_mark(said.text("mark", 200)),
        durable=_mark(said.text("durable", 200)),
    )
    if found.kind not in _KINDS or len(found.hashed) != 64:
        raise ValueError("no session")
    return found


def _mark(text: str) -> Mark:
    *numbers, chain = text.split(" ")
    if len(numbers) != 3 or not all(word.isdecimal() and len(word) <= 19 for word in numbers):
        raise ValueError("no mark")
    position, reached, count = map(int, numbers)
    found = Mark(position, reached, count, bytes.fromhex(chain))
    if len(found.chain) != DIGEST_SIZE:
        raise ValueError("no mark")
    return found
