"""The CSI driver as a program: ``python -m tests.cluster.bed.csi --name N --state DIR --endpoint SOCKET ...``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from . import stubs
from .controller import Controller
from .identity import Identity, Registration
from .node import Node
from .volumes import Store

_THREADS = 16


def main() -> None:
    options = _options()
    store = Store(options.state)
    rpc, registration = stubs.load("csi_pb2_grpc"), stubs.load("api_pb2_grpc")
    driver = _serve(
        options.endpoint,
        lambda server: rpc.add_IdentityServicer_to_server(Identity(options.name), server),
        lambda server: rpc.add_ControllerServicer_to_server(Controller(store), server),
        lambda server: rpc.add_NodeServicer_to_server(Node(store, options.node), server),
    )
    if options.registration:
        itself = Registration(options.name, str(options.endpoint))
        plugin = _serve(
            options.registration, lambda server: registration.add_RegistrationServicer_to_server(itself, server)
        )
        plugin.wait_for_termination()
    driver.wait_for_termination()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="csi", description="a CSI driver on sparse files and loop devices")
    parser.add_argument("--name", required=True)
    parser.add_argument("--node", default="node1")
    parser.add_argument("--state", type=Path, required=True, help="directory of the volumes")
    parser.add_argument("--endpoint", type=Path, required=True, help="socket to serve CSI on")
    parser.add_argument("--registration", type=Path, help="socket in the kubelet's plugins_registry")
    return parser.parse_args()


def _serve(socket: Path, *add: Callable[[Any], None]) -> Any:
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    for one in add:
        one(server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server


if __name__ == "__main__":
    main()
