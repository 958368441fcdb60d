"""Runs the signing child (``s3_signer``): the only process in which S3 credentials meet code that uses them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdi.base.faults import Fault
from importer.sources.s3_access import S3Access

# Web identity asks a network service, and botocore tries that several times. Signing alone takes 0.2 s.
CHILD_TIMEOUT_S = 60.0
_ROOT = Path(__file__).resolve().parents[2]
# -P: nothing in the current directory is imported.
COMMAND = (sys.executable, "-P", "-m", "importer.sources.s3_signer")
_INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Signed:
    """``at_s`` and ``expires_s``: on the clock of time.monotonic()."""

    url: str = field(repr=False)  # whoever has it can read the object
    at_s: float
    expires_s: float

    def renew_s(self, share: float) -> float:
        """When ``share`` of the lifetime is over."""
        return self.at_s + (self.expires_s - self.at_s) * share


@dataclass(frozen=True, slots=True)
class Unsigned:
    """What to sign: the URL, and headers (lower-case names) that must be part of the signature."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    region: str


class S3Child:
    """Starts one child per signature and ends with it. One ``sign`` at a time; ``interrupt`` from any thread."""

    def __init__(self, access: S3Access, lifetime_s: int) -> None:
        self._access = access
        self._lifetime_s = lifetime_s
        # Reentrant: a signal handler may interrupt the thread that holds it.
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._interrupted = False

    def sign(self, unsigned: Unsigned) -> Signed:
        """Blocking: about 0.2 s with static keys. Raises Fault Credentials*, S3Credentials*, Cancelled."""
        answer = self._ask(self._request(unsigned))
        if "fault" in answer:
            raise Fault(answer["fault"], **answer["values"])
        now_s = time.monotonic()
        return Signed(answer["url"], now_s, now_s + answer["expires_at"] - time.time())

    def interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            if self._process is not None:
                self._process.kill()

    def _request(self, unsigned: Unsigned) -> bytes:
        access_key, secret_key, session_token = self._access.keys or ("", "", "")
        request = {
            "url": unsigned.url,
            "headers": dict(unsigned.headers),
            "region": unsigned.region,
            "lifetime_s": self._lifetime_s,
            "access_key": access_key,
            "secret_key": secret_key,
            "session_token": session_token,
            "environ": dict(self._access.chain or {}),
        }
        return json.dumps(request).encode() + b"\n"

    def _ask(self, request: bytes) -> dict[str, Any]:
        process = self._start()
        try:
            output, _ = process.communicate(request, timeout=CHILD_TIMEOUT_S)
            answer = json.loads(output)
        except subprocess.TimeoutExpired as error:
            raise _unavailable(f"no answer within {CHILD_TIMEOUT_S:g} s") from error
        except ValueError as error:
            self._check_interrupted()
            raise _unavailable(f"the signing process ended with code {process.returncode}") from error
        finally:
            self._end(process)
        return dict(answer)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            self._check_interrupted()
            try:
                self._process = subprocess.Popen(
                    COMMAND,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # a traceback of a library could quote what it was given
                    env=child_environment(os.environ),
                )
            except OSError as error:
                raise _unavailable(f"the signing process did not start: {error.strerror}") from error
            return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._process = None
        process.kill()
        with contextlib.suppress(OSError):
            process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close() if pipe is not None else None

    def _check_interrupted(self) -> None:
        if self._interrupted:
            raise Fault("Cancelled", got=0)


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Not the parent's whole environment: a worker's holds the secret under the contract's names."""
    environment = {name: environ[name] for name in _INHERITED if name in environ}
    # The child must find the same code as this process, also when that came from sys.path alone.
    environment["PYTHONPATH"] = os.pathsep.join([str(_ROOT), *(p for p in sys.path if p.endswith("site-packages"))])
    return environment


def _unavailable(cause: str) -> Fault:
    return Fault("S3CredentialsUnavailable", cause=cause)
