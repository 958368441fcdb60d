"""Where uploads go: an Ingress of the installation, or what the administrator says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.kinds import Cluster, Object

pytestmark = pytest.mark.alone

Configure = Callable[[Object], None]


def _published(kinds: Cluster, address: str) -> None:
    kinds.wait("CDIConfig", "config", lambda found: found.get("status", {}).get("uploadProxyURL", "") == address)


@pytest.fixture
def ingress(kinds: Cluster) -> Iterator[Callable[[str, Object], None]]:
    names: list[str] = []

    def make(name: str, spec: Object) -> None:
        kinds.delete("Ingress", name, "cdi")
        names.append(name)
        body = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": spec}
        kinds.create({**body, "metadata": {"name": name, "namespace": "cdi"}})

    yield make
    for name in names:
        kinds.delete("Ingress", name, "cdi")


def _rule(host: str, service: str) -> Object:
    path = {"path": "/", "pathType": "Prefix", "backend": _backend(service)}
    return {"host": host, "http": {"paths": [path]}}


def _backend(service: str) -> Object:
    return {"service": {"name": service, "port": {"number": 443}}}


def test_the_address_is_that_of_the_ingress_unless_told(
    kinds: Cluster, ingress: Callable[[str, Object], None], configure: Configure
) -> None:
    ingress("proxy", {"rules": [_rule("upload.example.org", "cdi-uploadproxy")]})
    _published(kinds, "upload.example.org")
    configure({"uploadProxyURLOverride": "told.example.org"})
    _published(kinds, "told.example.org")
    configure({"uploadProxyURLOverride": None})
    _published(kinds, "upload.example.org")
    kinds.delete("Ingress", "proxy", "cdi")
    _published(kinds, "")


def test_an_ingress_to_something_else_is_no_address(kinds: Cluster, ingress: Callable[[str, Object], None]) -> None:
    ingress("another", {"rules": [_rule("another.example.org", "web")]})
    ingress("bare", {"rules": [{"host": "bare.example.org"}], "defaultBackend": _backend("web")})
    resource = {"apiGroup": "example.org", "kind": "Bucket", "name": "static"}
    ingress("bucket", {"defaultBackend": {"resource": resource}})
    ingress("proxy", {"rules": [_rule("upload.example.org", "cdi-uploadproxy")]})
    _published(kinds, "upload.example.org")
