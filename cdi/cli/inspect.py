"""``cdi inspect SOURCE``: what a source is and how it would be imported, from its header and tables only."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from cdi.base.units import MiB, format_quantity, human_size, round_up
from cdi.cli import output_options, source_options

if TYPE_CHECKING:
    from importer.plan import Plan


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "inspect",
        help="show format, sizes and route of a source",
        description="Show what SOURCE is and how it would be imported. Reads its header and tables only.",
    )
    parser.add_argument("source", metavar="SOURCE", help="http://, https:// or s3:// URL, or a file")
    output_options.add_lines(parser, "print JSON")
    parser.add_argument("--checksum", metavar="ALG:HEX", help="plan for an import with this checksum")
    source_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    plan = planned(args)
    print(json.dumps(as_json(plan), indent=2) if args.json else as_text(plan))
    return 0


def planned(args: argparse.Namespace) -> Plan:
    """What an import of ``args.source`` would do, from its header and tables. Blocking; raises Fault."""
    from importer.cancel import Cancel
    from importer.checksum import Checksum
    from importer.fetch.reader import RangeReader
    from importer.fetch.retry import RetryPolicy
    from importer.plan import Wishes, make_plan
    from importer.sources.registry import open_source

    checksum = Checksum.parse(args.checksum) if args.checksum else None
    source = open_source(source_options.spec(args.source, args))
    try:
        reader = RangeReader(source, RetryPolicy(), Cancel(), lambda _: None)
        return make_plan(source, reader.read_at, Wishes(checksum=checksum is not None))
    finally:
        source.close()


def needed_volume(plan: Plan) -> int | None:
    """Bytes a volume needs for the disk: whole MiB, without any filesystem's own overhead."""
    return None if plan.virtual_size is None else round_up(plan.virtual_size, MiB)


def as_json(plan: Plan) -> dict[str, object]:
    return {
        "source": plan.facts.name,
        "format": plan.format,
        "compression": list(plan.compression),
        "virtualSize": plan.virtual_size,
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


def as_text(plan: Plan) -> str:
    from importer.plan import Resumes

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
        ("transfer size", unknown if plan.facts.size is None else _size(plan.facts.size)),
        ("ranges", "yes" if plan.facts.ranges else "no"),
        ("ETag", plan.facts.etag or "none"),
        ("route", plan.describe()),
        ("resumes", resumes),
        ("volume size", unknown if volume is None else f"{format_quantity(volume)} + the filesystem's overhead"),
    ]
    lines = [f"{name + ':':<15}{value}" for name, value in rows]
    lines += [f"{'note:':<15}{warning}" for warning in plan.warnings]
    return "\n".join(lines)


def _size(size: int) -> str:
    return f"{human_size(size)} ({size:,} bytes)"
