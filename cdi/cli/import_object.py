"""``cdi import URL dv/NAME``: make a DataVolume of the right size and follow it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from msgspec import to_builtins

from cdi.api.datavolume import GROUP
from cdi.base.faults import Exit, Fault
from cdi.base.nearest import hint
from cdi.base.printable import one_line
from cdi.base.units import format_quantity, human_size
from cdi.cli import names, unfit
from cdi.cli.class_row import ClassRow
from cdi.cli.cluster_place import ClusterPlace, connected
from cdi.cli.cluster_source import as_the_worker_sees_it, member_of
from cdi.cli.inspect import needed_volume, planned, roomy
from cdi.cli.spoken import say
from cdi.cli.watch import attached
from cdi.contract import annotations as a
from importer.target import too_small


def run(args: argparse.Namespace) -> int:
    from importer.checksum import Checksum

    unfit.check_object(args)
    if args.checksum:
        Checksum.parse(args.checksum)
    named = names.stated([args.target])
    if named and args.namespace and named != args.namespace:
        raise Fault("NamespacesDiffer", named=named, given=args.namespace)
    namespace = named or args.namespace
    with connected(args.kubeconfig, args.context, namespace) as here:
        say(here.where(), file=sys.stderr)
        name = names.parse(args.target, here.namespace)
        chosen = class_of(here.classes(), args.storage_class, archive=args.archive)
        size = _size(args, here, name.namespace)
        say_binding(chosen)
        here.create(body(args, name, size, immediate=chosen is None or chosen.binding != "Immediate"))
        say(f"datavolume {name} created, {human_size(size)}", file=sys.stderr)
        if args.detach:
            return int(Exit.OK)
        return attached(here, name, args, sys.stderr)


def body(args: argparse.Namespace, name: names.Name, size: int, *, immediate: bool) -> dict[str, Any]:
    """The DataVolume for ``kubectl apply``."""
    metadata: dict[str, Any] = {"name": name.name, "namespace": name.namespace}
    annotations = {a.IMMEDIATE: "true"} if immediate else {}
    members = to_builtins(member_of(args))
    if args.checksum and "checksum" not in members:
        annotations[a.CHECKSUM] = args.checksum
    if annotations:
        metadata["annotations"] = annotations
    storage: dict[str, Any] = {"resources": {"requests": {"storage": format_quantity(size)}}}
    if args.storage_class:
        storage["storageClassName"] = args.storage_class
    spec: dict[str, Any] = {"source": {unfit.source_of(args.source).name: members}, "storage": storage}
    if args.preallocation:
        spec["preallocation"] = True
    if args.archive:
        spec["contentType"] = "archive"
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec}


def _size(args: argparse.Namespace, here: ClusterPlace, namespace: str) -> int:
    """Bytes to ask for: what was said, if the image fits, else what it needs. Its header is read from here; the worker
    reads it again. Raises Fault TargetTooSmall, and what is wrong with the source."""
    if args.archive and args.size is not None:
        return int(args.size)  # how much is in an archive shows when it is unpacked
    try:
        with as_the_worker_sees_it(args, here, namespace) as spec:
            plan = planned(spec, args.checksum)
    except Fault as fault:
        if args.size is None:
            raise
        # The worker may reach what this machine does not, read what this user may not, and wait for what is to come.
        say(f"note: whether the image fits into --size cannot be seen: {one_line(fault.what)}", file=sys.stderr)
        return int(args.size)
    if args.size is not None:
        if plan.virtual_size is not None and plan.least_size > args.size:
            raise too_small(plan.virtual_size, args.size)
        return int(args.size)
    size = needed_volume(plan)
    if size is None:
        raise Fault("SizeUnknown", source=args.source, cause="its compressed stream does not say it")
    return roomy(size)


def class_of(classes: list[ClassRow], wanted: str | None, *, archive: bool) -> ClassRow | None:
    """The class that will be taken. None: one that this user cannot know, who may not read storage classes.

    Raises Fault StorageClassUnknown, and DefaultClassMissing where none is named and none is taken by default.
    """
    if wanted is None:
        found = next((item for item in classes if (item.is_archive_default if archive else item.is_default)), None)
        if found is None and all(item.binding for item in classes):
            raise Fault("DefaultClassMissing")
        return found
    found = next((item for item in classes if item.name == wanted), None)
    if found is None:
        raise Fault("StorageClassUnknown", name=wanted or '""', hint=hint(wanted, [item.name for item in classes]))
    return found


def say_binding(chosen: ClassRow | None) -> None:
    """What is done about a class that waits, or that may: for one that does not, the annotation changes nothing."""
    if chosen is None or not chosen.binding:
        say("you may not read StorageClasses: if the class waits for a first consumer, bound at once", file=sys.stderr)
    elif chosen.binding == "WaitForFirstConsumer":
        say(f"class {chosen.name} waits for a first consumer: bound at once", file=sys.stderr)
