"""``python -m tests.bench.uploads [-n ROUNDS]``: what the upload proxy costs, beside nginx in its place.

Both take TLS, pass a body of 1 GiB on over mutual TLS without keeping it, and only their own processor time counts.
Everything runs on loopback; the upload server only counts bytes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from support.apiserver import ApiServer  # noqa: E402  they are found by the line above
from support.controller import install  # noqa: E402
from support.ports import free_port, wait_for_port  # noqa: E402
from support.receiver import Receiver  # noqa: E402
from support.uploadproxy import Claims, ProxyProcess, Trust  # noqa: E402
from support.webhooks import Kubectl  # noqa: E402

from cdi.base.units import GiB, MiB  # noqa: E402
from cdi.contract import names  # noqa: E402

_PATH = "/v1beta1/upload"
_CONFIG = """
daemon off; master_process off; user root; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off; client_max_body_size 0; proxy_request_buffering off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {served.cert}; ssl_certificate_key {served.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {{
      proxy_pass https://127.0.0.1:{server}; proxy_http_version 1.1; proxy_ssl_protocols TLSv1.2 TLSv1.3;
      proxy_ssl_certificate {shown.cert}; proxy_ssl_certificate_key {shown.key};
      proxy_ssl_trusted_certificate {authority}; proxy_ssl_verify on; proxy_ssl_name {host};
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Side:
    name: str
    pid: int
    port: int

    def upload(self, trust: Trust, token: str, image: Path) -> tuple[float, float]:
        """Seconds of the clock and of its processor, for one GiB."""
        url = f"https://127.0.0.1:{self.port}{_PATH}"
        command = ["curl", "-sS", "--fail", "--cacert", str(trust.proxies.cert), "-T", str(image), "-o", "/dev/null"]
        began, used = time.monotonic(), self._cpu_s()
        subprocess.run(
            [*command, "-X", "POST", "-H", "@-", url], check=True, input=f"Authorization: Bearer {token}\n".encode()
        )
        return time.monotonic() - began, self._cpu_s() - used

    def peak_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")) / MiB

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", dest="rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="bench-uploads-") as scratch:
        _compare(Path(scratch), rounds)
    return 0


def _compare(scratch: Path, rounds: int) -> None:
    trust, image = Trust(scratch / "trust"), scratch / "disk.img"
    with image.open("wb") as file:
        file.truncate(GiB)
    with ApiServer(scratch / "api") as api, _receiving(trust) as server:
        kubectl = Kubectl(api, scratch)
        install(kubectl)
        trust.publish(kubectl)
        kubectl.done("create", "namespace", "uploads")
        token = trust.token("uploads", "disk", Claims(kubectl, "uploads").make("disk"))
        with ProxyProcess(api, kubectl, trust, server) as proxy, _nginx(scratch, trust, server) as nginx:
            sides = [Side("cdi-uploadproxy", proxy.pid, proxy.port), nginx]
            figures: dict[str, list[tuple[float, float]]] = {side.name: [] for side in sides}
            for number in range(rounds):
                for side in sides if number % 2 == 0 else reversed(sides):
                    figures[side.name].append(side.upload(trust, token, image))
            for side in sides:
                wall, cpu = (statistics.median(column) for column in zip(*figures[side.name], strict=True))
                print(f"{side.name}: {wall:.2f} s, {cpu:.2f} s of processor per GiB, {side.peak_mib():.0f} MiB at most")
            print(f"n = {rounds}, load {os.getloadavg()[0]:.1f}")


@contextmanager
def _receiving(trust: Trust) -> Iterator[int]:
    """The port of an upload server in a process of its own."""
    receiver = Receiver(trust.servers, trust.clients, "DNS:*.uploads.svc")
    process = multiprocessing.get_context("fork").Process(target=_receive, args=(receiver,), daemon=True)
    process.start()
    try:
        yield receiver.port
    finally:
        process.kill()
        process.join()


def _receive(receiver: Receiver) -> None:
    with receiver:
        receiver.stopped.wait()


@contextmanager
def _nginx(scratch: Path, trust: Trust, server: int) -> Iterator[Side]:
    port, prefix = free_port(), scratch / "nginx"
    (prefix / "tmp").mkdir(parents=True)
    files = {"served": trust.served, "shown": trust.shown, "authority": trust.servers.cert}
    host = f"{names.upload_service('disk')}.uploads.svc"
    (prefix / "nginx.conf").write_text(_CONFIG.format(port=port, server=server, host=host, **files))
    command = ["nginx", "-p", str(prefix), "-c", "nginx.conf", "-e", "start.log"]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(port, process, prefix / "error.log")
            yield Side("nginx", process.pid, port)
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main())
