"""Ports of servers that are other programs."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import subprocess
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"


# Below those that the kernel hands out for port 0 and for connections: nobody takes one between this look and its use.
# Every worker of a run has a block of its own and goes round in it, so that no two of its servers get the same.
_FIRST, _BLOCK = 10_000, 2_000
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw")) % 10
_candidates = itertools.cycle(range(_FIRST + _worker * _BLOCK, _FIRST + (_worker + 1) * _BLOCK))
_begin = random.randrange(_BLOCK)  # another run may be going on
next(itertools.islice(_candidates, _begin, _begin), None)


def free_port(host: str = LOOPBACK) -> int:
    for port in itertools.islice(_candidates, _BLOCK):
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
    raise OSError(f"no port is free on {host}")


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], log: Path, host: str = LOOPBACK, timeout_s: float = 10
) -> None:
    """Until something listens. Raises with the program's log when it ends before."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}: {log.read_text() if log.exists() else ''}")
        try:
            socket.create_connection((host, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)  # another program's start has no event to wait for
    raise TimeoutError(f"nothing listens on {host}:{port}")
