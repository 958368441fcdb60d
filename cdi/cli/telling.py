"""A volume's surroundings in lines for people: the same in ``describe`` and ``why``."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator

from cdi.base.moments import moment as moment_of
from cdi.base.units import human_duration, human_size, size_or_none
from cdi.cli.story import Claim, Story, Worker
from cdi.cli.table import age
from cdi.cli.view import View

_EVENTS = 12


def conditions(view: View, known: str = "") -> Iterator[str]:
    """``known``: a text that was told before."""
    if view.volume.status.conditions:
        yield "Conditions:"
    for item in view.volume.status.conditions:
        said = " ".join(part for part in (item.reason, _once(item.message, known)) if part)
        yield f"  {item.type:<8} {item.status:<6} {item.last_transition_time}  {said}".rstrip()


def next_attempt(view: View, moment: datetime.datetime) -> str:
    """``in 12 s``; empty when none is planned, or its time has come."""
    failure = view.volume.status.failure
    if failure is None or not failure.next_attempt:
        return ""
    planned = moment_of(failure.next_attempt)
    seconds = 0 if planned is None else math.ceil((planned - moment).total_seconds())
    if seconds <= 0:
        return ""
    return f"in {seconds} s" if seconds < 60 else f"in {human_duration(seconds)}"


def surroundings(story: Story, moment: datetime.datetime, known: str = "") -> Iterator[str]:
    """Claims, worker, log, attempts and events; nothing of what a place does not have. ``known``: told before."""
    for claim in story.claims:
        yield _claim(claim)
    if story.worker is not None:
        yield from _worker(story.worker)
    if story.log:
        yield "Last lines of the worker's log:"
        yield from (f"  {_once(line, known)}" for line in story.log)
    if story.attempts is not None:
        yield "Attempts, newest last:" if story.attempts else "There was no attempt yet."
        for attempt in story.attempts:
            end, outcome = attempt.end or "now", attempt.outcome or "running"
            where = f" on {attempt.node}" if attempt.node else ""
            much = f", {attempt.bytes_done:,} bytes" if attempt.bytes_done else ""
            yield f"  {attempt.start} to {end}{where}: {outcome}{much}"
    if story.events:
        yield "Events, newest last:"
    for event in story.events[-_EVENTS:]:
        repeated = f" (x{event.count})" if event.count > 1 else ""
        said = f"{event.about}: {_once(event.message, known)}{repeated}"
        yield f"  {age(event.at, moment):>5}  {event.type:<7} {event.reason:<16} {said}"
    for what in story.unreadable:
        yield f"Not shown: {what}."


def _once(text: str, known: str) -> str:
    return text.replace(known, "(as above)") if known else text


def _claim(claim: Claim) -> str:
    known_size = size_or_none(claim.size)
    size = claim.size if known_size is None else human_size(known_size)
    known = [claim.phase or "no phase yet", size, claim.storage_class and f"class {claim.storage_class}"]
    known += [claim.volume and f"volume {claim.volume}", "is being deleted" if claim.is_being_deleted else ""]
    return f"{claim.role[0].upper()}{claim.role[1:]} {claim.name}: {', '.join(part for part in known if part)}"


def _worker(worker: Worker) -> Iterator[str]:
    where = f" on {worker.node}" if worker.node else ""
    restarts = f", {worker.restarts} restarts" if worker.restarts else ""
    yield f"Worker {worker.name}: {worker.phase}{where}{restarts}"
    if worker.unschedulable:
        yield f"  no node takes it: {worker.unschedulable}"
    if worker.waiting:
        yield f"  waits: {worker.waiting} {worker.waiting_message}".rstrip()
    if worker.ended:
        yield f"  last {worker.ended}"
