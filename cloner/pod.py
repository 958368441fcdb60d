"""Entry point of the clone source pod. What it is told, and what it mounts: ``cdi.base.wire.clone``.

With an ``UPLOAD_URL`` it sends the disk, or all files, of its claim to the upload server of the target, and ends when
all of that is published. Without one it has both claims, and copies. Its termination message has the contract's words.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdi.base.verbosity import level_of, log_to_stderr, verbosity_in
from cdi.base.wire.clone import CLONED, PREALLOCATED, CloneEnvironment, decode_clone
from cdi.base.wire.termination import Termination
from importer import worker
from importer.cancel import Cancel
from importer.progress import Progress

_DISK = "disk.img"


@dataclass(frozen=True, slots=True)
class Cloning:
    """The work that ``environ`` asks for. What cannot be is told when it is asked for, as a Fault."""

    environ: Mapping[str, str]

    def work(self, progress: Progress, cancel: Cancel) -> Termination:
        told = decode_clone(self.environ)
        if told.upload_url:
            _send(told, progress, cancel)
            method = "network"
        else:
            method = _copy(told, progress, cancel)
        message = PREALLOCATED if told.preallocation else CLONED
        return Termination(message, told.preallocation, method=method, bytes_done=progress.snapshot().bytes_done)


def _send(told: CloneEnvironment, progress: Progress, cancel: Cancel) -> None:
    from cloner.server import Server

    server = Server.of(told)
    if told.archive:
        from cloner.trees import send_tree

        send_tree(Path(told.mount_point), server, progress, cancel)
        return
    from cloner.push import Push
    from cloner.source import SourceDisk, open_disk

    with contextlib.closing(open_disk(_source(told), claim=not told.block)) as file:
        Push(server, SourceDisk(file, told.owner_uid), progress, cancel).run()


def _copy(told: CloneEnvironment, progress: Progress, cancel: Cancel) -> str:
    from importer.target import Target

    def place(_size: int) -> Target:
        return Target.in_volume(told.size, told.share, preallocation=told.preallocation, archive=told.archive)

    if told.archive:
        from cloner.trees import copy_tree

        copy_tree(Path(told.mount_point), place(0), progress, cancel)
        return "copy"
    from cloner.local import copy

    return copy(_source(told), place, progress, cancel, claim=not told.block)


def _source(told: CloneEnvironment) -> Path:
    mount = Path(told.mount_point)
    return mount if told.block else mount / _DISK


def main() -> int:
    log_to_stderr(level_of(verbosity_in(sys.argv[1:])), "%(asctime)s %(levelname)s %(message)s")
    cloning = worker.Worker(Cloning(os.environ).work, lambda _progress, _fault: _PREFIX, worker.CLONE_METRIC)
    return worker.run(cloning, os.environ)


_PREFIX = "Unable to clone: "


if __name__ == "__main__":
    sys.exit(main())
