"""The servers of a run, started when a case first needs them: nginx, an S3 server, and the long way to either."""

from __future__ import annotations

import functools
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support import nginx, s3server

_BUCKET = "images"
# 40 MB/s for each connection: what an object store or a mirror gives one client.
nginx.LOCATIONS["limited"] = "limit_rate 40m;"


@dataclass(frozen=True)
class Address:
    """Where an image is: for ``cdi import`` (URL, options, environment) and for curl (its command line)."""

    url: str
    options: tuple[str, ...]
    env: dict[str, str]
    curl: str


class Servers:
    """``images`` is the directory served; everything else lives in ``scratch``."""

    def __init__(self, images: Path, scratch: Path) -> None:
        self._images = images
        self._scratch = scratch
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def address(self, image: str, transport: str) -> Address:
        """``transport``: plain, tls, limited, rtt, s3 or s3-rtt."""
        if transport.startswith("s3"):
            return self._s3_address(image, self._s3_delay if transport == "s3-rtt" else self._s3.port)
        kind = "limited" if transport == "limited" else "plain"
        url = self._nginx.url(image, kind, tls=transport == "tls")
        if transport == "rtt":
            url = url.replace(f":{self._nginx.http_port}/", f":{self._delay}/")
        ca = str(self._nginx.ca_file)
        return Address(url, ("--ca", ca) if transport == "tls" else (), {}, f"curl -sSf --cacert {ca} {url}")

    @functools.cached_property
    def _nginx(self) -> nginx.Nginx:
        return self._stack.enter_context(nginx.Nginx(self._images))

    @functools.cached_property
    def _delay(self) -> int:
        return self._delay_to(self._nginx.http_port)

    @functools.cached_property
    def _s3(self) -> s3server.S3Server:
        return self._stack.enter_context(s3server.S3Server(self._scratch / "s3"))

    @functools.cached_property
    def _s3_delay(self) -> int:
        return self._delay_to(self._s3.port)

    def _delay_to(self, port: int) -> int:
        command = [sys.executable, str(Path(__file__).with_name("delay.py")), str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        assert process.stdout is not None
        return int(process.stdout.readline())

    def _s3_address(self, image: str, port: int) -> Address:
        self._put(image)
        user, password = s3server.ACCESS_KEY, s3server.SECRET_KEY
        endpoint = f"http://127.0.0.1:{port}"
        sign = f"--aws-sigv4 aws:amz:{self._s3.region}:s3 -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'"
        return Address(
            f"s3://{_BUCKET}/{image}",
            ("--user", user, "--region", self._s3.region),
            {"CDI_PASSWORD": password, "AWS_ENDPOINT_URL": endpoint},
            f"curl -sSf {sign} --user '{user}:{password}' {endpoint}/{_BUCKET}/{image}",
        )

    @functools.cache  # noqa: B019  there is one object of this class, and it lives as long as the program
    def _put(self, image: str) -> None:
        self._s3.create_bucket(_BUCKET)
        with (self._images / image).open("rb") as body:
            self._s3.client.put_object(Bucket=_BUCKET, Key=image, Body=body)
