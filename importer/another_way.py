"""What to try when a source cannot be read as it was planned: another version, or the same one in another manner."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdi.base.faults import Fault
from importer.sources import SourceSpec

if TYPE_CHECKING:
    from importer.sources import Facts, Opener

LOOKS = 3  # at a source that has changed, each over a connection of its own


@dataclass(frozen=True, slots=True)
class Way:
    """How to read a source next, and what to say about it."""

    spec: SourceSpec | Opener
    note: str


@dataclass(frozen=True, slots=True)
class Seen:
    """``before``, ``after``: as messages tell them. ``looks``: what the source says when it is asked again, each time
    anew; empty when nobody asked, as of a first change."""

    before: str
    after: str
    looks: tuple[Facts, ...] = ()
    earlier: frozenset[str] = frozenset()  # versions that were given up before

    @property
    def comes_and_goes(self) -> bool:
        """Whether the versions are names that several servers have for one file: one that was given up is back, or the
        same bytes are named anew at every look."""
        if {self.before, self.after} & self.earlier:
            return True
        if len({facts.size for facts in self.looks}) != 1:
            return False
        names = {(facts.etag, facts.last_modified) for facts in self.looks}
        is_back = any(_named(facts) == self.before for facts in self.looks)
        return is_back or (len(names) > 1 and len({facts.head for facts in self.looks}) == 1)


def may_be_alike(fault: Fault) -> bool:
    """Whether only names tell the versions apart, so that looking again may show that they are none."""
    return fault.code == "SourceChanged" and fault.values.get("alike") is True


def next_way(spec: SourceSpec | Opener, fault: Fault, seen: Seen | None, first: bool) -> Way | None:
    """None: there is no other way, the fault stands. ``seen``: of a source that has changed."""
    one_answer = _by_one_answer(spec)
    if fault.code == "RangesWithdrawn" and fault.values.get("as_stream") and one_answer:
        note = (
            "The server gives the ranges no more that it gave at first: started again from byte 0 over one connection."
        )
        return Way(one_answer, note)
    if fault.code != "SourceChanged":
        return None
    if seen is not None and seen.comes_and_goes and one_answer:
        note = (
            f"ETag or date of {fault.values['source']} change from answer to answer ({seen.before}, {seen.after}), as "
            "those of several servers for one file: started again from byte 0 over one connection."
        )
        return Way(one_answer, note)
    return Way(spec, f"SourceChanged: {fault.what} Started again from byte 0.") if first else None


def _by_one_answer(spec: SourceSpec | Opener) -> SourceSpec | None:
    """None: it is read so already, or has one manner only."""
    return replace(spec, one_answer=True) if isinstance(spec, SourceSpec) and not spec.one_answer else None


def _named(facts: Facts) -> str:
    from importer.sources.answers import Validators

    return str(Validators(facts.size, facts.etag, facts.last_modified))
