"""``cdi storage``: the storage classes, what they can do, and which one is taken by default."""

from __future__ import annotations

import argparse

from cdi.base.faults import Exit
from cdi.cli import place
from cdi.cli.class_row import ClassRow
from cdi.cli.table import table

_COLUMNS = ("NAME", "PROVISIONER", "BINDING", "MODES", "CLONE", "SAID BY")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("storage", help="list storage classes and what volumes of them can do")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    with place.chosen(args) as here:
        print(listing(here.classes()))
    return int(Exit.OK)


def listing(classes: list[ClassRow]) -> str:
    if not classes:
        return "there is no storage class"
    lines = [table(_COLUMNS, [_cells(item) for item in classes])]
    lines += [problem for item in classes for problem in item.problems]
    if not any(item.is_default for item in classes):
        lines.append("No class is the default: every DataVolume has to name one.")
    return "\n".join(lines)


def _cells(item: ClassRow) -> tuple[str, ...]:
    name = f"{item.name} (default)" if item.is_default else item.name
    return (name, item.provisioner, item.binding, " ".join(item.modes) or "?", item.clone, item.origin)
