"""The upload proxy as a program whose upload servers are all on loopback: nothing here resolves a cluster's names.

python -m support.localproxy KUBECONFIG SERVER_PORT [cdi-uploadproxy's options]
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from unittest import mock

from aiohttp.abc import AbstractResolver, ResolveResult

from uploadproxy.proxy import process

_UNKNOWN = "unknown"  # a service that no name leads to


class Loopback(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.endswith(".svc") or _UNKNOWN in host:
            raise OSError(None, f"{host} is not known")
        address = ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        return [address]

    async def close(self) -> None:
        pass


def main() -> int:
    kubeconfig, port, *options = sys.argv[1:]
    original = process.settings

    def with_loopback(environ: dict[str, str]) -> process.Settings:
        return replace(original(environ), resolver=Loopback(), server_port=int(port))

    with mock.patch.object(process, "settings", with_loopback):
        return process.main(["--kubeconfig", kubeconfig, *options])


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    sys.exit(main())
