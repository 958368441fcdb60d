"""``cdi inspect SOURCE``: what a source is and how it would be imported, from its header and tables only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from cdi.base.faults import Fault
from cdi.base.printable import one_line
from cdi.base.sources import listed, urls
from cdi.base.units import GiB, MiB, format_quantity, human_size, round_up
from cdi.cli import output_options, source_options
from cdi.cli.spoken import say

if TYPE_CHECKING:
    from importer.formats import ReadAt
    from importer.plan import Plan
    from importer.sources import SourceSpec

Looked = TypeVar("Looked")

_ROOM = 64 * MiB  # in small file systems


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="show format, sizes and route of a source",
        description="Show what SOURCE is and how it would be imported. Reads its header and tables only.",
    )
    parser.add_argument("source", metavar="SOURCE", help=f"{listed(urls(), 'or')} URL, or a file")
    output_options.add_lines(parser, "print JSON")
    parser.add_argument("--checksum", metavar="ALG:HEX", help="plan for an import with this checksum")
    source_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    seen = inspected(source_options.spec(args.source, args), args.checksum)
    say(json.dumps(as_json(seen), indent=2) if args.json else as_text(seen))
    return 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """``allocated``: bytes of disk that the image holds; None where only its bytes in order would tell."""

    plan: Plan
    allocated: int | None = None


def planned(spec: SourceSpec, checksum: str | None) -> Plan:
    """What an import of that source would do, from its header. Blocking; raises Fault."""

    def look(spec: SourceSpec) -> Plan:
        with _looked_at(spec, checksum) as (plan, _):
            return plan

    return _in_some_way(spec, look)


def inspected(spec: SourceSpec, checksum: str | None) -> Inspection:
    """The same, with all that the image's tables show where they can be read: of a file that was cut they point behind
    its end. Blocking; raises Fault."""

    def look(spec: SourceSpec) -> Inspection:
        with _looked_at(spec, checksum) as (plan, read_at):
            return Inspection(plan, _allocated(plan, read_at))

    return _in_some_way(spec, look)


def _in_some_way(spec: SourceSpec, look: Callable[[SourceSpec], Looked]) -> Looked:
    """As an import would read it: without ranges, when a server gives only those from the start, or names one file
    differently in every answer."""
    from importer.another_way import may_be_alike, next_way

    try:
        return look(spec)
    except Fault as fault:
        if next_way(spec, fault, None, first=False) is None and not may_be_alike(fault):
            raise
    return look(replace(spec, one_answer=True))


def _allocated(plan: Plan, read_at: ReadAt) -> int | None:
    from importer.plan import Route, open_range_image

    if plan.compression or not plan.facts.ranges or plan.facts.size is None or plan.route is Route.ARCHIVE:
        return None
    return sum(extent.length for extent in open_range_image(plan, read_at).extents())


@contextmanager
def _looked_at(spec: SourceSpec, checksum: str | None) -> Iterator[tuple[Plan, ReadAt]]:
    from importer.cancel import Cancel
    from importer.checksum import Checksum
    from importer.fetch.reader import RangeReader
    from importer.fetch.retry import FirstPatience, RetryPolicy
    from importer.plan import Wishes, plan_patiently
    from importer.sources.table import open_source

    wishes = Wishes(checksum=bool(checksum and Checksum.parse(checksum)))
    source, cancel = open_source(spec), Cancel()
    try:
        reader = RangeReader(source, RetryPolicy(), cancel, lambda _: None)
        yield plan_patiently(source, reader, wishes, FirstPatience(RetryPolicy(), cancel.sleep)), reader.read_at
    finally:
        source.close()


def needed_volume(plan: Plan) -> int | None:
    """Bytes a volume needs for the disk: whole MiB, without any filesystem's own overhead."""
    return None if plan.virtual_size is None else round_up(plan.virtual_size, MiB)


def roomy(size: int) -> int:
    """Bytes to ask for, for a disk of ``size`` in a file system: the 6 % that a claim adds are not enough for small
    ones. ext4 takes 6.2 % of 1 GiB for its journal and inodes, 3 % of 10 GiB."""
    return size + _ROOM if size < 2 * GiB else size


def as_json(seen: Inspection) -> dict[str, object]:
    plan = seen.plan
    return {
        "source": plan.facts.name,
        "format": plan.format,
        "compression": list(plan.compression),
        "virtualSize": plan.virtual_size,
        "allocated": seen.allocated,
        "transferSize": plan.facts.size,
        "ranges": plan.facts.ranges,
        "etag": plan.facts.etag,
        "lastModified": plan.facts.last_modified,
        "route": plan.route.value,
        "routeText": plan.describe(),
        "resumes": plan.resumes.value,
        "temporaryFile": plan.needs_spool,
        "volumeSize": needed_volume(plan),
        "warnings": list(plan.warnings),
    }


def as_text(seen: Inspection) -> str:
    from importer.plan import Resumes

    plan = seen.plan
    unknown = "unknown before the end"
    resumes = {
        Resumes.ANYWHERE: "yes: after a kill nothing written is fetched again",
        Resumes.FRAME: "from the last whole frame, block or member",
        Resumes.PREFIX: "yes: the written part is hashed again, not fetched again",
        Resumes.NOTHING: "no: a new process starts from byte 0 (a retry within the process continues)",
    }[plan.resumes]
    volume = needed_volume(plan)
    rows = [
        ("source", plan.facts.name),
        ("format", " in ".join((plan.format, *reversed(plan.compression)))),
        ("virtual size", unknown if plan.virtual_size is None else _size(plan.virtual_size)),
        *([("allocated", _size(seen.allocated))] if seen.allocated is not None else []),
        ("transfer size", unknown if plan.facts.size is None else _size(plan.facts.size)),
        ("ranges", "yes" if plan.facts.ranges else "no"),
        ("ETag", plan.facts.etag or "none"),
        ("route", plan.describe()),
        ("resumes", resumes),
        ("volume size", unknown if volume is None else _volume(volume)),
    ]
    lines = [one_line(f"{name + ':':<15}{value}") for name, value in rows]
    lines += [one_line(f"{'note:':<15}{warning}") for warning in plan.warnings]
    return "\n".join(lines)


def _volume(size: int) -> str:
    with_room = format_quantity(roomy(size))
    return f"{format_quantity(size)} as a device, {with_room} as a file system"


def _size(size: int) -> str:
    return f"{human_size(size)} ({size:,} bytes)"
