"""``cdi upload FILE dv/NAME`` in a cluster: make the DataVolume, wait for its server, send, wait for the disk."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from cdi.api.phase import Phase
from cdi.base.faults import Exit, Fault
from cdi.base.units import human_size
from cdi.cli import cluster_upload, names, place, unfit, upload_ways, watch
from cdi.cli.attended import Warn, attended
from cdi.cli.cluster_place import ClusterPlace, connected
from cdi.cli.diagnosis import diagnose
from cdi.cli.import_object import class_of, say_binding
from cdi.cli.inspect import planned
from cdi.cli.names import Name
from cdi.cli.spoken import say
from cdi.cli.upload_body import body, must_be_free, size_of
from cdi.cli.upload_ways import Job
from cdi.cli.view import View
from cdi.contract import annotations as a
from importer.cancel import Cancel
from importer.plan import Plan
from importer.progress import Progress
from importer.sources import SourceSpec

_WAITS = (Phase.WAIT_FOR_FIRST_CONSUMER, Phase.PENDING_POPULATION)


def run(args: argparse.Namespace) -> int:
    unfit.check_upload_object(args)
    args.is_by_hand = True
    named = names.stated([args.target])
    if named and args.namespace and named != args.namespace:
        raise Fault("NamespacesDiffer", named=named, given=args.namespace)
    plan = None if args.archive else planned(SourceSpec(url=str(args.file.absolute())), None)
    with connected(args.kubeconfig, args.context, named or args.namespace) as here:
        say(here.where(), file=sys.stderr)
        name = names.parse(args.target, here.namespace)
        existing = _existing(here, name)
        if existing is not None:
            must_be_free(existing.volume, plan)
        if args.dry_run:
            return _told(args, here, name, existing, plan)
        if existing is None:
            _create(args, here, name, plan)
        status = _ready(args, here, name)
        if status != Exit.OK:
            return status
        _send(args, here, name, plan)
        return _followed(args, here, name)


def _existing(here: ClusterPlace, name: Name) -> View | None:
    try:
        return here.volume(name)
    except Fault as fault:
        if fault.code != "ObjectNotFound":
            raise
        return None


def _create(args: argparse.Namespace, here: ClusterPlace, name: Name, plan: Plan | None) -> None:
    chosen = class_of(here.classes(), args.storage_class, archive=args.archive)
    size = size_of(args, plan, with_room=True)
    say_binding(chosen)
    here.create(body(args, name, size, immediate=chosen is None or chosen.binding != "Immediate"))
    say(f"datavolume {name} created, {human_size(size)}", file=sys.stderr)


def _body(args: argparse.Namespace, name: Name, plan: Plan | None, *, immediate: bool) -> dict[str, Any]:
    return body(args, name, size_of(args, plan, with_room=True), immediate=immediate)


def _told(args: argparse.Namespace, here: ClusterPlace, name: Name, existing: View | None, plan: Plan | None) -> int:
    """What would be done, of which nothing is."""
    chosen = None if existing else class_of(here.classes(), args.storage_class, archive=args.archive)
    immediate = existing is None and (chosen is None or chosen.binding != "Immediate")
    made = existing.document if existing is not None else _body(args, name, plan, immediate=immediate)
    url = args.upload_proxy_url or cluster_upload.proxy_url(here)
    how = "archive" if plan is None else upload_ways.kind_of(plan)
    if args.json:
        say(json.dumps({"dataVolume": made, "exists": existing is not None, "sent": how, "proxy": url}))
        return int(Exit.OK)
    import yaml

    say(yaml.safe_dump(made, sort_keys=False, default_flow_style=False).rstrip())
    say(f"# it {'is there already' if existing else 'would be made'}; {args.file} would be sent as {how}")
    say(f"# through {url or 'the Kubernetes API'}")
    return int(Exit.OK)


def _ready(args: argparse.Namespace, here: ClusterPlace, name: Name) -> int:
    """Until its server is ready: the exit code, after the reason was said. Raises Fault UploadServerLate."""

    def patient() -> Iterator[View]:
        until, asked = time.monotonic() + args.ready_timeout, False
        for view in here.follow(name):
            if view.phase in _WAITS and not asked:
                asked = True
                _bind_at_once(here, view)
            yield view
            if time.monotonic() > until:
                raise _late(here, view, args.ready_timeout)

    reached = watch.followed(
        patient(), as_json=bool(args.json), out=sys.stderr, reached=lambda view: view.phase == Phase.UPLOAD_READY
    )
    return int(reached)


def _bind_at_once(here: ClusterPlace, view: View) -> None:
    """A volume that waits for its first consumer would get none before it is filled."""
    if a.IMMEDIATE in view.volume.metadata.annotations:
        return
    say("its class waits for a first consumer: bound at once", file=sys.stderr)
    here.annotate(view.name, {a.IMMEDIATE: "true"})


def _late(here: ClusterPlace, view: View, seconds: float) -> Fault:
    answer = diagnose(view, here.story(view), seconds)
    why = " ".join(text.strip() for text in answer.says).rstrip(".") or f"it is {view.phase or 'new'}"
    remedy = answer.remedy or f"look at what cdi why dv/{view.name} tells"
    return Fault("UploadServerLate", name=view.name, seconds=f"{seconds:g}", why=why, remedy=remedy)


def _send(args: argparse.Namespace, here: ClusterPlace, name: Name, plan: Plan | None) -> None:
    job = Job(here, name, args.file, plan, proxy_url=args.upload_proxy_url or "", authorities=tuple(args.ca))

    def work(progress: Progress, cancel: Cancel, warn: Warn) -> None:
        upload_ways.send(job, progress, cancel, warn)

    try:
        attended(work, as_json=bool(args.json))
    except Fault as fault:
        if fault.code == "Cancelled":
            again = f"cdi upload {args.file} dv/{name}{' --archive' if args.archive else ''}{place.spelled(args)}"
            say(f"cdi: stopped. To go on: {again}", file=sys.stderr)
        raise


def _followed(args: argparse.Namespace, here: ClusterPlace, name: Name) -> int:
    def until_over() -> Iterator[View]:
        for view in here.follow(name):
            failed = _failure(view)
            if failed is not None:
                raise failed
            yield view

    return watch.followed(until_over(), as_json=bool(args.json), out=sys.stderr)


def _failure(view: View) -> Fault | None:
    """Of an upload whose bytes had all come: the volume waits for another one, and says why."""
    running = view.condition("Running")
    if view.phase == Phase.UPLOAD_READY and running.reason == "Error" and running.message:
        return Fault("UploadFailed", name=view.name, said=running.message.rstrip("."))
    return None
