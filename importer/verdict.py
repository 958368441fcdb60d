"""What two attempts found wrong with a source, so that the next ones say it again without fetching it again.

A held worker is started anew every few minutes (the kubelet), and a 40 GiB archive that is cut short would be fetched
each time. Whether the cause is gone shows in the first answer of the source: other validators are another image.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdi import __version__
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.units import KiB, MiB
from importer.checksum import Checksum
from importer.plan import Plan

# A stream that outgrows a small target may look like a bomb, and fit a larger one.
_OF_ROOM = ("TargetTooSmall", "TargetOutgrown", "DecompressionBomb")
# About the bytes of the image, and not about how they were served: that may be better next time.
_OF_CONTENT = {code for code, entry in CATALOGUE.items() if entry.exit is Exit.INTEGRITY and entry.permanent} | {
    "ImageUnsupported",
    "ImageHasBackingFile",
    "ImageHasExternalData",
    "ImageEncrypted",
    "ArchiveUnsafe",
    *_OF_ROOM,
}
_OBEYED_FROM = 2  # times that the same was found
_FIRST_S, _LONGEST_S = 3600.0, 24 * 3600.0  # how long it is obeyed then
_SIZE_MOST = 64 * KiB


@dataclass(frozen=True, slots=True)
class Case:
    """What a verdict is about. ``image``: empty when the source has nothing to know it by. ``room``: whole MiB that
    the target offers."""

    image: str
    room: int

    @staticmethod
    def of(plan: Plan, checksum: Checksum | None, limit: int) -> Case:
        facts = plan.facts
        version = facts.etag or facts.last_modified
        if not version or facts.size is None:
            return Case("", 0)
        route = " ".join((plan.route.value, plan.format, *plan.compression, str(checksum or "")))
        # A mirror's copy of the same version may be whole where this one is damaged, and another version of this
        # program may know better.
        image = [facts.name, facts.place, facts.size, version, route, __version__]
        return Case(json.dumps(image), limit // MiB)


@dataclass(frozen=True, slots=True)
class Finding:
    """What attempts found about a ``case``: ``fault``, so many ``times`` in a row, at last ``at`` (Unix seconds)."""

    case: Case
    fault: Fault
    times: int
    at: float

    @property
    def is_obeyed(self) -> bool:
        """One attempt may have met damage of the transfer: a proxy, a cache, memory. So it takes two, and even they may
        have met the same damaged copy: it holds for an hour, and twice as long each time that it is found again."""
        holds_s = min(_LONGEST_S, _FIRST_S * 2.0 ** (min(self.times, 32) - _OBEYED_FROM))
        return self.times >= _OBEYED_FROM and 0 <= time.time() - self.at < holds_s

    def followed_by(self, case: Case, fault: Fault) -> Finding:
        """What is known after another attempt."""
        return Finding(case, fault, self.times + 1 if self._is_about(case, fault) else 1, time.time())

    def _is_about(self, case: Case, fault: Fault) -> bool:
        return self._has(case) and self.fault.code == fault.code and _alike(self.fault.values, fault.values)

    def _has(self, case: Case) -> bool:
        """Whether it may be so for ``case`` too: what did not fit may fit into more room."""
        return self.case.image == case.image and (self.fault.code not in _OF_ROOM or self.case.room == case.room)

    def check(self, case: Case) -> None:
        """Raises the fault again when that is what another attempt would find."""
        if self._has(case) and self.is_obeyed:
            raise self.fault


def _alike(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    return one.keys() == other.keys() and all(_near(value, other[name]) for name, value in one.items())


def _near(value: object, other: object) -> bool:
    """Positions may differ by what a server without ranges sends at once."""
    if isinstance(value, int) and isinstance(other, int):
        return abs(value - other) <= MiB
    return str(value) == str(other)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Kept in the file ``path``; None: nothing is kept. What cannot be read or written is as if it were not there.

    The file is in a volume that others write to: no link is followed, nothing but a file is opened, and a new one is
    made every time.
    """

    path: Path | None = None

    def check(self, case: Case) -> Finding | None:
        """What earlier attempts found, and the file is forgotten until this one has ended too. Raises the Fault that
        ended two of them at the same ``case``, as long as that is obeyed."""
        found = self._read() if self.path is not None and case.image else None
        if found is not None:
            found.check(case)
        self.forget()
        return found

    def remember(self, case: Case, fault: Fault, before: Finding | None = None) -> None:
        """``before``: what ``check`` gave at the start of the attempt that ended in ``fault``."""
        if self.path is None or not case.image or fault.code not in _OF_CONTENT or fault.code == "ChecksumMismatch":
            return
        found = before.followed_by(case, fault) if before else Finding(case, fault, 1, time.time())
        about = {"image": case.image, "room": case.room, "times": found.times, "at": found.at}
        known = {"code": fault.code, "contract": fault.contract, "values": fault.values}
        self.forget()
        with contextlib.suppress(OSError):
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "w", encoding="utf-8") as file:
                json.dump(about | known, file, default=str)

    def forget(self) -> None:
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _read(self) -> Finding | None:
        assert self.path is not None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            known = json.loads(_content(self.path))
            if known["code"] in _OF_CONTENT:
                fault = Fault(str(known["code"]), contract=str(known["contract"]), **known["values"])
                case = Case(str(known["image"]), int(known["room"]))
                return Finding(case, fault, int(known["times"]), float(known["at"]))
        return None


def _content(path: Path) -> bytes:
    """Raises OSError, ValueError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError("no file")
        content = os.pread(fd, _SIZE_MOST + 1, 0)
    finally:
        os.close(fd)
    if len(content) > _SIZE_MOST:
        raise ValueError("nothing that was written here")
    return content


NO_VERDICT = Verdict()  # of a command, which a person repeats
