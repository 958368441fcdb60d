"""``cdi get dv [NAME]``: the volumes of a data directory or a cluster, as kubectl would print them."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdi.base.units import human_duration, human_size
from cdi.cli import names, place
from cdi.cli.each import each
from cdi.cli.spoken import say
from cdi.cli.table import age, now, table

if TYPE_CHECKING:
    from cdi.cli.view import View

_COLUMNS = ("NAME", "PHASE", "PROGRESS", "RESTARTS", "AGE", "RATE", "ETA", "REASON")
_WIDE = ("SOURCE", "CLASS", "SIZE", "CLAIM", "ATTEMPTS")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("get", help="list DataVolumes", description="List DataVolumes, or show some.")
    names.add(parser, "*")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    parser.add_argument("-o", "--output", choices=("yaml", "json", "wide"), help="the whole object, or more columns")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    names.check_kind(args.kind.partition("/")[0])
    with place.chosen(args) as here:
        named = names.chosen(args, here.namespace)
        views: list[View] = []
        status = each(named, lambda name: views.append(here.volume(name)), args)
        if not named:
            views = here.volumes(None if args.all_namespaces else here.namespace)
    if named and not views:
        return status
    if args.output in ("yaml", "json"):
        say(_objects(views, args.output, single=len(named) == 1))
    elif not views:
        where = "any namespace" if args.all_namespaces else f"namespace {here.namespace}"
        say(f"No DataVolumes in {where}.")
    else:
        say(listing(views, now(), namespaces=args.all_namespaces, wide=args.output == "wide"))
    return status


def _objects(views: Sequence[View], output: str, *, single: bool) -> str:
    items = [view.document for view in views]
    shown = items[0] if single else {"apiVersion": "v1", "kind": "List", "items": items}
    if output == "json":
        import json

        return json.dumps(shown, indent=2)
    import yaml

    return yaml.safe_dump(shown, sort_keys=False, default_flow_style=False).rstrip()


def listing(views: Sequence[View], moment: datetime.datetime, *, namespaces: bool = False, wide: bool = False) -> str:
    header = (("NAMESPACE",) if namespaces else ()) + _COLUMNS + (_WIDE if wide else ())
    rows = []
    for view in views:
        head = (view.name.namespace,) if namespaces else ()
        rows.append(head + _row(view, moment) + (_wide(view) if wide else ()))
    return table(header, rows)


def _row(view: View, moment: datetime.datetime) -> tuple[str, ...]:
    status, transfer = view.volume.status, view.transfer
    rate, eta = transfer.get("rateBps"), transfer.get("etaSeconds")
    return (
        view.name.name,
        status.phase,
        status.progress,
        str(status.restart_count),
        age(view.volume.metadata.creation_timestamp or "", moment),
        f"{human_size(rate)}/s" if view.is_moving and rate else "",
        human_duration(eta) if view.is_moving and eta is not None else "",
        reason(view),
    )


def reason(view: View) -> str:
    """One word when something is wrong: the code of the failure, or the reason of the condition that says so."""
    failure = view.volume.status.failure
    if failure is not None:
        return failure.code
    bound = view.condition("Bound").reason
    if view.trouble:
        return view.condition("Running").reason or bound
    return bound if bound.startswith(("Err", "CloneWithout", "CloneValidation", "ClaimLost")) else ""


def _wide(view: View) -> tuple[str, ...]:
    spec, status = view.volume.spec, view.volume.status
    return (
        origin(view),
        spec.target.storage_class_name or "",
        str(spec.target.resources.requests.get("storage", "")),
        status.claim_name,
        str(status.failure.attempts) if status.failure else "",
    )


def origin(view: View) -> str:
    """Where the content comes from, in a few words."""
    source, reference = view.volume.spec.source, view.volume.spec.source_ref
    if reference is not None:
        return f"{reference.kind} {reference.name}"
    if source is None or not source.members:
        return "external"
    member = getattr(source, source.members[0])
    url = getattr(member, "url", "")
    return url or " ".join((source.members[0], *(getattr(member, key, "") for key in ("namespace", "name")))).rstrip()
