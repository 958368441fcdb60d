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
    """Make ``target`` a copy of ``source`` as ``wanted``; how it was done. Blocking.

    Nothing named ``target`` exists before it is whole and durable. Raises Fault.
    """
    place = Target.at_path(target, size=wanted.size, preallocation=wanted.preallocation, overwrite=True)
    place.check_apart(source)
    with contextlib.closing(FileSource(SourceSpec(str(source)))) as disk:
        facts = disk.probe()
        if facts.size is None or facts.extents is None:
            raise Fault("FileUnreadable", source=str(source), cause="it is no file")
        with refusals(str(source)):
            # A store to a mapped page sets the file's times when it is the first since the page was written out.
            os.fdatasync(disk.descriptor)
        with place.made_anew(place.final_size(facts.size), unaligned=True) as site, refusals(str(target)):
            sink = site.sink
            if not isinstance(sink, FileSink):
                raise Fault("TargetForeign", name=str(target), kind="a block device")
            progress.enter(Stage.FETCHING)
            progress.expect(facts.size)
            method = _copy(disk.descriptor, sink.descriptor, _Data(facts.size, facts.extents()), progress, cancel)
            disk.check_unchanged()
            sink.grow(place.final_size(facts.size, sink.block))
            progress.enter(Stage.FLUSHING)
    progress.enter(Stage.DONE)
    return method


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
