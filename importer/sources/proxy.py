"""Which proxy a request goes through: the http_proxy, https_proxy and no_proxy variables, as curl and Go read them.

Unlike Go there is no hidden exception for loopback hosts: what no_proxy does not name goes through the proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources.url import HttpUrl, display_name, parse_http_url, sent

_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """``authorization``: value of Proxy-Authorization, empty without credentials."""

    url: HttpUrl
    authorization: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        return f"{self.url.scheme}://{self.url.host_port}"


def choose_proxy(url: HttpUrl, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy for ``url``, or None for a direct connection. Raises Fault ProxyUnusable."""
    value = named_proxy(url, environ)
    return parse_proxy(value) if value else None


def named_proxy(url: HttpUrl, environ: Mapping[str, str]) -> str:
    """As the variable has it; empty for a direct connection."""
    value = _variable(environ, f"{url.scheme}_proxy")
    return "" if is_bypassed(url, _variable(environ, "no_proxy")) else value


def parse_proxy(value: str) -> Proxy:
    try:
        url, userinfo = parse_http_url(value if "://" in value else f"http://{value}")
    except Fault as fault:
        raise Fault("ProxyUnusable", proxy=display_name(value), cause=fault.values["cause"]) from fault
    if not userinfo.user:
        return Proxy(url)
    return Proxy(url, basic_authorization(userinfo.user, userinfo.password))


def basic_authorization(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(sent(f"{user}:{password}")).decode("ascii")


def is_bypassed(url: HttpUrl, no_proxy: str) -> bool:
    """``no_proxy``: names, .suffixes, addresses, CIDR blocks, each with an optional port, or ``*``."""
    entries = [entry.lower() for entry in re.split(r"[,\s]+", no_proxy) if entry]
    return any(_entry_matches(entry, url) for entry in entries)


def _entry_matches(entry: str, url: HttpUrl) -> bool:
    if entry == "*":
        return True
    name, port = _split_port(entry)
    if port and port != url.port:
        return False
    try:
        network = ipaddress.ip_network(name.strip("[]"), strict=False)
    except ValueError:
        return _name_matches(name, url.host.rstrip("."))
    try:
        return ipaddress.ip_address(url.host) in network
    except ValueError:
        return False


def _name_matches(name: str, host: str) -> bool:
    """``example.com`` is itself and what is below it; ``.example.com`` and ``*.example.com`` only what is below."""
    name = name.removeprefix("*").rstrip(".")
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith("." + name)


def _split_port(entry: str) -> tuple[str, int]:
    name, colon, port = entry.rpartition(":")
    is_bare_ipv6 = ":" in name and not name.endswith("]")
    if not colon or is_bare_ipv6 or not _PORT.fullmatch(port):
        return entry, 0
    return name, int(port)


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
