"""A real tinyproxy on loopback."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from support.ports import free_port, wait_for_port


class TinyProxy:
    """``credentials``: user and password it asks for. CONNECT is allowed to ``connect_ports`` only."""

    def __init__(self, connect_ports: tuple[int, ...] = (), credentials: tuple[str, str] | None = None) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="tinyproxy-"))
        self._connect_ports = connect_ports
        self._credentials = credentials
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "Timeout 60", "Allow 127.0.0.1", "LogLevel Info"]
        lines.append(f'LogFile "{self._directory}/log"')
        lines += [f"ConnectPort {port}" for port in self._connect_ports or (1,)]
        if self._credentials:
            lines.append("BasicAuth {} {}".format(*self._credentials))
        (self._directory / "conf").write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(["tinyproxy", "-d", "-c", str(self._directory / "conf")])
        wait_for_port(self.port, self._process, self._directory / "log")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}{'@' if userinfo else ''}127.0.0.1:{self.port}"

    def log(self) -> str:
        return (self._directory / "log").read_text()
