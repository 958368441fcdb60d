"""A real tinyproxy."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from support.ports import free_port, wait_for_port


class TinyProxy:
    """``credentials``: user and password it asks for. CONNECT is allowed to ``connect_ports`` only. ``allow``: the
    clients' network."""

    def __init__(
        self,
        connect_ports: tuple[int, ...] = (),
        credentials: tuple[str, str] | None = None,
        *,
        host: str = "127.0.0.1",
        allow: str = "127.0.0.1",
    ) -> None:
        self.host, self._allow = host, allow
        self._directory = Path(tempfile.mkdtemp(prefix="tinyproxy-"))
        self._connect_ports = connect_ports
        self._credentials = credentials
        self.port = free_port(host)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        lines = [f"Port {self.port}", f"Listen {self.host}", "Timeout 60", f"Allow {self._allow}", "LogLevel Info"]
        lines.append(f'LogFile "{self._directory}/log"')
        lines += [f"ConnectPort {port}" for port in self._connect_ports or (1,)]
        if self._credentials:
            lines.append("BasicAuth {} {}".format(*self._credentials))
        (self._directory / "conf").write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(["tinyproxy", "-d", "-c", str(self._directory / "conf")])
        wait_for_port(self.port, self._process, self._directory / "log", self.host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}{'@' if userinfo else ''}{self.host}:{self.port}"

    def log(self) -> str:
        return (self._directory / "log").read_text()
