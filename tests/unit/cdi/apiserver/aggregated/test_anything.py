"""Whatever anybody sends is an answer."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from cdi.apiserver.aggregated.asked import Asked, asked_for
from cdi.apiserver.aggregated.discovery import wanted
from cdi.apiserver.aggregated.requestheader import RequestHeader, Unauthenticated, config_of, user_of
from cdi.apiserver.aggregated.status import Refusal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
MEMBERS = st.sampled_from(["apiVersion", "kind", "metadata", "spec", "status", "pvcName", "namespace"])
OBJECTS = st.dictionaries(MEMBERS, VALUES | st.dictionaries(MEMBERS, VALUES, max_size=3), max_size=5)
PARTS = st.sampled_from(
    ["application/json", "*/*", ";", ",", "=", "as", "g", "v", "v2", "APIGroupDiscoveryList", " ", "q"]
)


@given(st.binary(max_size=200) | OBJECTS.map(lambda value: json.dumps(value).encode()))
def test_a_body(body: bytes) -> None:
    found = _asked_or_refused(body)
    if isinstance(found, Refusal):
        assert found.code in (400, 422)
        assert len(found.document()) < 2000


def _asked_or_refused(body: bytes) -> Asked | Refusal:
    try:
        return asked_for(body, "team")
    except Refusal as refusal:
        return refusal


@given(st.lists(PARTS, max_size=60).map("".join) | st.text(max_size=100))
def test_an_accept_header(accept: str) -> None:
    assert wanted(accept) in ("", "v2", "v2beta1")


@given(st.dictionaries(st.sampled_from(["requestheader-allowed-names", "requestheader-group-headers"]), st.text()))
def test_the_config_map(data: dict[str, str]) -> None:
    assert "is no list of names" in _complaint(data) or isinstance(config_of(data), RequestHeader)


def _complaint(data: dict[str, str]) -> str:
    try:
        config_of(data)
    except ValueError as error:
        return str(error)
    return ""


HEADERS = st.sampled_from(
    ["X-Remote-User", "X-Remote-Group", "X-Remote-Extra-", "X-Remote-Extra-%2f", "X-Remote-Extra-a%"]
)
CONFIG = RequestHeader("", (), ("X-Remote-User",), (), ("X-Remote-Group",), ("X-Remote-Extra-",))
HEADER_TEXTS = st.binary(max_size=20).map(lambda value: value.decode(errors="surrogateescape"))


@given(st.lists(st.tuples(HEADERS, HEADER_TEXTS), max_size=8))
def test_headers(sent: list[tuple[str, str]]) -> None:
    try:
        user = user_of(CONFIG, "front", CIMultiDictProxy(CIMultiDict(sent)))
    except Unauthenticated:
        return
    assert user.username and json.dumps(user.extra, ensure_ascii=False).encode()
