"""The bed's CSI driver alone, without a cluster."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.bed import place


@contextmanager
def csi_driver(directory: Path) -> Iterator[Path]:
    """The socket it listens on; volumes are below ``directory``."""
    socket, log = directory / "csi.sock", directory / "driver.log"
    command = [sys.executable, "-m", "tests.cluster.bed.csi", "--name=csi.bed.test", f"--state={directory / 'state'}",
               f"--endpoint={socket}"]  # fmt: skip
    with log.open("wb") as output:
        driver = subprocess.Popen(command, cwd=place.REPOSITORY, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 60
        while not socket.is_socket():
            assert driver.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)  # another program's start has no event to wait for
        yield socket
    finally:
        driver.kill()
        driver.wait(30)
