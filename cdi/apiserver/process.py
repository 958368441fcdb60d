"""``cdi-apiserver``: the webhooks and the aggregated API in one process. Any number of them may run."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial

from cdi.apiserver.aggregated import requestheader
from cdi.apiserver.aggregated.served import MOST_HEADERS, Aggregated
from cdi.apiserver.configurations import MUTATING
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.server import application
from cdi.apiserver.trust import Trust, service_names
from cdi.base.verbosity import level_of, log_to_stderr
from cdi.kube import config
from cdi.kube.cache import Cache
from cdi.kube.cdi_resources import CDI_CONFIGS, CDIS
from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.resources import CONFIG_MAPS
from cdi.operator.webhooks import DATAVOLUME_MUTATE
from cdi.serving.configured import adopt_verbosity
from cdi.serving.leaving import Leaving
from cdi.serving.listening import serve
from cdi.trust import signing_key
from cdi.trust.configured import Configured
from cdi.trust.tokens import Signer
from cdi.trust.upload_tokens import upload_token
from cdi.trust.uploads import Uploads

log = logging.getLogger(__name__)

_AGAIN_S = 2.0
_LEAVES_S = 5.0  # a node's proxy learns within it that this process takes no more requests


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="cdi-apiserver", description="Serves the admission webhooks and upload tokens."
    )
    parser.add_argument("--kubeconfig", help="default: the pod's service account, else KUBECONFIG")
    parser.add_argument("--address", default="", help="where it listens; default: all addresses of the pod")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument(
        "--name", action="append", default=[], help="what else the certificate is for: a DNS name or an address"
    )
    parser.add_argument("-v", dest="verbosity", type=int, default=1, help="1 is normal; from 3 on every step")
    arguments = parser.parse_args(argv)
    log_to_stderr(level_of(arguments.verbosity))
    try:
        access = config.load(arguments.kubeconfig)
    except config.NoAccess as refused:
        print(f"cdi-apiserver: {refused}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(access, arguments))
    except asyncio.CancelledError:
        log.info("stopped")
    return 0


async def _run(access: config.Access, arguments: argparse.Namespace) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    namespace = os.environ.get("POD_NAMESPACE") or "cdi"
    async with Client(access) as client, asyncio.TaskGroup() as group:
        cache = Cache(client)
        lives = Configured(cache.store(CDIS))
        trust = Trust(client, namespace, [*service_names(namespace), *arguments.name], lives)
        configs = cache.store(CDI_CONFIGS)
        configs.subscribe(trust.handshakes.adopt_config)
        configs.subscribe(trust.adopt_rendering)
        way = cache.store(MUTATING, name=DATAVOLUME_MUTATE.configuration, awaited=False)
        way.subscribe(trust.adopt_way)
        configs.subscribe(partial(adopt_verbosity, arguments.verbosity))
        front = cache.store(CONFIG_MAPS, namespace=requestheader.NAMESPACE, name=requestheader.NAME)
        group.create_task(cache.run(), name="cache")
        await cache.synced()  # nothing is served on terms that an administrator has ruled out
        signer = await _begun(client, namespace, trust)
        leaving, asked = Leaving(), asyncio.Event()
        served = application(Lookup(client), signer.token, leaving, trust.entrance, signer.verified)
        sign = partial(upload_token, key=signer.key)
        aggregated = Aggregated(Lookup(client), sign, trust.handshakes, namespace)
        aggregated.add_to(served)
        front.subscribe(aggregated.adopt)
        runner = await serve(served, trust.handshakes.context, arguments.address, arguments.port, MOST_HEADERS)
        log.info("webhooks and upload tokens are served on port %s", arguments.port)
        loop.add_signal_handler(signal.SIGTERM, asked.set)
        renewing = (
            group.create_task(trust.run(), name="trust"),
            group.create_task(Uploads(client, namespace, lives).run(), name="uploads"),
        )
        try:
            await asked.wait()
            leaving.begun = True
            log.info("asked to stop: answering for %.0f s more", _LEAVES_S)
            await asyncio.sleep(_LEAVES_S)
        finally:
            await runner.cleanup()
        for job in renewing:
            job.cancel()
        task.cancel()


async def _begun(client: Client, namespace: str, trust: Trust) -> Signer:
    while True:
        try:
            await trust.renew()
            return await signing_key.signer(client, namespace)
        except ApiError as error:
            log.warning("no keys yet: %s", error)
            await asyncio.sleep(_AGAIN_S)


if __name__ == "__main__":
    sys.exit(main())
