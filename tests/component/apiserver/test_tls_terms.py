"""cdi-apiserver obeys the TLS profile of CDIConfig, for connections from now on."""

from __future__ import annotations

import json
import socket
import ssl
import time

from support.ports import LOOPBACK
from support.webhooks import Kubectl, Process

SOON_S = 10  # the contract's


def agreed(process: Process, newest: ssl.TLSVersion) -> str | None:
    """The version of a new connection; None: refused."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = newest
    try:
        with socket.create_connection((LOOPBACK, process.port), SOON_S) as plain, client.wrap_socket(plain) as secure:
            return secure.version()
    except ssl.SSLError:
        return None


def wait_for(process: Process, newest: ssl.TLSVersion, version: str | None) -> None:
    deadline = time.monotonic() + SOON_S
    while agreed(process, newest) != version:
        assert time.monotonic() < deadline, f"still not {version}"
        time.sleep(0.05)  # another program's reaction has no event to wait for


def profile_is(kubectl: Kubectl, kind: str) -> None:
    patch = {"spec": {"tlsSecurityProfile": {"type": kind, kind.lower(): {}}}}
    kubectl.done("patch", "cdiconfig", "config", "--type=merge", "-p", json.dumps(patch))


def test_the_profile_counts_for_the_next_connection_and_the_next_process(kubectl: Kubectl, process: Process) -> None:
    config = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDIConfig", "metadata": {"name": "config"}, "spec": {}}
    assert agreed(process, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    kubectl.done("create", "-f", "-", objects=config)
    profile_is(kubectl, "Modern")
    wait_for(process, ssl.TLSVersion.TLSv1_2, None)
    assert agreed(process, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"

    assert process.stop() == 0
    with process:
        assert agreed(process, ssl.TLSVersion.TLSv1_2) is None
        profile_is(kubectl, "Intermediate")
        wait_for(process, ssl.TLSVersion.TLSv1_2, "TLSv1.2")
