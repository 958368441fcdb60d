from __future__ import annotations

import time

import pytest

from cdi.api.datavolume import DataVolume
from cdi.kube.decoding import read, told
from cdi.kube.errors import Unreadable
from cdi.kube.objects import CustomResourceDefinition, Secret


def test_a_null_list_is_an_empty_list() -> None:
    body = b'{"metadata":{"name":"x"},"status":{"conditions":null,"storedVersions":["v1"]}}'
    assert read(CustomResourceDefinition, body, "x").status.stored_versions == ["v1"]


def test_values_of_secrets_are_decoded_beside_nulls_too() -> None:
    assert read(Secret, b'{"metadata":{"labels":null},"data":{"k":"dg=="}}', "x").data == {"k": b"v"}


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"data":[]}', b'{"data":', b'{"data":{"k":"%%"}}'])
def test_what_cannot_be_read_says_what_was_asked_for(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^/api/v1/secrets: "):
        read(Secret, body, "/api/v1/secrets")


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' * 5000,
        b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"metadata":null,"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"type":"\xff"}',
        b'{"type":"\\ud800"}',
        b'{"metadata":{"generation":' + b"9" * 100_000 + b"}}",
        b'{"metadata":{"generation":1e999}}',
        b"9" * 5_000_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_depth_digits_and_half_characters_are_unreadable_and_no_more(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"^it: ") as refused:
        read(Secret, body, "it")
    assert len(str(refused.value)) < 300
    assert told(Secret, body, len(body)) is None


def test_a_null_costs_no_more_than_what_is_looked_at_of_its_document() -> None:
    junk = b"[" + b"[]," * 900_000 + b"1]"
    body = b'{"metadata":{"labels":null},"data":{"k":"dg=="},"x":' + junk + b"}"
    began = time.process_time()
    assert read(Secret, body, "it").data == {"k": b"v"}
    assert time.process_time() - began < 0.5
    labels = b",".join(b'"%d":null' % number for number in range(200_000))
    began = time.process_time()
    with pytest.raises(Unreadable, match="got `null`"):
        read(Secret, b'{"metadata":{"labels":{' + labels + b"}}}", "it")
    assert time.process_time() - began < 2


def test_nulls_are_no_members_at_any_depth_of_the_type() -> None:
    raw = (
        b'{"metadata":{"ownerReferences":[{"name":"a","uid":null}],"labels":{"a":"b","c":null}},'
        b'"spec":{"source":{"http":{"url":"u","extraHeaders":null}},"storage":{"selector":{"matchLabels":null}}}}'
    )
    found = read(DataVolume, raw, "it")
    assert [(owner.name, owner.uid) for owner in found.metadata.owner_references] == [("a", "")]
    assert found.metadata.labels == {"a": "b"} and found.spec.source is not None and found.spec.source.http is not None
    assert found.spec.source.http.extra_headers == [] and found.spec.target.selector == {}


@pytest.mark.parametrize("text", ["", "null", "[1]", '["a"', '["a"]' + " " * 100, "[" * 50])
def test_what_nobody_of_us_wrote_tells_nothing(text: str) -> None:
    assert told(list[str], text, 60) is None
    assert told(list[str], '["a"]', 60) == ["a"]
