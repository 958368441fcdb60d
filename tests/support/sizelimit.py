"""nginx before the upload proxy, with a limit of a body's size, as an Ingress has one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port, wait_for_port

_CONFIG = """
daemon off; master_process off; user root; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  server {{ listen 127.0.0.1:{port}; client_max_body_size {most};
    location / {{ proxy_pass https://127.0.0.1:{proxy}; proxy_request_buffering off; proxy_http_version 1.1; }} }}
}}
"""


@contextmanager
def size_limit(directory: Path, proxy: int, most: str) -> Iterator[int]:
    """The port where it listens with plain HTTP."""
    port = free_port()
    (directory / "nginx.conf").write_text(_CONFIG.format(port=port, proxy=proxy, most=most))
    (directory / "tmp").mkdir()
    command = ["nginx", "-p", str(directory), "-e", "error.log", "-c", "nginx.conf"]
    process = subprocess.Popen(command, cwd=directory)
    try:
        wait_for_port(port, process, directory / "error.log")
        yield port
    finally:
        process.terminate()
        process.wait()
