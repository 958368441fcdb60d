"""``cdi-uploadproxy``: passes uploads on to the servers in front of the volumes. Any number of them may run."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from aiohttp.abc import AbstractResolver
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cdi.base.tokens import public_key
from cdi.base.verbosity import level_of, log_to_stderr
from cdi.base.wire.upload import PORT
from cdi.kube import config
from cdi.kube.cache import Cache
from cdi.kube.cdi_resources import CDI_CONFIGS
from cdi.kube.client import Client
from cdi.serving.configured import adopt_terms, adopt_verbosity
from cdi.serving.leaving import Leaving
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_PROXY, UPLOAD_SERVER
from uploadproxy.proxy.application import Proxy, application
from uploadproxy.proxy.attendance import Attendance
from uploadproxy.proxy.forwarding import Passage
from uploadproxy.proxy.keypair import Files, Served
from uploadproxy.proxy.listening import Listening, Place
from uploadproxy.proxy.search import Search
from uploadproxy.proxy.upstream import Authorities, Upstream

log = logging.getLogger(__name__)

_CERTIFICATES = "/var/run/certs"
_LOOK_S = 10.0  # how soon a certificate that was replaced is served
LEAVES_S = 5.0  # a node's proxy learns within it that this process takes no more connections
GRACE_S = 285.0  # uploads that run may end; with the time above less than the pod's terminationGracePeriodSeconds


@dataclass(frozen=True, slots=True)
class Settings:
    """``key``: verifies upload tokens. ``served``, ``shown``: certificates towards clients and upload servers.
    ``authorities``: name of the ConfigMap with those of upload servers, in ``namespace``."""

    key: RSAPublicKey
    served: Files
    shown: Files
    authorities: str
    namespace: str
    verbosity: int = 1
    address: str = ""
    port: int = PORT
    server_port: int = PORT
    resolver: AbstractResolver | None = None


def settings(environ: Mapping[str, str]) -> Settings:
    """Of the contract's variables. Raises ValueError where the key is none."""
    server, client = f"{_CERTIFICATES}/{UPLOAD_PROXY.target}", f"{_CERTIFICATES}/{UPLOAD_CLIENT.target}"

    def file(variable: str, default: str) -> Path:
        return Path(environ.get(variable) or default)

    return Settings(
        key=public_key(environ.get("APISERVER_PUBLIC_KEY", "").encode()),
        served=Files(file("SERVER_CERT_FILE", f"{server}/tls.crt"), file("SERVER_KEY_FILE", f"{server}/tls.key")),
        shown=Files(
            file("UPLOAD_CLIENT_CERT_FILE", f"{client}/tls.crt"), file("UPLOAD_CLIENT_KEY_FILE", f"{client}/tls.key")
        ),
        authorities=environ.get("UPLOAD_SERVER_CA_BUNDLE_CONFIG_MAP") or UPLOAD_SERVER.bundle,
        namespace=environ.get("POD_NAMESPACE") or "cdi",
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cdi-uploadproxy", description="Passes uploads on to upload servers.")
    parser.add_argument("--kubeconfig", help="default: the pod's service account, else KUBECONFIG")
    parser.add_argument("--address", default="", help="where it listens; default: all addresses of the pod")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("-v", dest="verbosity", type=int, default=1, help="1 is normal; from 3 on every step")
    arguments = parser.parse_args(argv)
    log_to_stderr(level_of(arguments.verbosity))
    try:
        access = config.load(arguments.kubeconfig)
        found = settings(os.environ)
    except config.NoAccess as refused:
        print(f"cdi-uploadproxy: {refused}", file=sys.stderr)
        return 2
    except ValueError as refused:
        print(
            f"cdi-uploadproxy: APISERVER_PUBLIC_KEY verifies no token: {refused}. Set it to the value of id_rsa.pub in "
            "the Secret cdi-api-signing-key",
            file=sys.stderr,
        )
        return 2
    return start(access, replace(found, verbosity=arguments.verbosity, address=arguments.address, port=arguments.port))


def start(access: config.Access, chosen: Settings) -> int:
    """Until it is asked to stop."""
    try:
        asyncio.run(_run(access, chosen))
    except asyncio.CancelledError:
        log.info("stopped")
    except (OSError, ssl.SSLError) as error:
        print(f"cdi-uploadproxy: it cannot be served: {error}", file=sys.stderr)
        return 2
    return 0


async def _run(access: config.Access, chosen: Settings) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served = Served(context, chosen.served)
    served.load()
    async with Client(access) as client, _upstream(client, chosen) as upstream, asyncio.TaskGroup() as group:
        cache = Cache(client)
        configs = cache.store(CDI_CONFIGS)
        configs.subscribe(partial(adopt_terms, context))
        configs.subscribe(partial(adopt_verbosity, chosen.verbosity))
        group.create_task(cache.run(), name="cache")
        await cache.synced()  # nothing is served on terms that an administrator has ruled out
        leaving, attendance, asked = Leaving(), Attendance(), asyncio.Event()
        proxy = Proxy(chosen.key, Search(client), Passage(upstream))
        listening = Listening(application(proxy, leaving, attendance), attendance)
        await listening.open(Place(context, chosen.address, chosen.port))
        log.info("uploads are taken on port %d", listening.port)
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        try:
            await _watched(served, asked)
            leaving.begun = True
            log.info("asked to stop: uploads that run go on for %.0f s at most", LEAVES_S + GRACE_S)
            await asyncio.sleep(LEAVES_S)
            await listening.close(GRACE_S)
        finally:
            await listening.close()
        task.cancel()


def _upstream(client: Client, chosen: Settings) -> Upstream:
    authorities = Authorities(client, chosen.namespace, chosen.authorities)
    return Upstream(chosen.shown, authorities, chosen.resolver, chosen.server_port)


async def _watched(served: Served, asked: asyncio.Event) -> None:
    """Until it is asked to stop."""
    while True:
        try:
            async with asyncio.timeout(_LOOK_S):
                await asked.wait()
                return
        except TimeoutError:
            served.look()


if __name__ == "__main__":
    sys.exit(main())
