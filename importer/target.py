"""Where a disk goes and how large it becomes: a path of the user's, or the volume of an importer pod."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.units import MiB, format_quantity, round_up
from importer.checksum import Checksum
from importer.fetch.claim import target_of, vacate
from importer.fetch.journal import Header, Journal, Kept, forget, fresh_of
from importer.plan import Plan, Resumes
from importer.sinks import Sink
from importer.sinks.apart import share_bytes
from importer.sinks.file import free_bytes
from importer.sinks.identity import device_label
from importer.sinks.kernel import device_size
from importer.sinks.options import SinkOptions
from importer.sinks.part import part_of, require_replaceable
from importer.sinks.refusal import refusals
from importer.sinks.registry import open_sink
from importer.verdict import NO_VERDICT, Verdict
from storageprofiles.sizes import usable

log = logging.getLogger("importer")

# Contract paths of the importer pod.
DATA_DIR = Path("/data")
BLOCK_DEVICE = Path("/dev/cdi-block-volume")
SCRATCH_DIR = Path("/scratch")
STATE_DIR = Path("/tmp")  # noqa: S108  an emptyDir of the pod
_VERDICT = ".cdi-verdict"  # there only while an import is held
_TEMPORARY = "/var/tmp"  # noqa: S108  large things; /tmp may be memory


@dataclass(frozen=True, slots=True)
class Site:
    """A target being written: the sink, the journal beside it, and what of an earlier process counts."""

    sink: Sink
    journal: Journal
    kept: Kept

    def publish(self) -> None:
        """The journal ends before the disk has its head or its name: what a guest writes then is nothing to go on
        with."""
        self.journal.durable(self.sink.sync)  # what takes long comes while a kill still costs nothing
        self.journal.remove()
        self.sink.publish()

    def destroy(self) -> None:
        """The journal first: killed in between, nothing vouches for what is gone. Neither hides the fault that led
        here."""
        for step in (self.journal.remove, self.sink.discard):
            try:
                step()
            except Fault as second:
                log.warning("what was written is not all removed: %s", second.message)

    def close(self) -> None:
        if self.sink.in_doubt:  # whichever thread was told, and whatever became of its error
            self.journal.distrust()
        self.sink.close()
        self.journal.close()


@dataclass(frozen=True, slots=True)
class Target:
    """``size``: bytes of disk asked for, None: as large as the image. ``available``: bytes that the place offers, None:
    not known or not to be looked at (a sparse file may be larger than the free space of a laptop)."""

    path: Path
    size: int | None = None
    available: int | None = None
    overhead: float = 0.0
    preallocation: bool = False
    overwrite: bool = False
    archive: bool = False
    state: Path | None = None  # directory for the journal of a device
    handed: str = ""  # what another process recorded of a device
    in_pod: bool = False  # its container has no room of its own: what is large goes to a volume
    verdict: Verdict = NO_VERDICT
    is_own: bool = False  # nothing but imports writes there: the disk of an earlier one goes before this one is made

    @staticmethod
    def at_path(  # noqa: PLR0913  keywords, one per option of the command
        path: Path,
        *,
        size: int | None = None,
        preallocation: bool = False,
        overwrite: bool = False,
        archive: bool = False,
        state: Path | None = None,
    ) -> Target:
        """A file (also one to be made), a block device, or a directory: then ``disk.img`` in it."""
        if path.is_dir() and not archive:
            path = path / "disk.img"
        available = _capacity(path) if path.is_block_device() else None
        return Target(path, size, available, 0.0, preallocation, overwrite, archive, state)

    @staticmethod
    def in_volume(
        size: int | None, overhead: float, *, preallocation: bool = False, archive: bool = False, handed: str = ""
    ) -> Target:
        """The volume of an importer pod: the contract's device when it is there, else ``/data/disk.img``."""
        if BLOCK_DEVICE.exists():
            available = _capacity(BLOCK_DEVICE)
            device = Target(BLOCK_DEVICE, size, available, 0.0, preallocation, archive=archive, in_pod=True)
            return replace(device, state=STATE_DIR, handed=handed, verdict=Verdict(STATE_DIR / "verdict"))
        verdict = Verdict(DATA_DIR / _VERDICT)
        if archive:
            return Target(DATA_DIR, size, overwrite=True, archive=True, verdict=verdict)
        path = DATA_DIR / "disk.img"
        # What an earlier attempt left there is written over, or goes first: it takes nothing from this one.
        free = free_bytes(DATA_DIR) + _occupied(path)
        available = free if size is None else min(free, size)
        target = Target(path, size, available, overhead, preallocation, overwrite=True)
        return replace(target, is_own=True, verdict=verdict)

    @property
    def is_device(self) -> bool:
        return self.path.is_block_device()

    def spool_directory(self) -> Path:
        """Where a temporary file may go: beside the file; for a device the scratch volume, else, outside of a pod, the
        temporary directory. Fault ScratchRequired in a pod that has none (yet)."""
        if not self.is_device:
            return self.path.parent
        if SCRATCH_DIR.is_dir():
            return SCRATCH_DIR
        if self.in_pod:
            raise Fault("ScratchRequired")
        return Path(os.environ.get("TMPDIR", _TEMPORARY))

    def archive_directory(self) -> Path:
        if not self.path.is_dir():
            raise Fault("TargetMissing", target=str(self.path), cause="an archive needs an existing directory")
        return self.path

    def check_fits(self, plan: Plan) -> None:
        """Before the first payload byte. Faults: TargetIsSource, TargetExists for a file that is not to be replaced,
        TargetForeign for what is none, TargetTooSmall."""
        self.check_apart(plan.facts.local)
        self.check_name()
        offered = self._offered()
        if plan.virtual_size is not None and offered is not None and plan.least_size > offered:
            lost = 0 if self.is_device or self.size is None else self.size - offered
            raise too_small(plan.virtual_size, offered, lost)

    def check_name(self) -> None:
        """Fault TargetExists for a file that is not to be replaced, TargetForeign for what is none."""
        if self.is_device:
            return
        with refusals(str(self.path)):
            if not self.overwrite and os.path.lexists(self.path):
                raise Fault("TargetExists", target=str(self.path))
            require_replaceable(self.path)

    def check_apart(self, source: Path | None) -> None:
        """Fault TargetIsSource when making the disk would write to what ``source``, a file or device of this machine,
        is read from."""
        if source is None:
            return
        journal = self._journal_path()
        for path in (self.path, part_of(self.path), journal, fresh_of(journal)):
            if share_bytes(source, path):
                raise Fault("TargetIsSource", source=str(source), target=str(path))

    def check_outside(self, source: Path | None) -> None:
        """Fault TargetIsSource when ``source`` is in the directory that is unpacked into, where an entry may take its
        name, and what a killed attempt left is removed."""
        if source is not None and os.path.realpath(self.path) in map(str, Path(os.path.realpath(source)).parents):
            raise Fault("TargetIsSource", source=str(source), target=str(self.path))

    def _offered(self) -> int | None:
        """Bytes of disk that the target can hold."""
        known = [size for size in (self.size, self.available) if size is not None]
        return min(known) if known else None

    def limit(self, virtual_size: int | None) -> int:
        """Bytes of disk after which a stream is refused: what the target offers, else its free space. Of a directory
        both, as they are now."""
        if self.archive:
            free = free_bytes(self.path)
            return free if self.size is None else min(free, self.size)
        offered = self._offered()
        if offered is not None:
            return offered
        return virtual_size if virtual_size is not None else free_bytes(self.path.parent)

    def final_size(self, virtual_size: int, block: int = 512) -> int:
        """Bytes of the published disk: grown to what was asked for less the overhead, never shrunk, and whole blocks of
        ``block`` bytes. What was asked for becomes whole MiB, as the sizes of volumes are.

        Contract: min(usable(overhead, available), requested), and nothing to resize on a device.
        """
        if self.size is None:
            asked = 0
        elif self.is_device:
            asked = min(self.size, self.available or self.size)
        else:
            asked = round_up(self.size, MiB)
            asked = asked if self.available is None else min(usable(str(self.overhead), self.available), asked)
        return round_up(max(virtual_size, asked), block)

    @contextmanager
    def made_anew(self, size: int, *, unaligned: bool = False) -> Iterator[Site]:
        """A disk of which nothing is kept, also by those who come later: the journal says only whose it is. Published
        at the end, destroyed by an exception."""
        self.check_name()
        with self._claimed(size, unaligned=unaligned) as sink:
            path = self._journal_path()
            forget(path)
            header = Header(source="", resource="", size=None, etag=None, target="", plan="")
            journal, kept = Journal.open(path, header, ready=lambda _nothing: _started_anew(sink))
            site = Site(sink, journal, kept)
        try:
            yield site
            site.publish()
        except BaseException:
            site.destroy()
            raise
        finally:
            site.close()

    def prepare(self, plan: Plan, checksum: Checksum | None) -> Site:
        """Open the sink and its journal; keep what an earlier process left when the plan allows it. Proves that the
        target can be written, before anything is downloaded."""
        with self._claimed(plan.least_size, unaligned=plan.unaligned) as sink:

            def ready(kept: Kept) -> str:
                if kept.nothing:
                    return _started_anew(sink)
                sink.go_on(kept.reach)
                return sink.identity()

            path = self._journal_path()
            goes_on = plan.resumes is not Resumes.NOTHING and not sink.fresh
            if not goes_on:
                forget(path)
            journal, kept = Journal.open(
                path,
                _header(plan, checksum, sink.identity()),
                volatile=sink.volatile_ranges(),
                # Whoever may write to the claim's annotations may have made it.
                handed=(self.handed if goes_on and sink.vouches_for(self.handed) else "", sink.stamp),
                ready=ready,
            )
            return Site(sink, journal, kept)

    @contextmanager
    def _claimed(self, size: int, *, unaligned: bool = False) -> Iterator[Sink]:
        """The sink, locked before anything of an earlier import goes, and closed when that is all that was done."""
        journal, is_own = self._journal_path(), self.is_own or self.in_pod
        vacate(journal, is_own=is_own)
        options = SinkOptions(
            resume=True,
            preallocate=self.preallocation,
            unaligned=unaligned,
            replace=self.overwrite,
            recognise=lambda identity: target_of(journal) == identity,
            is_own=is_own,
        )
        sink = open_sink(self.path, size, options)
        try:
            if self.is_own:
                with refusals(str(self.path)):
                    self.path.unlink(missing_ok=True)
            yield sink
        except BaseException:
            if sink.in_doubt:
                with suppress(Fault):  # of the first one people shall read
                    forget(journal)
            sink.close()
            raise

    def session_path(self) -> Path:
        """Beside the journal: what an upload server remembers of the session whose disk is being written."""
        return self._journal_path().with_suffix(".session")

    def _journal_path(self) -> Path:
        if not self.is_device:
            return part_of(self.path).with_suffix(".journal")
        directory = self.state or Path(os.environ.get("XDG_STATE_HOME", _TEMPORARY)) / f"cdi-journal-{os.geteuid()}"
        with refusals(str(directory)):
            directory.mkdir(0o700, parents=True, exist_ok=True)
            if self.state is None and not _is_ours_alone(directory):
                raise Fault("StateUnsafe", directory=directory)
        return directory / f"{device_label(self.path)}.journal"


