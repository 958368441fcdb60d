"""``cdi clone SOURCE NAME``: a DataVolume that is a clone of a claim or a snapshot, or, dry, how it would be cloned."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from cdi.base.faults import Exit, Fault
from cdi.cli import names, output_options, place
from cdi.cli.clone_plan import plan_lines
from cdi.cli.spoken import say

if TYPE_CHECKING:
    from cdi.api.datavolume import DataVolume
    from cdi.cli.cluster_clone import Outlook

_LOCAL = (
    "cdi clone acts on a cluster. Try: on one machine, a DataVolume with source.pvc and cdi run, or "
    "--kubeconfig for a cluster"
)
_UNKNOWN = "Plan: not known yet: the source is not bound, the class is not there, or the webhook completes the claim."


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("clone", help="make a DataVolume that is a clone of a claim or a snapshot")
    parser.add_argument("source", metavar="SOURCE", help="the claim (or snapshot): NAME or NAMESPACE/NAME")
    parser.add_argument("name", metavar="NAME", help="the DataVolume to be made: NAME or NAMESPACE/NAME")
    parser.add_argument("--snapshot", action="store_true", help="SOURCE is a VolumeSnapshot")
    parser.add_argument("--storage-class", metavar="CLASS", help="its class (default: that of the cluster)")
    parser.add_argument("--size", metavar="SIZE", help="such as 20Gi (default: as large as what is cloned)")
    parser.add_argument("--dry-run", action="store_true", help="make nothing: say how it would be cloned, and why")
    output_options.add(parser, "the plan, or the name")
    place.add(parser)
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    if place.data_directory(args) is not None:
        say(_LOCAL, file=sys.stderr)
        return int(Exit.USAGE)
    from cdi.cli.cluster_place import connected

    named = names.stated([args.name])
    if named and args.namespace and named != args.namespace:
        raise Fault("NamespacesDiffer", named=named, given=args.namespace)
    with connected(args.kubeconfig, args.context, named or args.namespace) as here:
        say(here.where(), file=sys.stderr)
        body = manifest(args, here.namespace)
        if args.dry_run:
            return _told(args, here.outlook(_typed(body)))
        made = here.create(body)
    following = f"cdi watch dv {made.name}{place.spelled(args)}"
    say(
        json.dumps({"name": str(made.name)})
        if args.output
        else f"datavolume {made.name} is made. Follow it: {following}"
    )
    return int(Exit.OK)


def manifest(args: argparse.Namespace, namespace: str) -> dict[str, Any]:
    """``namespace``: of names that say none."""
    target, source = names.parse(args.name, namespace), names.parse(args.source, namespace)
    kind = "snapshot" if args.snapshot else "pvc"
    storage: dict[str, Any] = {"storageClassName": args.storage_class} if args.storage_class else {}
    storage |= {"resources": {"requests": {"storage": args.size}}} if args.size else {}
    spec = {"source": {kind: {"namespace": source.namespace, "name": source.name}}, "storage": storage}
    metadata = {"name": target.name, "namespace": target.namespace}
    return {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec}


def _typed(body: dict[str, Any]) -> DataVolume:
    import msgspec

    from cdi.api.datavolume import DataVolume

    return msgspec.convert(body, DataVolume)


def _told(args: argparse.Namespace, found: Outlook) -> int:
    """Raises the Fault for which it would be refused, after the plan."""
    if args.output:
        import msgspec

        say(json.dumps({"clone": msgspec.to_builtins(found.clone)}))
    elif found.clone is not None:
        say("\n".join(plan_lines(found.clone)))
    elif found.fault is None:
        say(_UNKNOWN)
    if found.fault is not None:
        raise found.fault
    return int(Exit.OK)
