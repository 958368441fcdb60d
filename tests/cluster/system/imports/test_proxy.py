"""Imports through the proxy of the configuration."""

from __future__ import annotations

import pytest
from support.corpus import Corpus
from support.kinds import Cluster, Namespace, Object
from support.manifests import claim, datavolume, http, storage
from support.nginx import Nginx
from support.proxy import TinyProxy
from support.volumes import read_volume

_PODS = "10.244.0.0/16"

pytestmark = pytest.mark.alone


def _proxied(kinds: Cluster, **proxy: str) -> None:
    kinds.patch("CDI", "cdi", {"spec": {"config": {"importProxy": proxy}}})
    wanted = proxy.get("HTTPProxy", "") or proxy.get("trustedCAProxy", "")
    kinds.wait("CDIConfig", "config", lambda found: wanted in (found["status"].get("importProxy") or {}).values())


def _imported(space: Namespace, source: Object, corpus: Corpus) -> None:
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_plain_and_tls_sources_go_through_it_with_its_password(
    kinds: Cluster, space: Namespace, web: Nginx, corpus: Corpus, host: str, configured: Object
) -> None:
    assert "importProxy" not in configured
    credentials = ("user", "secret")
    with TinyProxy((web.https_port,), credentials, host=host, allow=_PODS) as proxy:
        url = proxy.url("user:secret")
        _proxied(kinds, HTTPProxy=url, HTTPSProxy=url)
        _imported(space, http(web.url("disk.raw.gz")), corpus)
        assert f"{host}:{web.http_port}" in proxy.log() or host in proxy.log()
        space.create(
            datavolume("tls", http(web.url("disk.qcow2", tls=True), insecureSkipVerify=True), storage=storage("128Mi"))
        )
        space.wait_phase("tls", "Succeeded")
        assert "CONNECT" in proxy.log()


def test_hosts_that_are_excepted_are_asked_directly(
    kinds: Cluster, space: Namespace, web: Nginx, corpus: Corpus, host: str, configured: Object
) -> None:
    assert "importProxy" not in configured
    with TinyProxy(host=host, allow=_PODS) as proxy:
        _proxied(kinds, HTTPProxy=proxy.url(), noProxy=host)
        _imported(space, http(web.url("disk.qcow2")), corpus)
        assert "GET" not in proxy.log()


def test_its_certificate_authority_is_trusted_and_copied_beside_the_claim(
    kinds: Cluster, space: Namespace, web: Nginx, corpus: Corpus, configured: Object
) -> None:
    assert "importProxy" not in configured
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "proxy-ca", "namespace": "cdi"}}
    kinds.create({**body, "data": {"ca.pem": web.ca_file.read_text()}})
    try:
        _proxied(kinds, trustedCAProxy="proxy-ca")
        _imported(space, http(web.url("disk.qcow2", tls=True)), corpus)
    finally:
        kinds.delete("ConfigMap", "proxy-ca", "cdi")


def test_an_authority_that_is_not_there_yet_is_waited_for_and_said(
    kinds: Cluster, space: Namespace, web: Nginx, corpus: Corpus, configured: Object
) -> None:
    assert "importProxy" not in configured
    _proxied(kinds, trustedCAProxy="later-ca")
    space.create(datavolume("disk", http(web.url("disk.qcow2", tls=True)), pvc=claim("128Mi", "shared")))
    space.wait_event("disk", "ProxyCertificatesMissing")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later-ca", "namespace": "cdi"}}
    kinds.create({**body, "data": {"ca.pem": web.ca_file.read_text()}})
    try:
        space.wait_phase("disk", "Succeeded")
    finally:
        kinds.delete("ConfigMap", "later-ca", "cdi")
