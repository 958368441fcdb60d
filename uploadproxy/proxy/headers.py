"""Which headers are passed on, there and back. Pure."""

from __future__ import annotations

from multidict import CIMultiDict, MultiMapping

# Of one connection only (RFC 9110, 7.6.1).
_OF_ONE_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
# The token stays here: the server needs none. The rest is between this proxy and the client.
_NOT_THERE = frozenset(("authorization", "content-length", "cookie", "expect", "host", "x-forwarded-for"))
_NOT_BACK = frozenset(("access-control-allow-origin", "set-cookie", "vary"))


def there(headers: MultiMapping[str], peer: str) -> CIMultiDict[str]:
    """Of a request, for the server. ``peer``: the client's address."""
    passed = _passed(headers, _NOT_THERE)
    before = headers.get("X-Forwarded-For", "")
    passed["X-Forwarded-For"] = f"{before}, {peer}" if before else peer
    return passed


def back(headers: MultiMapping[str]) -> CIMultiDict[str]:
    """Of an answer, for the client."""
    return _passed(headers, _NOT_BACK)


def _passed(headers: MultiMapping[str], kept_here: frozenset[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for line in headers.getall("Connection", []) for name in line.split(",")}
    dropped = _OF_ONE_HOP | kept_here | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)
