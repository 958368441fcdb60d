"""A real S3 server: versitygw, built from the pin in tests/tools. It checks signatures (SigV4) for real.

    with S3Server(root) as server:
        server.put_object("images", "disk.img", data)
        S3Source(server.spec("images", "disk.img"))

``python -m support.s3server build`` builds the program ahead of the tests.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.certificates import Authority
from support.ports import free_port, wait_for_port

from importer.sources import SourceSpec

ACCESS_KEY, SECRET_KEY = "AKIATESTUSER", "a secret/with+signs=="
VIRTUAL_DOMAIN = "s3.test"  # has no address: requests for it go through ``S3Server.as_proxy``
_PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
_ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def versitygw() -> str:
    """Path of the program; builds it when it is missing (2 minutes)."""
    command = [_ROOT / "requirements/gobuild.sh", _ROOT / "tests/tools", _PACKAGE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=1200)
    return done.stdout.decode().strip()


class S3Server:
    """Keeps its buckets below ``root``; runs from ``__enter__`` to ``__exit__``. ``region``: others are refused."""

    def __init__(self, root: Path, *, region: str = "us-east-1", tls: bool = False, host: str = "127.0.0.1") -> None:
        self.root, self.host = root, host
        self.region = region
        self.port = free_port(host)
        self._home = Path(tempfile.mkdtemp(prefix="s3server-"))
        self._authority = Authority(self._home / "ca") if tls else None
        self._process: subprocess.Popen[bytes] | None = None
        self._buckets: set[str] = set()

    def __enter__(self) -> Self:
        log = self._home / "log"
        with log.open("wb") as output:
            # It changes into root, so every path is absolute (tempfile's are).
            self._process = subprocess.Popen(self._command(), stdout=output, stderr=output, cwd=self._home)
        wait_for_port(self.port, self._process, log, self.host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def endpoint(self) -> str:
        return f"{'https' if self._authority else 'http'}://{self.host}:{self.port}"

    @property
    def virtual_host(self) -> str:
        return f"{VIRTUAL_DOMAIN}:{self.port}"

    @property
    def as_proxy(self) -> dict[str, str]:
        """An environment that sends http requests for any host here: the server takes absolute request targets."""
        return {"http_proxy": f"http://{self.host}:{self.port}"}

    @property
    def ca_file(self) -> Path:
        assert self._authority is not None
        return self._authority.cert

    def spec(self, bucket: str, key: str, **fields: Any) -> SourceSpec:
        """A source for ``s3://bucket/key``, signed with the server's own key; ``key`` as in a URL."""
        environ = {"AWS_ENDPOINT_URL": self.endpoint, **fields.pop("environ", {})}
        defaults = {"user": ACCESS_KEY, "password": SECRET_KEY, "stall_timeout_s": 5.0}
        return SourceSpec(f"s3://{bucket}/{key}", environ=environ, **(defaults | fields))

    def put_object(self, bucket: str, key: str, body: bytes) -> dict[str, Any]:
        self.create_bucket(bucket)
        return dict(self.client.put_object(Bucket=bucket, Key=key, Body=body))

    def put_in_parts(self, bucket: str, key: str, parts: list[bytes]) -> str:
        """A multipart upload; every part but the last has at least 5 MiB. Returns the ETag, with quotes."""
        self.create_bucket(bucket)
        upload: dict[str, Any] = {"Bucket": bucket, "Key": key}
        upload["UploadId"] = self.client.create_multipart_upload(**upload)["UploadId"]
        done = [
            {"PartNumber": number, "ETag": self.client.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
            for number, part in enumerate(parts, start=1)
        ]
        return str(self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})["ETag"])

    def create_bucket(self, bucket: str, *, public: bool = False, versioned: bool = False) -> None:
        if bucket not in self._buckets:
            self.client.create_bucket(Bucket=bucket)
            self._buckets.add(bucket)
        if public:
            self.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_readable_by_all(bucket)))
        if versioned:
            self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    @functools.cached_property
    def client(self) -> Any:
        """botocore's own S3 client: what is put here does not pass through our code."""
        from botocore.config import Config
        from botocore.session import Session

        return Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            verify=str(self.ca_file) if self._authority else None,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={}),
        )

    def _command(self) -> list[str]:
        versions, users = self._home / "versions", self._home / "users"
        for directory in (self.root, versions, users):
            directory.mkdir(exist_ok=True)
        command = [versitygw(), "--quiet", "--keep-alive", "-p", f"{self.host}:{self.port}", "--region", self.region]
        # Without --iam-dir an unknown key is a 404 of the gateway's own making.
        command += ["-a", ACCESS_KEY, "-s", SECRET_KEY, "--iam-dir", str(users), "--virtual-domain", self.virtual_host]
        if self._authority is not None:
            pair = self._authority.issue(self.host, f"IP:{self.host}")
            command += ["--cert", str(pair.cert), "--key", str(pair.key)]
        return [*command, "posix", "--versioning-dir", str(versions), str(self.root)]


def _readable_by_all(bucket: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


if __name__ == "__main__":
    if sys.argv[1:] != ["build"]:
        sys.exit("usage: python -m support.s3server build")
    print(versitygw())
