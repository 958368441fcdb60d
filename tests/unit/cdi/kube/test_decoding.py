from __future__ import annotations

import pytest

from cdi.kube.decoding import read
from cdi.kube.errors import Unreadable
from cdi.kube.objects import ConfigMap, CustomResourceDefinition, Secret


def test_a_null_list_is_an_empty_list() -> None:
    body = b'{"metadata":{"name":"x"},"status":{"conditions":null,"storedVersions":["v1"]}}'
    assert read(CustomResourceDefinition, body, "x").status.stored_versions == ["v1"]


def test_values_of_secrets_are_decoded_beside_nulls_too() -> None:
    assert read(Secret, b'{"metadata":{"labels":null},"data":{"k":"dg=="}}', "x").data == {"k": b"v"}


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"data":[]}', b'{"data":', b'{"data":{"k":"%%"}}'])
def test_what_cannot_be_read_says_what_was_asked_for(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^/api/v1/secrets: "):
        read(Secret, body, "/api/v1/secrets")


@pytest.mark.parametrize("body", [b'{"metadata": {"name": "\xff"}}', b'{"data": %s1%s}' % (b"[" * 4000, b"]" * 4000)])
def test_what_no_api_server_says_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="a map"):
        read(ConfigMap, body, "a map")
