"""``cdi get dv [NAME]``: the volumes of a data directory, as kubectl would print them."""

from __future__ import annotations

import argparse
import datetime
from typing import TYPE_CHECKING

from cdi.base.faults import Exit
from cdi.base.units import human_size
from cdi.cli import local_options

if TYPE_CHECKING:
    from cdi.local.store import Record

_COLUMNS = ("NAME", "PHASE", "PROGRESS", "RESTARTS", "AGE", "RATE", "ETA", "REASON")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("get", help="list DataVolumes", description="List DataVolumes, or show one.")
    parser.add_argument("kind", metavar="dv", choices=("dv", "dvs", "datavolume", "datavolumes"))
    parser.add_argument("name", metavar="NAME", nargs="?", help="NAME or NAMESPACE/NAME")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    parser.add_argument("-o", "--output", choices=("yaml", "json", "wide"), help="the whole object, or more columns")
    local_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    store = local_options.store(args)
    if args.name:
        records = [store.find(args.name, args.namespace)]
    else:
        records = list(store.records(None if args.all_namespaces else args.namespace))
    if args.output in ("yaml", "json"):
        print(_objects(records, args.output, single=bool(args.name)))
    elif not records:
        where = "any namespace" if args.all_namespaces else f"namespace {args.namespace}"
        print(f"No DataVolumes in {where}.")
    else:
        now = datetime.datetime.now(datetime.UTC)
        print(table(records, now, namespaces=args.all_namespaces))
    return int(Exit.OK)


def _objects(records: list[Record], output: str, *, single: bool) -> str:
    import msgspec

    from cdi.local.store import as_yaml

    items = [record.volume for record in records]
    shown = items[0] if single else {"apiVersion": "v1", "kind": "List", "items": items}
    if output == "json":
        return msgspec.json.format(msgspec.json.encode(shown)).decode()
    return as_yaml(shown).rstrip()


def table(records: list[Record], now: datetime.datetime, *, namespaces: bool = False) -> str:
    header = (("NAMESPACE",) if namespaces else ()) + _COLUMNS
    rows = [header]
    for record in records:
        head = (record.volume.metadata.namespace,) if namespaces else ()
        rows.append(head + _row(record, now))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(record: Record, now: datetime.datetime) -> tuple[str, ...]:
    status, progress = record.volume.status, record.progress
    moving = status.phase.endswith("InProgress") and status.failure is None
    rate = f"{human_size(progress['rateBps'])}/s" if moving and progress.get("rateBps") else ""
    eta = f"{progress['etaSeconds']}s" if moving and progress.get("etaSeconds") is not None else ""
    return (
        record.volume.metadata.name,
        status.phase,
        status.progress,
        str(status.restart_count),
        age(record.volume.metadata.creation_timestamp or "", now),
        rate,
        eta,
        status.failure.code if status.failure else "",
    )


def age(timestamp: str, now: datetime.datetime) -> str:
    """As kubectl shows it: ``42s``, ``3m``, ``5h``, ``2d``."""
    if not timestamp:
        return "<unknown>"
    seconds = int((now - datetime.datetime.fromisoformat(timestamp)).total_seconds())
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{max(0, seconds)}s"
