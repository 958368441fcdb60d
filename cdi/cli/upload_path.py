"""``cdi upload FILE PATH``: into a file, device or directory of this machine."""

from __future__ import annotations

import argparse

from cdi.base.faults import Exit, Fault
from cdi.cli import unfit
from cdi.cli.import_ import target_of, transferred
from cdi.cli.inspect import as_text, inspected
from cdi.cli.spoken import say
from importer.sources import SourceSpec
from importer.transfer import Request


def run(args: argparse.Namespace) -> int:
    unfit.check_upload_path(args)
    args.is_by_hand = True
    target = target_of(args)
    source = SourceSpec(url=str(args.file.absolute()))
    if args.dry_run:
        return shown(args, source, f"# it would be written to {target.path}")
    return transferred(Request(source=source, target=target, archive=args.archive), as_json=bool(args.json))


def shown(args: argparse.Namespace, source: SourceSpec, what: str) -> int:
    """Of which nothing is done."""
    if args.json:
        raise Fault("OptionUnfit", option="-o json", target=args.target, reason="a dry run here is for people")
    if not args.archive:
        say(as_text(inspected(source, None)))
    say(what)
    return int(Exit.OK)
