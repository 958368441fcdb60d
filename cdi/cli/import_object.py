"""``cdi import URL dv/NAME``: make a DataVolume of the right size and follow it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from cdi.api.datavolume import GROUP
from cdi.base.faults import Exit, Fault
from cdi.base.nearest import hint
from cdi.base.units import GiB, MiB, format_quantity, human_size
from cdi.cli import names, unfit
from cdi.cli.class_row import ClassRow
from cdi.cli.cluster_place import ClusterPlace, connected
from cdi.cli.inspect import needed_volume, planned
from cdi.cli.watch import attached
from cdi.controllers import annotations as a

_ROOM = 64 * MiB  # for small file systems


def run(args: argparse.Namespace) -> int:
    from importer.checksum import Checksum

    unfit.check_object(args)
    if args.checksum:
        Checksum.parse(args.checksum)
    namespace = names.stated([args.target]) or args.namespace
    with connected(args.kubeconfig, args.context, namespace) as here:
        print(here.where(), file=sys.stderr)
        name = names.parse(args.target, here.namespace)
        chosen = _class(here, args.storage_class)
        size = args.size or _probed(args)
        waits = chosen is not None and chosen.binding == "WaitForFirstConsumer"
        if waits:
            print(f"class {chosen.name if chosen else ''} waits for a first consumer: bound at once", file=sys.stderr)
        here.create(body(args, name, size, immediate=waits))
        print(f"datavolume {name} created, {human_size(size)}", file=sys.stderr)
        if args.detach:
            return int(Exit.OK)
        return attached(here, name, args)


def body(args: argparse.Namespace, name: names.Name, size: int, *, immediate: bool) -> dict[str, Any]:
    """The DataVolume for ``kubectl apply``."""
    metadata: dict[str, Any] = {"name": name.name, "namespace": name.namespace}
    annotations = {a.IMMEDIATE: "true"} if immediate else {}
    if args.checksum and _is_s3(args):
        annotations[a.CHECKSUM] = args.checksum  # its source has no member for it
    if annotations:
        metadata["annotations"] = annotations
    storage: dict[str, Any] = {"resources": {"requests": {"storage": format_quantity(size)}}}
    if args.storage_class:
        storage["storageClassName"] = args.storage_class
    spec: dict[str, Any] = {"source": _source(args), "storage": storage}
    if args.preallocation:
        spec["preallocation"] = True
    if args.archive:
        spec["contentType"] = "archive"
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec}


def _source(args: argparse.Namespace) -> dict[str, Any]:
    if _is_s3(args):
        return {"s3": {"url": _endpoint(args.source)}}
    source: dict[str, Any] = {"url": args.source}
    if args.checksum:
        source["checksum"] = args.checksum
    if args.header:
        source["extraHeaders"] = list(args.header)
    if args.insecure:
        source["insecureSkipVerify"] = True
    return {"http": source}


def _endpoint(url: str) -> str:
    """Clusters know an object by its endpoint's URL, the bucket first in the path, and refuse ``s3://bucket/key``."""
    from importer.sources.s3_url import parse_s3_url

    return parse_s3_url(url, "", os.environ, "path").url()


def _is_s3(args: argparse.Namespace) -> bool:
    return bool(args.source.startswith("s3://"))


def _probed(args: argparse.Namespace) -> int:
    """Bytes of the disk, from the image's header: read from here, the worker reads it again."""
    size = needed_volume(planned(args))
    if size is None:
        raise Fault("SizeUnknown", source=args.source, cause="its compressed stream does not say it")
    # ext4 takes 6.2 % of 1 GiB for its journal and inodes, more than the 6 % that are added; 3 % of 10 GiB.
    return size + _ROOM if size < 2 * GiB else size


def _class(here: ClusterPlace, wanted: str | None) -> ClassRow | None:
    """The class that will be taken; None when there is no default."""
    classes = here.classes()
    if wanted is None:
        return next((item for item in classes if item.is_default), None)
    found = next((item for item in classes if item.name == wanted), None)
    if found is None:
        raise Fault("StorageClassUnknown", name=wanted, hint=hint(wanted, [item.name for item in classes]))
    return found
