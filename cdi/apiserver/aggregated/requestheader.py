"""Who asks: an API server hands a request on with its own certificate, and says in headers for whom.

What certificates and headers those are is told by the ConfigMap kube-system/extension-apiserver-authentication, which
API servers keep up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from multidict import CIMultiDictProxy

from cdi.kube.decoding import told
from cdi.kube.reviews import UserInfo

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"
_LONGEST = 64 << 10  # characters of one list of names


class Unauthenticated(Exception):
    """Who asks is not known. The text says why."""


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """``authorities``: PEM. ``names``: those of certificates that may name users; none: all may. The others are
    names of headers, ``extras`` the beginnings of some."""

    authorities: str = ""
    names: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def config_of(data: Mapping[str, str]) -> RequestHeader:
    """Of the ConfigMap. Raises ValueError for what is no list of names: it may have been a limit."""

    def listed(key: str) -> tuple[str, ...]:
        text = data.get(f"requestheader-{key}", "")
        found = told(list[str], text, _LONGEST) if text else []
        if found is None:
            raise ValueError(f"requestheader-{key} is no list of names")
        return tuple(found)

    return RequestHeader(
        data.get("requestheader-client-ca-file", ""),
        listed("allowed-names"),
        listed("username-headers"),
        listed("uid-headers"),
        listed("group-headers"),
        listed("extra-headers-prefix"),
    )


def user_of(config: RequestHeader, shown: str | None, headers: CIMultiDictProxy[str]) -> UserInfo:
    """``shown``: the common name of the certificate that was verified, None where there was none.

    Raises Unauthenticated.
    """
    if shown is None:
        raise Unauthenticated(
            "the request is not authenticated: only an API server, with its client certificate, is believed"
        )
    if config.names and shown not in config.names:
        raise Unauthenticated(
            "the client certificate is none of those that may name users (requestheader-allowed-names)"
        )
    user = _first(headers, config.users)
    if not user:
        raise Unauthenticated(f"the request names no user: none of the headers {', '.join(config.users)} has a value")
    groups = [value for name in config.groups for value in headers.getall(name, ())]
    found = UserInfo(user, _first(headers, config.uids), groups, _extras(headers, config.extras))
    if not _is_text(found):
        raise Unauthenticated("the headers that name the user are no UTF-8")
    return found


def _first(headers: CIMultiDictProxy[str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")


def _extras(headers: CIMultiDictProxy[str], prefixes: tuple[str, ...]) -> dict[str, list[str]]:
    """The rest of such a header's name is lower-cased and percent-decoded: it may hold a slash."""
    found: dict[str, list[str]] = {}
    for name, value in headers.items():
        for prefix in prefixes:
            if prefix and name.lower().startswith(prefix.lower()):
                key = unquote(name[len(prefix) :].lower(), errors="surrogateescape")
                found.setdefault(key, []).append(value)
                break
    return found


def _is_text(user: UserInfo) -> bool:
    every = [user.username, user.uid, *user.groups, *user.extra, *(one for each in user.extra.values() for one in each)]
    try:
        "".join(every).encode()
    except UnicodeEncodeError:
        return False
    return True
