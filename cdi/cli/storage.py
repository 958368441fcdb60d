"""``cdi storage``: the storage classes, what they can do, and which one is taken by default."""

from __future__ import annotations

import argparse

from cdi.base.faults import Exit
from cdi.cli import output_options, place
from cdi.cli.class_row import ClassRow
from cdi.cli.spoken import say
from cdi.cli.table import table

_COLUMNS = ("NAME", "PROVISIONER", "BINDING", "MODES", "CLONE", "SAID BY")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("storage", help="list storage classes and what volumes of them can do")
    output_options.add(parser, "everything that is known of them")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    with place.chosen(args) as here:
        classes = here.classes()
    say(as_json(classes) if args.output else listing(classes))
    return int(Exit.OK)


def as_json(classes: list[ClassRow]) -> str:
    import json

    items = [
        {
            "name": item.name,
            "provisioner": item.provisioner,
            "isDefault": item.is_default,
            "isArchiveDefault": item.is_archive_default,
            "binding": item.binding,
            "modes": list(item.modes),
            "cloneStrategy": item.clone,
            "snapshotClass": item.snapshot_class,
            "saidBy": item.origin,
            "problems": list(item.problems),
        }
        for item in classes
    ]
    return json.dumps({"items": items}, indent=2)


def listing(classes: list[ClassRow]) -> str:
    if not classes:
        return "there is no storage class"
    lines = [table(_COLUMNS, [_cells(item) for item in classes])]
    lines += [problem for item in classes for problem in item.problems]
    if not all(item.binding for item in classes):
        lines.append("You may not read StorageClasses: bindings, and which one is the default, are not known here.")
    elif not any(item.is_default for item in classes):
        lines.append("No class is the default: every DataVolume has to name one.")
    return "\n".join(lines)


def _cells(item: ClassRow) -> tuple[str, ...]:
    mark = " (default)" if item.is_default else " (default of archives)" if item.is_archive_default else ""
    modes = " ".join(item.modes) or "?"
    return (item.name + mark, item.provisioner, item.binding or "?", modes, item.clone, item.origin)
