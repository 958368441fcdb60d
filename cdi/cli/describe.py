"""``cdi describe dv NAME``: one volume in full, for people."""

from __future__ import annotations

import argparse

from cdi.base.faults import Exit
from cdi.cli import local_options


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("describe", help="show one DataVolume in full")
    parser.add_argument("kind", metavar="dv", choices=("dv", "datavolume"))
    parser.add_argument("name", metavar="NAME", help="NAME or NAMESPACE/NAME")
    local_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    from cdi.local.store import as_yaml

    store = local_options.store(args)
    record = store.find(args.name, args.namespace)
    volume = record.volume
    disk = store.disk(volume)
    rows = [
        ("Name", volume.metadata.name),
        ("Namespace", volume.metadata.namespace),
        ("Created", volume.metadata.creation_timestamp),
        ("Phase", volume.status.phase),
        ("Progress", volume.status.progress),
        ("Restarts", str(volume.status.restart_count)),
        ("Disk", str(disk) if disk.exists() else f"{disk} (not there yet)"),
    ]
    print("\n".join(f"{name + ':':<12}{value}" for name, value in rows))
    print("Spec:\n" + _indented(as_yaml(volume.spec)))
    print("Conditions:")
    for condition in volume.status.conditions:
        said = " ".join(part for part in (condition.reason, condition.message) if part)
        print(f"  {condition.type:<8} {condition.status:<6} {condition.last_transition_time}  {said}".rstrip())
    print("Attempts:" if record.history else "Attempts: none")
    for attempt in record.history:
        print(f"  {attempt.start}  {attempt.outcome or 'running':<18} {attempt.bytes_done:,} bytes")
    return int(Exit.OK)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())
