"""Cloning a disk file on one machine: shared blocks where the file system can, else a sparse copy of the data.

``python -m cloner.local SOURCE TARGET SIZE`` is the worker of ``cdi run``: progress lines on standard output, the
result in the file that ``CDI_TERMINATION_LOG`` names, exit codes as the importer's.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import MiB
from cdi.base.verbosity import log_to_stderr
from cdi.base.wire.termination import Termination
from importer import worker
from importer.cancel import Cancel
from importer.progress import Progress, Stage
from importer.pushed import Pushed
from importer.sinks.file import FileSink
from importer.sinks.refusal import refusals
from importer.sources import Extents, SourceSpec
from importer.sources.file import FileSource
from importer.target import Target

_FICLONE = 0x40049409  # linux/fs.h
_STEP = 8 * MiB
_NOT_HERE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Result:
    """``size``: bytes of disk at least. ``preallocation``: no block of it is left to be allocated later."""

    size: int
    preallocation: bool = False


def clone(source: Path, target: Path, wanted: Result, progress: Progress, cancel: Cancel) -> str:
    """``copy`` on one machine: ``target`` becomes as ``wanted``, and as large as ``source`` at least."""

    def place(size: int) -> Target:
        return Target.at_path(target, size=max(size, wanted.size), preallocation=wanted.preallocation, overwrite=True)

    return copy(source, place, progress, cancel)


def copy(
    source: Path, place: Callable[[int], Target], progress: Progress, cancel: Cancel, *, claim: bool = False
) -> str:
    """Make a disk a copy of ``source``, a file or a device; how it was done: reflink, copy_file_range, or copy.
    ``place``: of the disk, given the bytes of the source. ``claim``: nothing is believed of the volume where ``source``
    lies. Blocking.

    Nothing has the target's name before it is whole and durable. Raises Fault.
    """
    with contextlib.closing(FileSource(SourceSpec(str(source)), claim=claim)) as disk:
        facts = disk.probe()
        if facts.size is None:
            raise Fault("FileUnreadable", source=str(source), cause="it has no size")
        target = place(facts.size)
        target.check_apart(source)
        target.check_fits(Pushed(str(source), facts.size, "").plan())
        if facts.extents is not None and not target.is_device and _is_beside(disk.descriptor, target.path):
            return _copied_inside(disk, _Data(facts.size, facts.extents()), target, progress, cancel)
    return _copied_through(source, target, progress, cancel, claim=claim)


def _is_beside(descriptor: int, target: Path) -> bool:
    """One file system: mounts of it may have several numbers, but not several file systems one."""
    with refusals(str(target)):
        return os.fstat(descriptor).st_dev == target.parent.stat().st_dev


def _copied_inside(disk: FileSource, data: _Data, target: Target, progress: Progress, cancel: Cancel) -> str:
    """The kernel copies, from file to file."""
    with refusals(disk.name):
        # A store to a mapped page sets the file's times when it is the first since the page was written out.
        os.fdatasync(disk.descriptor)
    with target.made_anew(target.final_size(data.size), unaligned=True) as site, refusals(str(target.path)):
        sink = site.sink
        if not isinstance(sink, FileSink):
            raise Fault("TargetForeign", name=str(target.path), kind="a block device")
        progress.enter(Stage.FETCHING)
        progress.expect(data.size)
        method = _copy(disk.descriptor, sink.descriptor, data, progress, cancel)
        disk.check_unchanged()
        sink.grow(target.final_size(data.size, sink.block))
        progress.enter(Stage.FLUSHING)
    progress.enter(Stage.DONE)
    return method


def _copied_through(source: Path, target: Target, progress: Progress, cancel: Cancel, *, claim: bool) -> str:
    """As an import of the raw disk, whatever it looks like: data only, past the page cache, and from where an earlier
    process stopped."""
    from importer.transfer import Request, run

    def opened() -> FileSource:
        return FileSource(SourceSpec(str(source)), claim=claim)

    run(Request(source=opened, target=target, raw=True), progress, cancel)
    return "copy"


class _Data(NamedTuple):
    """What of the ``size`` bytes of a disk is data."""

    size: int
    extents: Extents


def _copy(reading: int, writing: int, data: _Data, progress: Progress, cancel: Cancel) -> str:
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    else:
        progress.fetched(data.size)
        return "reflink"
    method = "copy_file_range"
    position = 0
    for start, end in data.extents:
        progress.fetched(start - position)
        position = start
        while position < end:
            cancel.check(position)
            count = min(_STEP, end - position)
            if method == "copy_file_range":
                try:
                    count = os.copy_file_range(reading, writing, count, position, position)
                except OSError as error:
                    if error.errno not in _NOT_HERE:
                        raise
                    method = "copy"
                    continue
            else:
                count = os.pwrite(writing, os.pread(reading, min(count, MiB), position), position)
            if count == 0:
                raise Fault("SourceTruncated", source="the source volume", got=position, expected=data.size)
            position += count
            progress.fetched(count)
    progress.fetched(data.size - position)
    return method


def main() -> int:
    log_to_stderr(logging.INFO, "%(message)s")
    source, target, size = sys.argv[1:4]
    wanted = Result(int(size), os.environ.get("PREALLOCATION") == "true")

    def work(progress: Progress, cancel: Cancel) -> Termination:
        method = clone(Path(source), Path(target), wanted, progress, cancel)
        return Termination("Clone Complete", wanted.preallocation, method=method)

    cloning = worker.Worker(work, lambda _progress, _fault: "Unable to process data: ", worker.CLONE_METRIC)
    return worker.run(cloning, os.environ)


if __name__ == "__main__":
    sys.exit(main())
