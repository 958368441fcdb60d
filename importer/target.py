"""Where a disk goes and how large it becomes: a path of the user's, or the volume of an importer pod."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.units import MiB, format_quantity, round_up
from importer.checksum import Checksum
from importer.fetch.journal import Header, Journal, Kept
from importer.plan import Plan, Resumes
from importer.sinks import Sink
from importer.sinks.file import free_bytes, part_of
from importer.sinks.kernel import device_size
from importer.sinks.options import SinkOptions
from importer.sinks.refusal import refusals
from importer.sinks.registry import open_sink
from storageprofiles.sizes import usable

# Contract paths of the importer pod.
DATA_DIR = Path("/data")
BLOCK_DEVICE = Path("/dev/cdi-block-volume")
SCRATCH_DIR = Path("/scratch")
STATE_DIR = Path("/tmp")  # noqa: S108  an emptyDir of the pod
_TEMPORARY = "/var/tmp"  # noqa: S108  large things; /tmp may be memory


@dataclass(frozen=True, slots=True)
class Site:
    """A target being written: the sink, the journal beside it, and what of an earlier process counts."""

    sink: Sink
    journal: Journal
    kept: Kept


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
            return replace(device, state=STATE_DIR, handed=handed)
        free = free_bytes(DATA_DIR)
        path = DATA_DIR if archive else DATA_DIR / "disk.img"
        available = free if size is None else min(free, size)
        return Target(path, size, available, overhead, preallocation, overwrite=True, archive=archive)

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

    def check_fits(self, virtual_size: int | None) -> None:
        """Before the first payload byte: Fault TargetTooSmall, or TargetExists for a file not to be replaced."""
        if not self.is_device and self.path.exists() and not self.overwrite:
            raise Fault("TargetExists", target=str(self.path))
        offered = self._offered()
        if virtual_size is not None and offered is not None and virtual_size > offered:
            raise too_small(virtual_size, offered)

    def _offered(self) -> int | None:
        """Bytes of disk that the target can hold."""
        known = [size for size in (self.size, self.available) if size is not None]
        return min(known) if known else None

    def limit(self, virtual_size: int | None) -> int:
        """Bytes of disk after which a stream is refused: what the target offers, else its free space."""
        offered = self._offered()
        if offered is not None:
            return offered
        return virtual_size if virtual_size is not None else free_bytes(self.path.parent)

    def final_size(self, virtual_size: int) -> int:
        """Bytes of the published disk: grown to what was asked for less the overhead, never shrunk.

        Contract: min(usable(overhead, available), requested), and nothing to resize on a device.
        """
        if self.is_device:
            return virtual_size if self.size is None else max(virtual_size, min(self.size, self.available or self.size))
        if self.size is None:
            return virtual_size
        offered = self.size if self.available is None else min(usable(str(self.overhead), self.available), self.size)
        return max(virtual_size, offered)

    def open_sink(self, size: int, *, resume: bool, unaligned: bool = False) -> Sink:
        """Proves that the target can be written, before anything is downloaded."""
        options = SinkOptions(resume=resume, preallocate=self.preallocation, unaligned=unaligned)
        return open_sink(self.path, size, options)

    def prepare(self, plan: Plan, checksum: Checksum | None) -> Site:
        """Open the sink and its journal; keep what an earlier process left when the plan allows it."""
        resume = plan.resumes is not Resumes.NOTHING
        sink = self.open_sink(plan.least_size, resume=resume, unaligned=plan.unaligned)
        try:
            header = Header(
                source=plan.facts.name,
                url=hashlib.sha256(plan.facts.name.encode()).hexdigest()[:16],
                size=plan.facts.size,
                etag=plan.facts.etag,
                target=sink.identity(),
                plan=" ".join((plan.route.value, plan.format, *plan.compression, str(checksum or ""))),
                disk_size=plan.virtual_size,
            )
            journal, kept = Journal.open(
                self._journal_path(),
                header,
                keep=resume and not sink.fresh,
                volatile=sink.volatile_ranges(),
                handed=(self.handed, sink.stamp),
            )
            if resume and kept.nothing and not sink.fresh:
                sink.start_anew()  # what is there belongs to something else
            return Site(sink, journal, kept)
        except BaseException:
            sink.close()
            raise

    def _journal_path(self) -> Path:
        if not self.is_device:
            return part_of(self.path).with_suffix(".journal")
        directory = self.state or Path(os.environ.get("XDG_STATE_HOME", _TEMPORARY)) / "cdi-journal"
        with refusals(str(directory)):
            directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{self.path.name}.journal"


def too_small(virtual_size: int, available: int) -> Fault:
    return Fault(
        "TargetTooSmall",
        # Contract text; controllers and tests look for "is larger than the reported available".
        contract=f"virtual image size {virtual_size} is larger than the reported available storage {available}. "
        "A larger PVC is required",
        needed=f"{virtual_size:,}",
        available=f"{available:,}",
        overhead="",
        suggested=format_quantity(round_up(virtual_size, MiB)),
    )


def _capacity(device: Path) -> int:
    with refusals(str(device)):
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return device_size(descriptor)
        finally:
            os.close(descriptor)
