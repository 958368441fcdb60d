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
import stat
import sys
from collections.abc import Iterator
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
from importer.sinks.file import FileSink
from importer.sinks.refusal import refusals
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
    """Make ``target`` a copy of ``source`` as ``wanted``; how it was done. Blocking.

    Nothing named ``target`` exists before it is whole and durable. Raises Fault.
    """
    place = Target.at_path(target, size=wanted.size, preallocation=wanted.preallocation, overwrite=True)
    place.check_apart(source)
    with _opened(source) as reading:
        before = _version_of(reading)
        with place.made_anew(place.final_size(before.size), unaligned=True) as site, refusals(str(target)):
            sink = site.sink
            if not isinstance(sink, FileSink):
                raise Fault("TargetForeign", name=str(target), kind="a block device")
            method = _copy(reading, sink.descriptor, before.size, progress, cancel)
            _check_unchanged(source, before, _version_of(reading))
            sink.grow(place.final_size(before.size, sink.block))
            progress.enter(Stage.FLUSHING)
    progress.enter(Stage.DONE)
    return method


class _Version(NamedTuple):
    size: int
    modified_ns: int
    changed_ns: int

    def __str__(self) -> str:
        return f"{self.size} bytes {self.modified_ns}-{self.changed_ns}"


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[int]:
    with refusals(str(source)):
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            raise Fault("FileUnreadable", source=str(source), cause="it is no file")
        with refusals(str(source)):
            # A store to a mapped page sets the file's times when it is the first since the page was written out.
            os.fdatasync(reading)
        yield reading
    finally:
        os.close(reading)


def _version_of(reading: int) -> _Version:
    facts = os.fstat(reading)
    return _Version(facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _check_unchanged(source: Path, before: _Version, after: _Version) -> None:
    if before != after:
        raise Fault("SourceChanged", source=str(source), before=before, after=after)


def _copy(reading: int, writing: int, length: int, progress: Progress, cancel: Cancel) -> str:
    progress.enter(Stage.FETCHING)
    progress.expect(length)
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    else:
        progress.fetched(length)
        return "reflink"
    method = "copy_file_range"
    position = 0
    while position < length:
        start, end = _data_after(reading, position, length)
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
                raise Fault("SourceTruncated", source="the source volume", got=position, expected=length)
            position += count
            progress.fetched(count)
    return method


def _data_after(descriptor: int, position: int, length: int) -> tuple[int, int]:
    """(start, end) of the next data; (length, length) when only a hole is left."""
    try:
        start = os.lseek(descriptor, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return length, length
    return start, min(length, os.lseek(descriptor, start, os.SEEK_HOLE))


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
