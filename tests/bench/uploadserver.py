"""An upload over mutual TLS, to our server and to one that only writes down what it is sent (nginx, WebDAV).

    .venv/bin/python -m tests.bench.uploadserver DIRECTORY [ROUNDS]

In turns, each with a fresh server and an empty directory; curl sends. Wall: curl's, and for nginx a sync of the file
after it, since ours answers when the disk is durable. CPU, memory and written bytes are the server's.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.importing import ENVIRONMENT, ROOT
from support.ports import LOOPBACK, free_port
from support.uploading import Trust

MiB = 1 << 20
_SIZE = 1024 * MiB
_NGINX = """
daemon off; master_process off; user root; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path out;
  server {{ listen {host}:{port} ssl; ssl_certificate {server.cert}; ssl_certificate_key {server.key};
    ssl_client_certificate {ca}; ssl_verify_client on; root out; location / {{ dav_methods PUT; }} }}
}}
"""


@dataclass(frozen=True)
class Run:
    """``peak``: bytes of resident memory."""

    wall_s: float
    cpu_s: float
    written: int
    peak: int


def images(directory: Path) -> dict[str, Path]:
    """A disk of 1 GiB, of which 300 MiB are noise and some are programs, and the same in other forms."""
    raw = directory / "raw"
    program = Path(sys.executable).resolve().read_bytes()
    with raw.open("wb") as file:
        file.truncate(_SIZE)
        for at in range(100, 400):
            os.pwrite(file.fileno(), os.urandom(MiB), at * MiB)
        for at in range(500, 900, 40):
            os.pwrite(file.fileno(), program[: 30 * MiB], at * MiB)
    qcow2, zst = directory / "qcow2", directory / "raw.zst"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow2], check=True)
    import zstandard

    with raw.open("rb") as plain, zst.open("wb") as packed:
        zstandard.ZstdCompressor(3).copy_stream(plain, packed)
    return {"raw": raw, "qcow2": qcow2, "raw.zst": zst}


class Bench:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._out = directory / "out"
        self._trust = Trust(directory / "trust")

    def ours(self, image: Path) -> Run:
        port = free_port()
        told = self._trust.environment(self._out / "disk.img", LISTEN_PORT=str(port), UPLOAD_IMAGE_SIZE=str(_SIZE))
        told |= ENVIRONMENT | {"CDI_TERMINATION_LOG": str(self._directory / "message")}
        command = [sys.executable, "-m", "uploadproxy.server.pod"]
        return self._run(command, told, ROOT, lambda: self._sent(image, port, "/v1beta1/upload"))

    def nginx(self, image: Path) -> Run:
        port = free_port()
        trust = self._trust
        config = _NGINX.format(host=LOOPBACK, port=port, server=trust.server, ca=trust.clients.cert)
        (self._directory / "nginx.conf").write_text(config)
        command = ["nginx", "-p", f"{self._directory}/", "-c", "nginx.conf"]

        def send() -> float:
            wall = self._sent(image, port, "/disk.img")
            started = time.monotonic()
            subprocess.run(["sync", self._out / "disk.img"], check=True)
            return wall + time.monotonic() - started

        return self._run(command, {"PATH": os.environ["PATH"]}, self._directory, send)

    def _sent(self, image: Path, port: int, path: str) -> float:
        started = time.monotonic()
        curl = [*self._trust.curl(self._trust.client), "-f", "--max-time", "600", "-T", image]
        subprocess.run([*curl, f"https://localhost:{port}{path}"], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - started

    def _run(self, command: list[str], environment: dict[str, str], cwd: Path, send: Callable[[], float]) -> Run:
        shutil.rmtree(self._out, ignore_errors=True)
        self._out.mkdir()
        process = subprocess.Popen(
            command, env=environment, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        port = environment.get("LISTEN_PORT") or (self._directory / "nginx.conf").read_text().split(":")[1].split()[0]
        probe = [*self._trust.curl(self._trust.client), "-o", "/dev/null", f"https://localhost:{port}/healthz"]
        while subprocess.run(probe, stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.05)  # another program's start has no event to wait for
        wall = send()
        if command[0] == "nginx":
            process.terminate()  # ours ends by itself
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0  # it has been waited for
        return Run(wall, used.ru_utime + used.ru_stime, used.ru_oublock * 512, used.ru_maxrss * 1024)


def main() -> int:
    directory, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    bench = Bench(directory)
    for name, image in images(directory).items():
        pairs = [(bench.ours(image), bench.nginx(image)) for _ in range(rounds)]
        for side, runs in (("ours", [ours for ours, _ in pairs]), ("nginx", [theirs for _, theirs in pairs])):
            wall, cpu = (statistics.median(getattr(run, value) for run in runs) for value in ("wall_s", "cpu_s"))
            written, peak = (max(getattr(run, value) for run in runs) // MiB for value in ("written", "peak"))
            print(
                f"{name} {side}: wall {wall:.2f} s, CPU {cpu:.2f} s, written {written} MiB, peak {peak} MiB", flush=True
            )
        wall = statistics.median(ours.wall_s / theirs.wall_s for ours, theirs in pairs)
        cpu = statistics.median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs)
        print(f"{name}: wall {wall:.2f}, CPU {cpu:.2f} of nginx; n {rounds}, load {os.getloadavg()[0]:.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
