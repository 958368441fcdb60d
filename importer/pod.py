"""Entry point of the importer pod, and of ``cdi run``'s worker: environment in, termination message out.

The environment, paths, texts and exit codes are the contract of the Go CDI's importer (its controller, and tests that
read its log, know them). For use without a cluster ``CDI_TARGET`` names the disk file and ``CDI_TERMINATION_LOG`` the
message file; with ``CDI_PARENT_PIPE=1`` the worker stops when its standard input is closed, as it is when the parent
dies. ``CDI_METRIC_ADDRESS`` moves the metric, which a worker with an ``OWNER_UID`` serves on port 8443 of its pod.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cdi.base.defect import place_of
from cdi.base.faults import Exit, Fault
from cdi.base.verbosity import level_of, log_to_stderr
from importer.cancel import Cancel
from importer.progress import Progress, Stage
from importer.signals import stop_with_parent, stopping_on_signals
from importer.sources import SourceSpec
from importer.target import Target

log = logging.getLogger("importer")

_CONNECT_PHRASE = {"http": "http", "s3": "s3"}
_MESSAGE_LIMIT = 4096  # bytes of /dev/termination-log that Kubernetes keeps
_PROGRESS_INTERVAL_S = 2.0
METRIC_PORT = 8443  # the contract's, named ``metrics`` in the pod


class PodEnvironment:
    """The contract's variables, with their defaults. What cannot be is told when it is asked for, as a Fault."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.source = environ.get("IMPORTER_SOURCE", "http") or "http"
        self.endpoint = environ.get("IMPORTER_ENDPOINT", "")
        self.archive = environ.get("IMPORTER_CONTENTTYPE", "kubevirt") == "archive"
        self.checksum = environ.get("IMPORTER_CHECKSUM", "")
        self.local_target = environ.get("CDI_TARGET", "")
        self.termination_log = Path(environ.get("CDI_TERMINATION_LOG", "/dev/termination-log"))
        self.parent_pipe = environ.get("CDI_PARENT_PIPE") == "1"
        self.owner_uid = environ.get("OWNER_UID", "")
        self.handed = environ.get("IMPORTER_DURABLE", "")  # ours: what an earlier pod recorded of the device

    @property
    def preallocation(self) -> bool:
        text = self._environ.get("PREALLOCATION", "false").lower()
        if text not in ("true", "false", ""):
            raise Fault("ManifestInvalid", where="PREALLOCATION", detail=f"{text!r} is neither true nor false")
        return text == "true"

    @property
    def size(self) -> int | None:
        from cdi.base.units import parse_quantity

        text = self._environ.get("IMPORTER_IMAGE_SIZE", "")
        try:
            return parse_quantity(text) if text else None
        except ValueError as error:
            raise Fault("ManifestInvalid", where="IMPORTER_IMAGE_SIZE", detail=str(error)) from error

    @property
    def overhead(self) -> float:
        text = self._environ.get("FILESYSTEM_OVERHEAD", "") or "0"
        try:
            share = float(text)
        except ValueError:
            share = math.nan
        if not 0 <= share <= 1:
            raise Fault("ManifestInvalid", where="FILESYSTEM_OVERHEAD", detail=f"{text!r} is no share from 0 to 1")
        return share

    @property
    def metric_address(self) -> tuple[str, int]:
        text = self._environ.get("CDI_METRIC_ADDRESS", "") or f":{METRIC_PORT}"
        host, _, port = text.rpartition(":")
        if not port.isdecimal():
            raise Fault("ManifestInvalid", where="CDI_METRIC_ADDRESS", detail=f"{text!r} ends in no port")
        return host, int(port)

    def target(self) -> Target:
        if self.local_target:
            return Target.at_path(
                Path(self.local_target),
                size=self.size,
                preallocation=self.preallocation,
                overwrite=True,  # whose parent says to make it anew
                archive=self.archive,
            )
        return Target.in_volume(
            self.size, self.overhead, preallocation=self.preallocation, archive=self.archive, handed=self.handed
        )

    def spec(self) -> SourceSpec:
        environ = self._environ
        extra = (name for name in environ if name.startswith("IMPORTER_EXTRA_HEADER_"))
        numbered = sorted(extra, key=lambda name: (len(name), name))  # 2 before 10: the order of the list
        directories = (environ.get("IMPORTER_CERT_DIR", ""), environ.get("IMPORTER_PROXY_CERT_DIR", ""))
        return SourceSpec(
            url=self.endpoint,
            user=environ.get("IMPORTER_ACCESS_KEY_ID", ""),
            password=environ.get("IMPORTER_SECRET_KEY", ""),
            session_token=environ.get("IMPORTER_SESSION_TOKEN", ""),
            region=environ.get("IMPORTER_REGION", ""),
            headers=tuple(environ[name] for name in numbered),
            secret_headers=_secret_headers(Path(environ.get("CDI_SECRET_HEADER_DIR", "/extraheaders"))),
            ca_files=tuple(Path(directory) for directory in directories if directory),
            insecure=environ.get("INSECURE_TLS", "").lower() == "true",
            kind=self.source,  # an endpoint is somebody's text: it must not name a file
            guarded=bool(self.owner_uid),  # in a cluster
            environ=environ,
        )


