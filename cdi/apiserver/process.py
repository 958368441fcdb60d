"""``cdi-apiserver``: the webhooks in one process. Any number of them may run."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence

from cdi.api import admission
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.server import serve
from cdi.apiserver.trust import MUTATING, VALIDATING, Trust
from cdi.kube import config
from cdi.kube.client import Client
from cdi.kube.errors import ApiError

log = logging.getLogger(__name__)

_AGAIN_S = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cdi-apiserver", description="Serves the admission webhooks.")
    parser.add_argument("--kubeconfig", help="default: the pod's service account, else KUBECONFIG")
    parser.add_argument("--address", default="", help="where it listens; default: all addresses of the pod")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("-v", dest="verbosity", type=int, default=1)
    arguments = parser.parse_args(argv)
    level = logging.DEBUG if arguments.verbosity >= 3 else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
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
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    configurations = [
        *((MUTATING, name) for name in admission.MUTATING),
        *((VALIDATING, name) for name in admission.VALIDATING),
    ]
    async with Client(access) as client:
        trust = Trust(client, os.environ.get("POD_NAMESPACE") or "cdi", configurations)
        await _begun(trust)
        runner = await serve(Lookup(client), trust.context, arguments.address, arguments.port)
        log.info("webhooks are served on port %s", arguments.port)
        try:
            await trust.run()
        finally:
            await runner.cleanup()


async def _begun(trust: Trust) -> None:
    while True:
        try:
            await trust.renew()
        except ApiError as error:
            log.warning("no certificate yet: %s", error)
            await asyncio.sleep(_AGAIN_S)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
