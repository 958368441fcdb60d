from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from cdi.apiserver.aggregated.requestheader import RequestHeader, Unauthenticated, config_of, user_of
from cdi.kube.reviews import UserInfo

DATA = {
    "client-ca-file": "not ours",
    "requestheader-client-ca-file": "PEM",
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-username-headers": '["X-Remote-User","X-User"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
}
CONFIG = config_of(DATA)


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


ALICE = ("X-Remote-User", "alice")


def test_the_config_map_says_whom_to_believe_and_which_headers() -> None:
    said = RequestHeader(
        "PEM",
        ("front-proxy-client",),
        ("X-Remote-User", "X-User"),
        ("X-Remote-Uid",),
        ("X-Remote-Group",),
        ("X-Remote-Extra-",),
    )
    assert config_of(DATA) == said
    assert config_of({}) == RequestHeader()


@pytest.mark.parametrize("text", ["front-proxy-client", "{}", "[1]", "null", '["a"', "[" * 5000, f'["{"a" * 70_000}"]'])
def test_a_limit_that_cannot_be_read_is_no_missing_limit(text: str) -> None:
    with pytest.raises(ValueError, match="requestheader-allowed-names is no list of names"):
        config_of(DATA | {"requestheader-allowed-names": text})


def test_headers_name_the_user() -> None:
    found = user_of(
        CONFIG,
        "front-proxy-client",
        headers(
            ALICE,
            ("X-User", "bob"),
            ("x-remote-uid", "7"),
            ("X-Remote-Group", "team"),
            ("X-Remote-Group", "system:authenticated"),
            ("X-Remote-Extra-Authentication.kubernetes.io%2fCredential-Id", "one"),
            ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-id", "two"),
            ("X-Remote-Extra-scopes", "ä"),
        ),
    )
    extra = {"authentication.kubernetes.io/credential-id": ["one", "two"], "scopes": ["ä"]}
    assert found == UserInfo("alice", "7", ["team", "system:authenticated"], extra)


def test_the_first_header_that_has_a_value_counts() -> None:
    assert user_of(CONFIG, "front-proxy-client", headers(("X-User", "bob"))).username == "bob"
    assert user_of(CONFIG, "front-proxy-client", headers(("X-Remote-User", ""), ("X-User", "bob"))).username == "bob"


@pytest.mark.parametrize(
    ("shown", "sent", "reason"),
    [
        (None, (ALICE,), "only an API server"),
        ("alice", (ALICE,), "none of those that may name users"),
        ("", (ALICE,), "none of those that may name users"),
        ("front-proxy-client", (), "names no user"),
        ("front-proxy-client", (("X-Remote-User", ""),), "names no user"),
        ("front-proxy-client", (("X-Remote-User", "\udcff"),), "no UTF-8"),
        ("front-proxy-client", (ALICE, ("X-Remote-Group", "\udcff")), "no UTF-8"),
        ("front-proxy-client", (ALICE, ("X-Remote-Extra-%ff", "a")), "no UTF-8"),
    ],
)
def test_whoever_is_not_named_by_an_api_server_is_nobody(
    shown: str | None, sent: tuple[tuple[str, str], ...], reason: str
) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        user_of(CONFIG, shown, headers(*sent))


def test_without_names_every_certificate_of_the_authority_may_name_users() -> None:
    anyone = config_of(DATA | {"requestheader-allowed-names": "[]"})
    assert user_of(anyone, "somebody", headers(ALICE)).username == "alice"