def _started_anew(sink: Sink) -> str:
    """The identity that it has then."""
    sink.start_anew()
    return sink.identity()


def _is_ours_alone(directory: Path) -> bool:
    """A journal is believed, and written: nobody else may put one there, nor a link."""
    facts = directory.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022


def _header(plan: Plan, checksum: Checksum | None, target: str) -> Header:
    return Header(
        source=plan.facts.name,
        resource=plan.facts.resource,
        size=plan.facts.size,
        etag=plan.facts.etag,
        target=target,
        plan=" ".join((plan.route.value, plan.format, *plan.compression, str(checksum or ""))),
        disk_size=plan.virtual_size if plan.size_is_certain else None,
        verified=checksum is not None,
    )


def too_small(virtual_size: int, available: int, lost: int = 0) -> Fault:
    """``lost``: bytes of the volume, beside the ``available`` ones, that its file system keeps for itself."""
    # A larger file system keeps more, in proportion.
    needed = virtual_size * (available + lost) // available if lost and available else virtual_size
    return Fault(
        "TargetTooSmall",
        # Contract text; controllers and tests look for "is larger than the reported available".
        contract=f"virtual image size {virtual_size} is larger than the reported available storage {available}. "
        "A larger PVC is required",
        needed=f"{virtual_size:,}",
        available=f"{available:,}",
        overhead=f" of {available + lost:,} (the rest is the file system's)" if lost else "",
        suggested=format_quantity(round_up(needed, MiB)),
    )


def _occupied(path: Path) -> int:
    """Bytes that the disk at ``path`` and its unfinished part take."""
    return sum(map(_allocated, (path, part_of(path))))


def _allocated(file: Path) -> int:
    try:
        return file.lstat().st_blocks * 512
    except OSError:
        return 0


def _capacity(device: Path) -> int:
    with refusals(str(device)):
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return device_size(descriptor)
        finally:
            os.close(descriptor)