def _secret_headers(directory: Path) -> tuple[str, ...]:
    """Every regular file that is not hidden is one header line, whatever the key's name (the contract)."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    visible = (path for path in files if not any(part.startswith(".") for part in path.relative_to(directory).parts))
    return tuple(path.read_text().strip() for path in visible)


def main() -> int:
    level = level_of(_verbosity(sys.argv[1:]))
    log_to_stderr(level, "%(asctime)s %(levelname)s %(message)s")
    environment = PodEnvironment(os.environ)
    progress, cancel = Progress(), Cancel()
    if environment.parent_pipe:
        stop_with_parent(cancel)

    with stopping_on_signals(cancel), _ProgressLines(progress):
        return _run(environment, progress, cancel)


def _verbosity(arguments: Sequence[str]) -> int:
    """Of ``-v=N``. Whatever else the contract's importer may be told does not stop this one."""
    said = [text.removeprefix("-v=") for text in arguments if text.startswith("-v=")]
    return int(said[-1]) if said and said[-1].isdecimal() else 1


def _metric(environment: PodEnvironment, progress: Progress) -> contextlib.AbstractContextManager[object]:
    if not environment.owner_uid:
        return contextlib.nullcontext()  # no cluster around it
    from importer.metric import serve_import

    return serve_import(progress, environment.owner_uid, environment.metric_address)


def _run(environment: PodEnvironment, progress: Progress, cancel: Cancel) -> int:
    try:
        with _metric(environment, progress):
            message = _import(environment, progress, cancel)
    except Fault as fault:
        return _report(environment, progress, fault)
    except Exception as error:
        log.exception("a defect of the importer")
        return _report(environment, progress, Fault("ImporterDefect", error=place_of(error)))
    _terminate(environment, json.dumps(message))
    return 0


def _import(environment: PodEnvironment, progress: Progress, cancel: Cancel) -> dict[str, object]:
    """The termination JSON of a success. ``source``, ``notes`` and ``bytesDone`` are ours, for the record."""
    more: dict[str, object] = {}
    if environment.source == "none":
        from importer.blank import make_blank

        make_blank(environment.target(), environment.archive)
    elif environment.source in _CONNECT_PHRASE:
        more = _transfer(environment, progress, cancel)
    else:
        raise Fault(
            "SourceUrlInvalid",
            contract=f"Unknown data source: {environment.source}",
            source=environment.source,
            cause="this worker does http, s3 and none",
        )
    preallocated = environment.preallocation and not environment.archive
    said: dict[str, object] = {"preallocationApplied": preallocated, "message": "Import Complete"}
    return said | more


def _transfer(environment: PodEnvironment, progress: Progress, cancel: Cancel) -> dict[str, object]:
    """Which version of the source was imported, what people should know, and how much it was."""
    from importer.checksum import Checksum
    from importer.transfer import Request, run

    request = Request(
        source=environment.spec(),
        target=environment.target(),
        checksum=Checksum.parse(environment.checksum) if environment.checksum else None,
        archive=environment.archive,
    )
    result = run(request, progress, cancel)
    for note in result.notes:
        log.warning("%s", note)
    # Text that tests of the Go CDI look for in the log.
    log.info("Successfully completed fsync(%s) syscall", request.target.path)
    done = progress.snapshot().bytes_done
    known: dict[str, object] = {"source": result.origin, "notes": list(result.notes), "bytesDone": done}
    return {name: value for name, value in known.items() if value}


def _report(environment: PodEnvironment, progress: Progress, fault: Fault) -> int:
    """Write the termination message of a failure; the exit code."""
    if fault.entry.exit is Exit.CANCELLED:
        log.info("%s", fault.message)
        return int(Exit.CANCELLED)
    if fault.code == "ChecksumMismatch":
        # Contract: exit 0, so that the kubelet does not start it again; the controller reads "checksum mismatch".
        text = fault.with_contract("Unable to process data: ").message
        log.error("%s", text)
        _terminate(environment, json.dumps({"message": text}))
        return 0
    if fault.code == "ScratchRequired":
        # Contract: exit 0 as well; the controller makes the volume and a pod that has it.
        log.info("%s", fault.message)
        _terminate(environment, json.dumps({"scratchSpaceRequired": True, "message": "Import Complete"}))
        return 0
    text = fault.with_contract(_prefix(environment, progress, fault)).message
    log.error("%s", text)
    _terminate(environment, text)
    return 1


def _prefix(environment: PodEnvironment, progress: Progress, fault: Fault) -> str:
    if environment.source == "none":
        return "Unable to create blank image: "
    if environment.source not in _CONNECT_PHRASE:
        return ""  # an unknown source has its own phrase
    from_source = fault.entry.exit in (Exit.SOURCE, Exit.TRANSIENT) or fault.code == "SourceUrlInvalid"
    if from_source and fault.code != "ImporterDefect" and progress.snapshot().stage is Stage.PROBING:
        return f"Unable to connect to {_CONNECT_PHRASE[environment.source]} data source: "
    return "Unable to process data: "


def _terminate(environment: PodEnvironment, text: str) -> None:
    data = text.replace("\n", " ").encode()[:_MESSAGE_LIMIT]
    try:
        environment.termination_log.write_bytes(data)
    except OSError as error:
        log.warning("the termination message was not written: %s", error)


class _ProgressLines:
    """One JSON line on standard output when progress changed, at most every 2 s, and one at the end."""

    def __init__(self, progress: Progress, emit: Callable[[str], None] = lambda text: print(text, flush=True)) -> None:
        self._progress = progress
        self._emit = emit
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._report, name="progress", daemon=True)
        self._last = ""

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._line()

    def _report(self) -> None:
        while not self._done.wait(_PROGRESS_INTERVAL_S):
            self._line()

    def _line(self) -> None:
        text = self._progress.snapshot().json_line()
        if text != self._last:
            self._last = text
            self._emit(text)


if __name__ == "__main__":
    sys.exit(main())
