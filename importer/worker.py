"""The frame of every worker: progress lines and metric while it works, termination message and exit code at its end.

Variables, for whichever worker: ``CDI_TERMINATION_LOG`` names the file of the termination message; with
``CDI_PARENT_PIPE=1`` the worker stops when its standard input is closed, as it is when the parent dies; a worker with
an ``OWNER_UID`` serves the metric, on port 8443 of its pod or where ``CDI_METRIC_ADDRESS`` says.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdi.base.defect import place_of
from cdi.base.faults import Exit, Fault
from cdi.base.wire.progress import ProgressLine
from cdi.base.wire.termination import Termination, write_termination
from importer.cancel import Cancel
from importer.progress import Progress
from importer.signals import stop_with_parent, stopping_on_signals

log = logging.getLogger("importer")

IMPORT_METRIC, CLONE_METRIC = "kubevirt_cdi_import_progress_total", "kubevirt_cdi_clone_progress_total"
METRIC_PORT = 8443  # CDI's, named ``metrics`` in the pod
_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Worker:
    """``work``: does it, and says what was done. ``prefix``: the words that controllers look for in front of a fault.
    ``metric``: the name of the progress metric, empty for none."""

    work: Callable[[Progress, Cancel], Termination]
    prefix: Callable[[Progress, Fault], str]
    metric: str = ""


def run(worker: Worker, environ: Mapping[str, str]) -> int:
    """Blocking; the exit code. SIGINT and SIGTERM stop the work."""
    progress, cancel = Progress(), Cancel()
    if environ.get("CDI_PARENT_PIPE") == "1":
        stop_with_parent(cancel)
    with stopping_on_signals(cancel), ProgressLines(progress):
        return _worked(worker, environ, progress, cancel)


def _worked(worker: Worker, environ: Mapping[str, str], progress: Progress, cancel: Cancel) -> int:
    ending = Path(environ.get("CDI_TERMINATION_LOG", "/dev/termination-log"))
    try:
        with _metric(worker.metric, environ, progress):
            said = worker.work(progress, cancel)
    except Fault as fault:
        return _failed(worker, progress, fault, ending)
    except Exception as error:
        log.exception("a defect of the worker")
        return _failed(worker, progress, Fault("ImporterDefect", error=place_of(error)), ending)
    _terminate(ending, said.encode())
    return int(Exit.OK)


def _metric(name: str, environ: Mapping[str, str], progress: Progress) -> contextlib.AbstractContextManager[object]:
    owner_uid = environ.get("OWNER_UID", "")
    if not name or not owner_uid:
        return contextlib.nullcontext()  # no owner: no cluster around it
    from importer.metric import serve

    return serve(name, progress, owner_uid, metric_address(environ))


def metric_address(environ: Mapping[str, str]) -> tuple[str, int]:
    """Host, empty for every one, and port. Raises Fault ManifestInvalid."""
    text = environ.get("CDI_METRIC_ADDRESS", "") or f":{METRIC_PORT}"
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5):
        raise Fault("ManifestInvalid", where="CDI_METRIC_ADDRESS", detail=f"{text!r} ends in no port")
    return host, int(port)


def _failed(worker: Worker, progress: Progress, fault: Fault, ending: Path) -> int:
    if fault.entry.exit is Exit.CANCELLED:
        log.info("%s", fault.message)
        return int(Exit.CANCELLED)
    if fault.code == "ChecksumMismatch":
        # Contract: exit 0, so that the kubelet does not start it again; the controller reads "checksum mismatch".
        text = fault.with_contract("Unable to process data: ").message
        log.error("%s", text)
        _terminate(ending, Termination(text).encode())
        return int(Exit.OK)
    if fault.code == "ScratchRequired":
        # Contract: exit 0 as well; the controller makes the volume and a pod that has it.
        log.info("%s", fault.message)
        _terminate(ending, Termination("Import Complete", scratch_space_required=True).encode())
        return int(Exit.OK)
    text = fault.with_contract(worker.prefix(progress, fault)).message
    log.error("%s", text)
    _terminate(ending, text)
    return 1


def _terminate(ending: Path, text: str) -> None:
    try:
        write_termination(ending, text)
    except OSError as error:
        log.warning("the termination message was not written: %s", error)


class ProgressLines:
    """Told on standard output when progress changed, at most every 2 s, and at the end."""

    def __init__(self, progress: Progress, emit: Callable[[str], None] = lambda text: print(text, flush=True)) -> None:
        self._progress = progress
        self._emit = emit
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._report, name="progress", daemon=True)
        self._last = ProgressLine()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._tell()

    def _report(self) -> None:
        while not self._done.wait(_INTERVAL_S):
            self._tell()

    def _tell(self) -> None:
        line = self._progress.snapshot().told()
        if line != self._last:
            self._last = line
            self._emit(line.encode())
