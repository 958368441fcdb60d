"""A real nginx: the reference for everything a well-behaved server does.

with Nginx(root) as nginx:
    nginx.url("disk.img")            # ranges, ETag, sendfile
    nginx.url("disk.img", "stream")  # no ranges
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support.certificates import Authority
from support.ports import free_port, wait_for_port

USER, PASSWORD = "fedora", "p@ss word"

# kind -> what its location does differently
LOCATIONS = {
    "plain": "",
    "stream": "max_ranges 0;",
    "auth": "auth_basic images; auth_basic_user_file htpasswd;",
    "slow": "limit_rate 4m;",
    "walk": "limit_rate 1m;",
    "crawl": "limit_rate 300k;",
    "gzip": "gzip on; gzip_types *; gzip_min_length 1; gzip_http_version 1.0;",
    "encoded": "add_header Content-Encoding gzip;",  # the file is a .gz: what object stores do with its metadata
    "noetag": "etag off;",
}

_CONFIG = """
daemon off; master_process off; user root; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 256; }}
http {{
  types {{ }} default_type application/octet-stream;
  log_format effects '$request_method|$uri|$status|$body_bytes_sent|$http_range|$http_user_agent';
  access_log access.log effects;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  sendfile on; keepalive_timeout 30s; keepalive_requests 100000;
  server {{ listen {host}:{http}; {locations} }}
  server {{ listen {host}:{https} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
            ssl_protocols TLSv1.2 TLSv1.3; {locations} }}
}}
"""


@dataclass(frozen=True)
class Access:
    """One line of the access log. ``path``: decoded, with its kind: ``/plain/disk.img``. ``range``: the header as
    sent, ``-`` without."""

    method: str
    path: str
    status: int
    bytes_sent: int
    range: str
    user_agent: str


class Nginx:
    """Serves the files of ``root`` on ``host``; runs from ``__enter__`` to ``__exit__``."""

    def __init__(self, root: Path, host: str = "127.0.0.1") -> None:
        self.root, self.host = root, host
        self._prefix = Path(tempfile.mkdtemp(prefix="nginx-"))
        self._authority = Authority(self._prefix / "ca")
        self.ca_file = self._authority.cert
        self.http_port, self.https_port = free_port(host), free_port(host)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        (self._prefix / "tmp").mkdir()
        (self._prefix / "htpasswd").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        (self._prefix / "nginx.conf").write_text(self._config())
        self._process = subprocess.Popen(
            ["nginx", "-p", str(self._prefix), "-c", "nginx.conf", "-e", "error.log"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.https_port, self._process, self._prefix / "error.log", self.host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._prefix, ignore_errors=True)

    def url(self, name: str, kind: str = "plain", *, tls: bool = False) -> str:
        """``kind``: a key of LOCATIONS. TLS is for ``host`` and trusted by ``ca_file``."""
        port = self.https_port if tls else self.http_port
        return f"{'https' if tls else 'http'}://{self.host}:{port}/{kind}/{name}"

    def accesses(self, path: str | None = None) -> list[Access]:
        """Finished requests in order. nginx writes the line when the last byte was handed to the kernel, which may
        be a moment after the client has it: use ``wait_for_accesses`` to count."""
        log = self._prefix / "access.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [access for access in map(_parse_access, lines) if path in (None, access.path)]

    def wait_for_accesses(self, count: int, path: str | None = None, timeout_s: float = 10) -> list[Access]:
        deadline = time.monotonic() + timeout_s
        while len(found := self.accesses(path)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} requests in nginx's access log")
            time.sleep(0.01)  # a file has no event to wait for
        return found

    def _config(self) -> str:
        pair = self._authority.issue(self.host, f"IP:{self.host},DNS:localhost")
        locations = " ".join(
            f"location /{kind}/ {{ alias {self.root}/; {directives} }}" for kind, directives in LOCATIONS.items()
        )
        return _CONFIG.format(
            host=self.host,
            http=self.http_port,
            https=self.https_port,
            cert=pair.cert,
            key=pair.key,
            locations=locations,
        )


def _parse_access(line: str) -> Access:
    method, path, status, sent, byte_range, user_agent = line.split("|")
    return Access(method, path, int(status), int(sent), byte_range or "-", user_agent)
