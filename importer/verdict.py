"""What an attempt found wrong with a source for good, so that the next one says it again without fetching it again.

A held worker is started anew every few minutes (the kubelet), and a 40 GiB archive that is cut short would be fetched
each time. Whether the cause is gone shows in the first answer of the source: other validators are another image.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from cdi import __version__
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.units import MiB
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
class Verdict:
    """Kept in the file ``path``; None: nothing is kept. What cannot be read or written is as if it were not there."""

    path: Path | None = None

    def check(self, case: Case) -> None:
        """Raises the Fault that ended an earlier attempt at the same ``case``; forgets one about another."""
        if self.path is None:
            return
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            known = json.loads(self.path.read_text())
            if case.image and known["image"] == case.image and known["code"] in _OF_CONTENT:
                fault = Fault(known["code"], contract=known["contract"], **known["values"])
                if known["code"] not in _OF_ROOM or known["room"] == case.room:
                    raise fault
        self.forget()

    def remember(self, case: Case, fault: Fault) -> None:
        if self.path is None or not case.image or fault.code not in _OF_CONTENT or fault.code == "ChecksumMismatch":
            return
        about = {"image": case.image, "room": case.room}
        known = {"code": fault.code, "contract": fault.contract, "values": fault.values}
        with contextlib.suppress(OSError):
            self.path.write_text(json.dumps(about | known, default=str))

    def forget(self) -> None:
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


NO_VERDICT = Verdict()  # of a command, which a person repeats
