"""The DataVolume of an upload: the one to make, and whether the one that is there will do. Pure."""

from __future__ import annotations

import argparse
from typing import Any

from cdi.api.datavolume import GROUP, DataVolume
from cdi.api.phase import Phase
from cdi.base.faults import Fault
from cdi.base.units import format_quantity, parse_quantity
from cdi.cli.inspect import needed_volume, roomy
from cdi.cli.names import Name
from cdi.contract import annotations as a
from importer.plan import Plan
from importer.target import too_small


def body(args: argparse.Namespace, name: Name, size: int, *, immediate: bool) -> dict[str, Any]:
    """The DataVolume for ``kubectl apply``."""
    metadata: dict[str, Any] = {"name": name.name, "namespace": name.namespace}
    if immediate:
        metadata["annotations"] = {a.IMMEDIATE: "true"}
    storage: dict[str, Any] = {"resources": {"requests": {"storage": format_quantity(size)}}}
    said = {"storageClassName": args.storage_class, "accessModes": args.access_mode, "volumeMode": args.volume_mode}
    storage |= {member: value for member, value in said.items() if value}
    spec: dict[str, Any] = {"source": {"upload": {}}, "storage": storage}
    if args.preallocation:
        spec["preallocation"] = True
    if args.archive:
        spec["contentType"] = "archive"
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec}


def size_of(args: argparse.Namespace, plan: Plan | None, *, with_room: bool) -> int:
    """Bytes to ask for: what was said, if the disk fits, else what it needs. ``plan``: None for an archive.
    ``with_room``: for the file system that the disk may be in. Raises Fault TargetTooSmall, SizeUnknown."""
    if args.size is not None:
        if plan is not None:
            _must_fit(plan, args.size)
        return int(args.size)
    if plan is None:
        cause = "how much an archive holds shows when it is unpacked"
        raise Fault("SizeUnknown", source=args.file, cause=cause)
    needed = needed_volume(plan)
    if needed is None:
        raise Fault("SizeUnknown", source=args.file, cause="its compressed stream does not say it")
    return roomy(needed) if with_room and args.volume_mode != "Block" else needed


def must_be_free(volume: DataVolume, plan: Plan | None) -> None:
    """Raises Fault UploadTargetOther, UploadFinished, TargetTooSmall for a volume that cannot be uploaded to."""
    spec, name = volume.spec, f"{volume.metadata.namespace}/{volume.metadata.name}"
    if spec.source is None or spec.source.upload is None:
        of = spec.source.members[0] if spec.source is not None and spec.source.members else "another one"
        raise Fault("UploadTargetOther", name=name, why=f"its source is {of}")
    if spec.is_archive is not (plan is None):
        why = "it is for an archive, which --archive sends" if spec.is_archive else "it is for a disk, not an archive"
        raise Fault("UploadTargetOther", name=name, why=why)
    if volume.status.phase == Phase.SUCCEEDED:
        raise Fault("UploadFinished", claim=name)
    asked = parse_quantity(str(spec.target.resources.requests.get("storage", 0)))
    if plan is not None and asked:
        _must_fit(plan, asked)


def _must_fit(plan: Plan, size: int) -> None:
    if plan.virtual_size is not None and plan.least_size > size:
        raise too_small(plan.virtual_size, size)
