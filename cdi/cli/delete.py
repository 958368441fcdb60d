"""``cdi delete dv NAME``: remove a volume and its disk."""

from __future__ import annotations

import argparse
import json

from cdi.cli import names, output_options, place
from cdi.cli.each import each
from cdi.cli.spoken import say


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("delete", help="remove a DataVolume and its disk")
    names.add(parser, "*")
    output_options.add(parser, "a line for each volume")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    names.check_kind(args.kind.partition("/")[0])
    with place.chosen(args) as here:

        def remove(name: names.Name) -> None:
            here.delete(name)
            say(json.dumps({"name": str(name), "deleted": True}) if args.output else f"datavolume {name} deleted")

        return each(names.some(args, here.namespace), remove, args)
