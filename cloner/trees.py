"""A claim of files is cloned: into the other claim of the pod, or through an upload server."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cloner.patience import persist
from cloner.server import Connection, Server
from cloner.tree import pack
from importer.cancel import Cancel
from importer.fetch.crew import Crew
from importer.progress import Progress, Stage
from importer.sources.given import GivenSource
from importer.target import Target
from importer.transfer import Request, run

_PATH = "/v1beta1/upload-archive"


def copy_tree(source: Path, target: Target, progress: Progress, cancel: Cancel) -> None:
    """Into the directory of ``target``, as an archive is unpacked there. Blocking. Raises Fault."""
    reading, writing = os.pipe()
    crew = Crew()

    def give() -> None:
        # The reader that has failed says why: that the pipe is broken then is no news.
        with open(writing, "wb", buffering=0) as pipe, contextlib.suppress(BrokenPipeError):
            pack(source, lambda data: _write(pipe.fileno(), data))

    crew.start("pack", give)
    try:
        with open(reading, "rb", buffering=0) as taking:
            given = GivenSource(lambda buffer: taking.readinto(buffer) or 0, lambda: None, str(source))
            run(Request(source=given.opened, target=target, archive=True), progress, cancel)
    finally:
        crew.join()  # raises what could not be read: it is why the archive ended


def send_tree(source: Path, server: Server, progress: Progress, cancel: Cancel) -> None:
    """To the upload server, which unpacks it. One that breaks off begins anew. Blocking. Raises Fault."""
    taken = 0

    def attempt() -> None:
        nonlocal taken
        connection = Connection(server, cancel)
        cancel.on_request(connection.interrupt)

        def give(data: bytes) -> None:
            connection.send(b"", data)
            progress.fetched(len(data))

        try:
            connection.connect()
            progress.start_again()
            progress.enter(Stage.FETCHING)
            connection.open_body(_PATH)
            pack(source, give)
            progress.enter(Stage.FLUSHING)
            connection.close_body()
        finally:
            taken += connection.sent
            connection.close()

    persist(attempt, lambda: taken, server.name, cancel)
    progress.enter(Stage.DONE)


def _write(pipe: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(pipe, left) :]
