"""A program of ours as a process of its own."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from support.ports import wait_for_port

_WAIT_S = 60


class ProgramProcess:
    """``start`` makes it run. Its output goes to ``log``."""

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        """Returns when it listens on its port."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_for_port(self.port, self._process, self.log, timeout_s=_WAIT_S)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; the exit status."""
        assert self._process is not None
        return self._process.wait(timeout=_WAIT_S)

    def stop(self) -> int:
        """At once, as with Ctrl-C: as the kubelet does it, it answers on for a while. Its exit status."""
        self.signal(signal.SIGINT)
        return self.ended()
