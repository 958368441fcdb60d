"""cdi-apiserver obeys CDIConfig without being started again."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from support.manifests import claim, datavolume
from support.ports import LOOPBACK
from support.webhooks import SOON_S, Kubectl, Process, soon


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


def test_how_much_is_logged(kubectl: Kubectl, process: Process, configure: Callable[..., None]) -> None:
    def is_told() -> bool:
        kubectl.done(
            "create", "--dry-run=server", "-f", "-", objects=datavolume("disk", {"blank": {}}, pvc=claim("1Gi"))
        )
        return "DEBUG" in process.log.read_text()

    assert not is_told()
    configure(logVerbosity=3)
    assert soon(is_told)
    configure(logVerbosity=None)


def test_the_profile_counts_for_the_next_connection_and_the_next_process(
    process: Process, configure: Callable[..., None]
) -> None:
    assert agreed(process, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    configure(tlsSecurityProfile={"type": "Modern", "modern": {}})
    assert soon(lambda: agreed(process, ssl.TLSVersion.TLSv1_2) is None)
    assert agreed(process, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"

    assert process.stop() == 0
    with process:
        assert agreed(process, ssl.TLSVersion.TLSv1_2) is None
        configure(tlsSecurityProfile={"type": "Intermediate", "intermediate": {}})
        assert soon(lambda: agreed(process, ssl.TLSVersion.TLSv1_2) == "TLSv1.2")
