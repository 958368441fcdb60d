"""``cdi delete dv NAME``: remove a volume and its disk from the data directory."""

from __future__ import annotations

import argparse

from cdi.base.faults import Exit
from cdi.cli import local_options


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("delete", help="remove a DataVolume and its disk")
    parser.add_argument("kind", metavar="dv", choices=("dv", "datavolume"))
    parser.add_argument("name", metavar="NAME", nargs="+", help="NAME or NAMESPACE/NAME")
    local_options.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    store = local_options.store(args)
    for name in args.name:
        meta = store.find(name, args.namespace).volume.metadata
        store.delete(meta.namespace, meta.name)
        print(f"datavolume {meta.namespace}/{meta.name} deleted")
    return int(Exit.OK)
