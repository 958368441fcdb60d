"""Ports of servers that are other programs."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port(host: str = LOOPBACK) -> int:
    with socket.create_server((host, 0)) as probe:
        return int(probe.getsockname()[1])


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
