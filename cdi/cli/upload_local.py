"""``cdi upload FILE dv/NAME --data DIR``: into a volume of this machine, as ``cdi run`` keeps it."""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.base.faults import Fault
from cdi.base.units import human_size, parse_quantity
from cdi.cli import names, unfit
from cdi.cli.import_ import transferred
from cdi.cli.inspect import planned
from cdi.cli.names import Name
from cdi.cli.spoken import say
from cdi.cli.upload_body import body, must_be_free, size_of
from cdi.cli.upload_path import shown
from cdi.local.decide import claim_of
from cdi.local.loop import now
from cdi.local.status import Sighting, WorkerState, status_of
from cdi.local.store import Attempt, Record, Store
from importer.plan import Plan
from importer.sinks.refusal import refusals
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request

_HISTORY = 5


def run(args: argparse.Namespace, directory: Path) -> int:
    unfit.check_upload_local(args)
    named = names.stated([args.target])
    if named and args.namespace and named != args.namespace:
        raise Fault("NamespacesDiffer", named=named, given=args.namespace)
    name = names.parse(args.target, named or args.namespace or "default")
    args.is_by_hand = True
    source = SourceSpec(url=str(args.file.absolute()))
    plan = None if args.archive else planned(source, None)
    store = Store(directory)
    say(f"local: {directory.resolve()}", file=sys.stderr)
    if args.dry_run:
        _record(args, store, name, plan)
        return shown(args, source, f"# it would be written to {store.place(name.namespace, name.name)}")
    with store.lock(name.namespace, name.name):
        record = _record(args, store, name, plan)
        return _filled(args, store, record, source)


def _record(args: argparse.Namespace, store: Store, name: Name, plan: Plan | None) -> Record:
    """Of the volume that is there, if it may be uploaded to, or of a new one. Raises Fault."""
    record = store.load(name.namespace, name.name)
    if record is not None:
        must_be_free(record.volume, plan)
        if store.worker_lives(name.namespace, name.name):
            raise Fault("TargetBusy", target=name, cause="another cdi works on it")
        return record
    size = size_of(args, plan, with_room=False)
    volume = msgspec.convert(body(args, name, size, immediate=False), DataVolume)
    volume.metadata.uid, volume.metadata.creation_timestamp = str(uuid.uuid4()), now()
    if store.disk(volume).exists():
        raise Fault("TargetExists", target=f"a disk of {name}, which no run has made,")
    return Record(volume)


def _filled(args: argparse.Namespace, store: Store, record: Record, source: SourceSpec) -> int:
    volume = record.volume
    path, archive = store.disk(volume), volume.spec.is_archive
    store.save_manifest(volume)
    if not record.attempts:
        asked = parse_quantity(str(volume.spec.target.resources.requests["storage"]))
        name = Name(volume.metadata.namespace, volume.metadata.name)
        say(f"datavolume {name} created, {human_size(asked)}", file=sys.stderr)
    if archive:
        with refusals(str(path)):
            path.mkdir(exist_ok=True)
    target = Target.at_path(
        path, size=claim_of(volume).size, preallocation=bool(volume.spec.preallocation), overwrite=True, archive=archive
    )
    with _attempt(store, record):
        return transferred(Request(source=source, target=target, archive=archive), as_json=bool(args.json))


@contextmanager
def _attempt(store: Store, record: Record) -> Iterator[None]:
    """Told in the record, whatever comes of it."""
    record.attempts += 1
    record.history = [*record.history, Attempt(start=now())][-_HISTORY:]
    _save(store, record, Sighting(WorkerState.RUNNING, attempts=record.attempts))
    try:
        yield
    except Fault as fault:
        with suppress(Fault):  # of a full disk: what went wrong first is told
            if fault.code == "Cancelled":
                _end(store, record, fault.code, Sighting(WorkerState.ABSENT, attempts=record.attempts))
            else:
                seen = Sighting(WorkerState.FAILED, fault.message, attempts=record.attempts)
                _end(store, record, fault.code, seen)
        raise
    _end(store, record, str(Phase.SUCCEEDED), Sighting(WorkerState.SUCCEEDED, attempts=record.attempts))


def _end(store: Store, record: Record, outcome: str, seen: Sighting) -> None:
    record.history[-1].end, record.history[-1].outcome = now(), outcome
    _save(store, record, seen)


def _save(store: Store, record: Record, seen: Sighting) -> None:
    record.volume.status = status_of(record.volume, seen, now())
    store.save(record)
