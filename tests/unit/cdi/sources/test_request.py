"""What a source asks for, as annotations of a claim and back: one list, so that its users agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cdi.api.datavolume import DataVolumeSource, HttpSource, S3Source
from cdi.contract import annotations as a
from cdi.sources.parameters import Parameters
from cdi.sources.request import asked_of, edited, is_source_annotation, parameters_of

URL = "https://host/disk.qcow2"
HTTP = HttpSource(
    url=URL,
    secret_ref="keys",
    cert_config_map="ca",
    checksum="md5:1",
    insecure_skip_verify=True,
    extra_headers=["A: 1", "B: 2"],
    secret_extra_headers=["one", "two"],
)
ASKED = Parameters("http", URL, "keys", "ca", "md5:1", True, ("A: 1", "B: 2"), ("one", "two"))
EVERY = [
    ({"http": HTTP}, ASKED),
    ({"http": HttpSource(url=URL)}, Parameters("http", URL)),
    ({"s3": S3Source(url=URL, secret_ref="keys", cert_config_map="ca")}, Parameters("s3", URL, "keys", "ca")),
    ({"blank": {}}, Parameters("none")),
]


@pytest.mark.parametrize(("source", "asked"), EVERY)
def test_what_a_source_asks_for_is_read_back_from_the_claim(source: dict[str, Any], asked: Parameters) -> None:
    written = asked_of(DataVolumeSource(**source), {})
    assert parameters_of(written) == asked
    of_the_volume = {a.CONTENT_TYPE: "archive", a.PREALLOCATION_REQUESTED: "true"}
    assert parameters_of(of_the_volume | written) == replace(asked, archive=True, preallocation=True)


@pytest.mark.parametrize(("source", "asked"), EVERY)
def test_what_one_source_wrote_is_gone_when_another_is_asked_for(source: dict[str, Any], asked: Parameters) -> None:
    before = asked_of(DataVolumeSource(**source), {})
    assert all(map(is_source_annotation, before))
    assert not any(map(is_source_annotation, (a.CONTENT_TYPE, a.PREALLOCATION_REQUESTED, a.POD_PHASE, a.IMMEDIATE)))
    after = edited(before, asked_of(DataVolumeSource(s3=S3Source(url="https://other/b/k")), {}))
    assert parameters_of(after) == Parameters("s3", "https://other/b/k")


def test_a_checksum_of_the_volume_serves_any_source_and_the_source_s_own_comes_first() -> None:
    said = {a.CHECKSUM: "md5:2"}
    for source, checksum in ((DataVolumeSource(s3=S3Source(url=URL)), "md5:2"), (DataVolumeSource(http=HTTP), "md5:1")):
        asked = parameters_of(asked_of(source, said))
        assert asked is not None
        assert asked.checksum == checksum


def test_what_is_not_imported_asks_for_nothing() -> None:
    assert asked_of(DataVolumeSource(upload={}), {}) == {}
    assert parameters_of({a.CHECKSUM: "md5:1"}) is None


@pytest.mark.parametrize(("word", "source"), [("", "http"), ("junk", "http"), ("glance", "glance"), ("none", "none")])
def test_an_unknown_word_is_http_as_in_the_contract(word: str, source: str) -> None:
    asked = parameters_of({a.SOURCE: word, a.ENDPOINT: URL})
    assert asked is not None
    assert asked.source == source


@pytest.mark.parametrize(("word", "insecure"), [("http", True), ("", True), ("s3", False), ("none", False)])
def test_only_of_http_may_the_certificate_be_anything(word: str, insecure: bool) -> None:
    asked = parameters_of({a.SOURCE: word, a.ENDPOINT: URL, a.INSECURE: "true"})
    assert asked is not None
    assert asked.insecure is insecure


def test_headers_are_in_the_order_of_their_numbers_and_empty_ones_are_none() -> None:
    lines = {f"{a.EXTRA_HEADERS}{number}": f"X: {number}" for number in (10, 9, 0)} | {f"{a.EXTRA_HEADERS}3": ""}
    asked = parameters_of({a.ENDPOINT: URL} | lines)
    assert asked is not None
    assert asked.headers == ("X: 0", "X: 9", "X: 10")
