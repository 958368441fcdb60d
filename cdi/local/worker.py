"""The worker of one volume as a child process: the importer's entry point with the pod's environment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from cdi.api.datavolume import DataVolume
from cdi.base.faults import Fault
from cdi.base.wire.progress import ProgressLine, decode_progress
from cdi.contract import annotations as a
from cdi.local.manifests import Manifests
from cdi.local.store import LOG
from cdi.sources.kind import needs_of
from cdi.sources.needs import HEADERS, Needs
from cdi.sources.request import asked_of, parameters_of
from importer.sinks.lock import is_at
from importer.sinks.refusal import refusals

_PASSED = frozenset(
    """http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR PATH HOME LANG TMPDIR
    LD_LIBRARY_PATH""".split()  # noqa: SIM905  names, in one look
)
_PREFIX = "cdi-run-"
_PATIENCE_S = 30.0  # a worker that was asked to stop syncs what it wrote; then it is killed, which costs bytes only


def environment_of(
    volume: DataVolume, found: Manifests, target: Path, size: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the contract. Secrets travel in the environment, as in the pod. Pure."""
    needs = _needs(volume)
    told = replace(needs.told, image_size=str(size)).encode()
    keys = _credentials(volume, found, needs)
    given = {**told, **needs.variables, **keys, "CDI_TARGET": str(target), "CDI_PARENT_PIPE": "1"}
    return {**_passed(inherited), **given}


def _needs(volume: DataVolume) -> Needs:
    """What the source needs, asked for as in a cluster."""
    spec = volume.spec
    assert spec.source is not None, "validated"
    of_the_volume = {
        a.CONTENT_TYPE: "archive" if spec.is_archive else "kubevirt",
        a.PREALLOCATION_REQUESTED: "true" if spec.preallocation else "false",
    }
    asked = parameters_of(of_the_volume | asked_of(spec.source, volume.metadata.annotations))
    assert asked is not None, "validated"
    return needs_of(asked)


def _passed(inherited: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in inherited.items() if name in _PASSED or name.startswith(("AWS_", "PYTHON"))}


def _credentials(volume: DataVolume, found: Manifests, needs: Needs) -> dict[str, str]:
    values = {key: _referred(volume, found.secrets, "Secret", key.secret).get(key.key, "") for key in needs.keys}
    missing = [key.key for key, value in values.items() if not (value or key.optional)]
    if missing:
        raise Fault("CredentialsMissing", missing=" and ".join(missing))
    for key, value in values.items():
        if "\0" in value:
            detail = f"{key.key} has a zero byte, and cannot be a key"
            raise Fault("ManifestInvalid", where=f"Secret {key.secret}", detail=detail)
    return {key.variable: value for key, value in values.items() if value}


def _referred(
    volume: DataVolume, objects: dict[tuple[str, str], dict[str, str]], kind: str, name: str
) -> dict[str, str]:
    found = objects.get((volume.metadata.namespace, name))
    if found is None:
        where = f"DataVolume {volume.metadata.name}"
        detail = f"it refers to {kind} {name}, which is in none of the files given: add it as another document"
        raise Fault("ManifestInvalid", where=where, detail=detail)
    return found


class PrivateDirectory:
    """What one worker reads and says. In memory where that is possible: secret header lines are written there.

    It is locked for as long as this process lives. Process numbers would not tell that: another container, which has
    numbers of its own, may share the place.
    """

    def __init__(self) -> None:
        """Raises Fault. Removes what runs that were killed had no time to remove."""
        memory = Path("/dev/shm")  # noqa: S108  mkdtemp makes it ours alone
        base = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
        _sweep(base)
        with refusals(str(base)):
            self.path, self._lock = _locked_directory(base)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _locked_directory(base: Path) -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        with contextlib.suppress(FileNotFoundError):  # swept between our making it and our lock
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_at(lock, path):
                return path, lock
            os.close(lock)


def _sweep(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # of somebody else, in use, or just removed by another sweep
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.geteuid():
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


class Worker:
    """A running worker. ``poll`` tells its end; closing our end of its pipe stops it, so it dies with us.

    ``files`` is removed by ``close``. ``log`` is locked for as long as the worker lives, since it is its standard
    error: whoever comes after a killed run knows when it may begin.
    """

    def __init__(self, command: list[str], environment: dict[str, str], files: PrivateDirectory, log: Path) -> None:
        self._files = files
        self._message = files.path / "termination-log"
        self.progress = ProgressLine()
        environment = {**environment, "CDI_TERMINATION_LOG": str(self._message)}
        with _locked_log(log) as output:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output
            )
        self._reader = threading.Thread(target=self._read_progress, name="progress", daemon=True)
        self._reader.start()

    def _read_progress(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            if (line := decode_progress(text)) is not None:  # else one of a library
                self.progress = line
                # They are read by now, and a killed run shall not leave them.
                shutil.rmtree(_place(self._files.path, HEADERS), ignore_errors=True)

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.poll()

    def message(self) -> str:
        """What it said at its end; empty when it was killed."""
        try:
            return self._message.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def stop(self) -> None:
        """Ask it to stop; ``poll`` tells when it did."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    def close(self) -> None:
        """After its end: everything about it but the log is gone."""
        self.stop()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._files.remove()


def _locked_log(path: Path) -> IO[bytes]:
    with refusals(str(path)):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
        except OSError:
            os.close(descriptor)
            raise
    return os.fdopen(descriptor, "wb", buffering=0)


def start_import(volume: DataVolume, found: Manifests, target: Path, size: int) -> Worker:
    """Raises Fault when the manifests lack what the volume refers to."""
    with _private_directory() as files:
        environment = environment_of(volume, found, target, size, os.environ)
        environment |= _write_private(volume, found, files.path)
        return Worker([sys.executable, "-m", "importer.pod"], environment, files, target.parent / LOG)


def start_clone(volume: DataVolume, source: Path, target: Path, size: int) -> Worker:
    command = [sys.executable, "-m", "cloner.local", str(source), str(target), str(size)]
    preallocation = "true" if volume.spec.preallocation else "false"
    environment = {**_passed(os.environ), "PREALLOCATION": preallocation, "CDI_PARENT_PIPE": "1"}
    with _private_directory() as files:
        return Worker(command, environment, files, target.parent / LOG)


@contextlib.contextmanager
def _private_directory() -> Iterator[PrivateDirectory]:
    """Removed when the start of the worker fails; else the worker has it."""
    files = PrivateDirectory()
    try:
        yield files
    except BaseException:
        files.remove()
        raise


def _write_private(volume: DataVolume, found: Manifests, directory: Path) -> dict[str, str]:
    """Write the CAs and secret header lines that a worker reads from files; the variables that name them."""
    headers = _place(directory, HEADERS)
    headers.mkdir()
    variables = {"CDI_SECRET_HEADER_DIR": str(headers)}
    for files in _needs(volume).files:
        objects = found.secrets if files.kind == "Secret" else found.config_maps
        path = _place(directory, files.path)
        _write(path, _referred(volume, objects, files.kind, files.name))
        variables |= files.variables(str(path))
    return variables


def _place(directory: Path, path: str) -> Path:
    """Of what a pod has at ``path``."""
    return directory / path.lstrip("/")


def _write(directory: Path, content: dict[str, str]) -> None:
    directory.mkdir(parents=True)
    for name, text in content.items():
        (directory / Path(name).name).write_bytes(text.encode(errors="surrogateescape"))
