"""How ``cdi import URL dv/NAME`` looks at a source: with what the worker will have, and nothing else of this shell."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import pytest

from cdi.base.faults import Fault
from cdi.cli import main
from cdi.cli.cluster_source import as_the_worker_sees_it
from cdi.kube.objects import ConfigMap, Secret
from cdi.kube.resources import Resource
from importer.sources import SourceSpec

SECRETS: dict[str, Mapping[str, bytes]] = {
    "keys": {"accessKeyId": b"somebody", "secretKey": b"hush", "sessionToken": b"token", "region": b"eu-1"},
    "half": {"accessKeyId": b"somebody", "secretKey": b""},
}


class Place:
    """A cluster with these Secrets, and a ConfigMap ``ca``."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def referred(self, resource: Resource[Any], name: str, namespace: str) -> object:
        self.asked.append(f"{resource.kind} {namespace}/{name}")
        if resource.kind == "ConfigMap" and name == "ca":
            return ConfigMap(data={"ca.pem": "a certificate"})
        if name == "denied":
            raise Fault("ClusterRefused", server="c", cause="no")
        if name not in SECRETS:
            raise Fault("ReferredMissing", kind=resource.kind, name=name, namespace=namespace)
        return Secret(data=dict(SECRETS[name]))


def parsed(source: str, *options: str) -> argparse.Namespace:
    return main.build_parser("import").parse_args(["import", source, "dv/disk", *options])


def seen(source: str, *options: str, place: Place | None = None) -> SourceSpec:
    with as_the_worker_sees_it(parsed(source, *options), place or Place(), "vms") as spec:  # type: ignore[arg-type]
        for path in spec.ca_files:
            assert [file.read_text() for file in path.iterdir()] == ["a certificate"]
        return spec


def test_a_secret_gives_what_the_worker_of_its_source_gets() -> None:
    place = Place()
    s3 = seen("s3://bucket/disk", "--secret", "keys", place=place)
    assert (s3.user, s3.password, s3.session_token, s3.region) == ("somebody", "hush", "token", "eu-1")
    assert place.asked == ["Secret vms/keys"]
    http = seen("https://host/disk", "--secret", "keys")
    assert (http.user, http.password, http.session_token, http.region) == ("somebody", "hush", "", "")


def test_certificates_are_there_while_it_is_looked_at() -> None:
    (path,) = seen("https://host/disk", "--ca-configmap", "ca").ca_files
    assert not path.exists()


def test_keys_of_this_shell_are_not_the_worker_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("CDI_PASSWORD", "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://here")
    spec = seen("s3://bucket/disk")
    assert (spec.user, spec.password, spec.ca_files) == ("", "", ())
    assert dict(spec.environ)["AWS_ENDPOINT_URL"] == "https://here"
    assert "mine" not in spec.environ.values()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--secret", "half"], "CredentialsMissing"),
        (["--secret", "no"], "ReferredMissing"),
        (["--ca-configmap", "no"], "ReferredMissing"),
        (["--secret", "denied"], "SizeUnknown"),
    ],
)
def test_what_the_worker_could_not_open_fails_before(options: list[str], code: str) -> None:
    with pytest.raises(Fault) as caught:
        seen("https://host/disk", *options)
    assert caught.value.code == code
