"""``cdi why NAME``: in what state a volume is, what it waits for, and what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cdi.base.faults import Exit
from cdi.cli import local_options

if TYPE_CHECKING:
    from pathlib import Path

    from cdi.local.store import Record


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("why", help="explain the state of a DataVolume")
    parser.add_argument("name", metavar="NAME", help="NAME, dv/NAME or NAMESPACE/NAME")
    local_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    store = local_options.store(args)
    record = store.find(args.name, args.namespace)
    print(explain(record, store.disk(record.volume)))
    return int(Exit.OK)


def explain(record: Record, disk: Path) -> str:
    status = record.volume.status
    name = f"{record.volume.metadata.namespace}/{record.volume.metadata.name}"
    lines = [f"{name} is {status.phase} ({status.progress})."]
    if status.failure is not None:
        message = next((item.message for item in status.conditions if item.type == "Running"), "")
        kind = "needs you" if status.failure.permanent else "may pass by itself"
        lines += [f"It failed since {status.failure.since}; this {kind}:", f"  {message}"]
        lines.append("Run `cdi run -f ...` again when the cause is gone: it goes on from where it stopped.")
    elif status.phase == "Succeeded":
        lines.append(f"The disk is {disk}.")
    elif not status.phase.endswith("InProgress"):
        lines.append("Nothing works on it: run `cdi run -f ...` again, it goes on from where it stopped.")
    lines.append("Attempts, newest last:" if record.history else "There was no attempt yet.")
    for attempt in record.history:
        end = attempt.end or "now"
        lines.append(f"  {attempt.start} to {end}: {attempt.outcome or 'running'}, {attempt.bytes_done:,} bytes")
    return "\n".join(lines)
