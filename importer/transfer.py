"""One import from start to end: probe, plan, write by the plan's route, verify, publish."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace

from cdi.base.faults import Exit, Fault
from importer.another_way import LOOKS, Seen, may_be_alike, next_way
from importer.cancel import Cancel
from importer.checksum import Checksum
from importer.fetch.governor import Limits
from importer.fetch.reader import RangeReader
from importer.fetch.retry import FirstPatience, RetryPolicy
from importer.plan import Plan, Resumes, Route, Wishes, open_range_image, plan_patiently
from importer.progress import Progress, Stage
from importer.routes.disk import publish
from importer.routes.job import Feed, Job
from importer.sources import Facts, Opener, Source, SourceSpec
from importer.target import Target
from importer.verdict import Case

log = logging.getLogger("importer")


@dataclass(frozen=True, slots=True)
class Request:
    """What to import and where to.

    ``raw``: the bytes are the disk, whatever they look like. ``received``: called once, in the caller's thread, when
    all bytes of the source have come and were found to be an image that fits: what is left is to convert an image
    that was kept whole, to verify and to flush. It must not raise.
    """

    source: SourceSpec | Opener
    target: Target
    checksum: Checksum | None = None
    archive: bool = False
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    connections: Limits = field(default_factory=Limits)
    warn: Callable[[str], None] = log.warning  # is told what the plan warns of, before the first payload byte
    raw: bool = False
    received: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Result:
    """``disk_size``: bytes of the published disk (virtual size, or larger when more was asked for). ``verified``: the
    checksum that the transferred bytes had, ``algorithm:hex``; empty where none was given."""

    plan: Plan
    disk_size: int
    bytes_fetched: int
    bytes_kept: int
    elapsed_s: float
    notes: tuple[str, ...] = ()
    verified: str = ""

    @property
    def origin(self) -> dict[str, str]:
        """Which version of the source this is, for the record: what is known of etag, lastModified, verified."""
        facts = self.plan.facts
        known = {"etag": facts.etag, "lastModified": facts.last_modified, "verified": self.verified}
        return {name: value for name, value in known.items() if value}


def run(request: Request, progress: Progress, cancel: Cancel) -> Result:
    """Import; blocking. Raises Fault; then nothing usable stands at the target.

    A source that changes in the middle is imported once more from byte 0, and a second change is a fault. One whose
    ranges or names of versions cannot be relied on is read once more by one answer over one connection.
    """
    request = replace(request, received=_once(request.received))
    notes: tuple[str, ...] = ()
    given_up: frozenset[str] = frozenset()
    while True:
        try:
            result = _attempt(request, progress, Cancel.following(cancel) if notes else cancel)
            return replace(result, notes=(*notes, *result.notes))
        except Fault as fault:
            seen = _seen(request.source, fault, given_up, cancel)
            way = next_way(request.source, fault, seen, first=not given_up)
            if way is None:
                raise
        given_up |= {seen.before} if seen else set()
        notes = (*notes, way.note)
        log.info("%s", way.note)
        request = replace(request, source=way.spec)
        progress.start_again()


def _once(call: Callable[[], None]) -> Callable[[], None]:
    left = [call]

    def first_time() -> None:
        if left:
            left.pop()()

    return first_time


def _seen(spec: SourceSpec | Opener, fault: Fault, given_up: frozenset[str], cancel: Cancel) -> Seen | None:
    """What is known of a source that has changed."""
    if fault.code != "SourceChanged":
        return None
    looks = _looks(spec, cancel) if given_up and may_be_alike(fault) else ()
    return Seen(str(fault.values["before"]), str(fault.values["after"]), looks, given_up)


def _looks(spec: SourceSpec | Opener, outer: Cancel) -> tuple[Facts, ...]:
    """What the source says now, each time over a new connection; fewer looks when it does not answer."""
    looks: list[Facts] = []
    with contextlib.suppress(Fault):
        for _ in range(LOOKS):
            with _opened(spec, Cancel.following(outer)) as source:
                looks.append(source.probe())
    outer.check(0)
    return tuple(looks)


def _attempt(request: Request, progress: Progress, outer: Cancel) -> Result:
    started = time.monotonic()
    # A failing worker stops its colleagues through this one, without touching the caller's.
    cancel = Cancel.following(outer)
    progress.enter(Stage.PROBING)
    with _opened(request.source, cancel) as source:
        source.trust_checksum = request.checksum is not None
        plan = _plan(source, request, progress, cancel)
        for warning in plan.warnings:
            request.warn(warning)
        log.debug("%s %s, virtual size %s: %s", plan.format, plan.compression, plan.virtual_size, plan.describe())
        feed = Feed(
            plan=plan,
            source=source,
            progress=progress,
            cancel=cancel,
            limit=request.target.limit(plan.virtual_size if plan.size_is_certain else None),
            retry=request.retry,
            connections=request.connections,
            hasher=request.checksum.hasher() if request.checksum else None,
            received=request.received,
        )
        with _telling_what_is_kept(feed), _remembering(request, feed), _blaming_the_mixture(source):
            size, kept = _unpack(feed, request) if plan.route is Route.ARCHIVE else _write_disk(feed, request)
    progress.enter(Stage.DONE)
    verified = str(request.checksum) if request.checksum else ""
    return Result(plan, size, progress.bytes_fetched, kept, time.monotonic() - started, verified=verified)


@contextmanager
def _opened(spec: SourceSpec | Opener, cancel: Cancel) -> Iterator[Source]:
    source = _open(spec)
    cancel.on_request(source.interrupt)
    try:
        yield source
    except BaseException:
        cancel.request()  # threads that still fetch would take the closed sockets for lost ones, and ask again
        raise
    finally:
        source.close()


def _open(spec: SourceSpec | Opener) -> Source:
    if not isinstance(spec, SourceSpec):
        return spec()
    from importer.sources.table import open_source

    return open_source(spec)


@contextmanager
def _telling_what_is_kept(feed: Feed) -> Iterator[None]:
    """Whoever stops an import wants to know what that cost: all bytes received, not the position of one reader."""
    try:
        yield
    except Fault as fault:
        if fault.code != "Cancelled":
            raise
        code = "CancelledUnkept" if feed.plan.resumes is Resumes.NOTHING else "Cancelled"
        raise Fault(code, got=f"{feed.progress.bytes_fetched:,}") from fault


@contextmanager
def _blaming_the_mixture(source: Source) -> Iterator[None]:
    """Bytes that are wrong, and were taken from two versions for the sake of the checksum, are no fault of the file."""
    try:
        yield
    except Fault as fault:
        if source.mixed is None or fault.entry.exit is not Exit.INTEGRITY:
            raise
        before, after = source.mixed
        raise Fault("SourceChanged", source=source.name, before=before, after=after, alike=True) from fault


@contextmanager
def _remembering(request: Request, feed: Feed) -> Iterator[None]:
    """What is wrong for good and took a transfer to find is found twice, not at every start of a held worker."""
    verdict, case = request.target.verdict, Case.of(feed.plan, request.checksum, feed.limit)
    before = verdict.check(case)
    try:
        yield
    except Fault as fault:
        if feed.progress.snapshot().stage is not Stage.PROBING:
            verdict.remember(case, fault, before)
        raise


def _plan(source: Source, request: Request, progress: Progress, cancel: Cancel) -> Plan:
    reader = RangeReader(source, request.retry, cancel, progress.fetched)
    wishes = Wishes(request.archive, request.checksum is not None, request.raw)
    try:
        return plan_patiently(source, reader, wishes, FirstPatience(request.retry, cancel.sleep))
    except Fault:
        cancel.check(0)  # an interrupted probe looks like a lost connection
        raise


def _write_disk(feed: Feed, request: Request) -> tuple[int, int]:
    """(size of the published disk, bytes of it kept from an earlier process)."""
    target, progress = request.target, feed.progress
    target.check_fits(feed.plan)
    site = target.prepare(feed.plan, request.checksum)
    try:
        shared = {item.name: getattr(feed, item.name) for item in fields(Feed)}
        job = Job(**shared, sink=site.sink, journal=site.journal, kept=site.kept)
        progress.enter(Stage.FETCHING)
        with job.alone_afterwards():
            size = _take_route(job, target)
        job.received()
        progress.enter(Stage.VERIFYING)
        job.prove(job.source.name, size)
        if job.hasher is not None and feed.plan.route is not Route.SPOOL:
            job.hasher.verify()
        return publish(site, target, size, progress), site.kept.ranges.total
    except Fault as fault:
        if worthless(fault, feed.plan):
            site.destroy()
        raise
    finally:
        site.close()


def worthless(fault: Fault, plan: Plan) -> bool:
    """What was written is of no use to a later process: wrong bytes, another version, or not to be continued."""
    wrong = fault.entry.exit is Exit.INTEGRITY or fault.code in ("SourceChanged", "SourceTooLong", "TargetOutgrown")
    return wrong or plan.resumes is Resumes.NOTHING


def _take_route(job: Job, target: Target) -> int:
    """The bytes of disk that the source held. Routes are imported when taken: a worker must start in 0.1 s."""
    plan = job.plan
    match plan.route:
        case Route.SCATTER:
            from importer.routes import scatter

            job.progress.expect(plan.facts.size)
            image = open_range_image(plan, job.reader().read_at)
            scatter.run(job, image)
            return image.virtual_size
        case Route.BLOCKS:
            from importer.routes import blocks

            return blocks.run(job)
        case Route.STREAM:
            from importer.routes import stream

            return stream.run(job)
        case Route.PLACE:
            from importer.routes import place

            return place.run(job, target.spool_directory)
        case Route.SPOOL:
            from importer.routes import spool

            return spool.run(job, target.spool_directory())
        case Route.ARCHIVE:
            raise AssertionError("an archive makes no disk")


def _unpack(feed: Feed, request: Request) -> tuple[int, int]:
    from importer.routes import unpack
    from importer.routes.unfinished import unfinished

    feed.progress.enter(Stage.FETCHING)
    feed.progress.expect(feed.plan.facts.size)
    directory = request.target.archive_directory()
    request.target.check_outside(feed.plan.facts.local)
    with unfinished(directory, over=request.target.overwrite):
        feed.limit = request.target.limit(None)  # what an earlier attempt left has gone
        with feed.alone_afterwards():
            size = unpack.run(feed, directory)
        feed.received()
        return size, 0
