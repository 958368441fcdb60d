"""Which addresses a worker may connect to on behalf of whoever wrote the URL. Pure.

A pod reaches addresses that the author of a DataVolume does not: the metadata service of a cloud hands out the node's
rights at 169.254.169.254, and an import of it would put them into a disk that its author can read. What counts is the
address that is connected to, whatever name, spelling, redirect or resolver led to it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from cdi.base.faults import Fault

# Link-local is forbidden as such (RFC 3927; RFC 4291, 2.5.6); these are elsewhere, and no image server's either.
_METADATA = {
    ipaddress.ip_address(address)
    for address in (
        "fd00:ec2::254",  # Amazon
        "fd00:ec2::23",  # Amazon, the credentials of EKS' pods
        "fd20:ce::254",  # Google
        "168.63.129.16",  # Azure
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle, Classic
        "fd00:c1::a9fe:a9fe",  # Oracle
        "fd00:42::42",  # Scaleway
    )
}

# What embeds an IPv4 address in an IPv6 one, by prefix: a way through any of them leads to the embedded one.
_MAPPED = ipaddress.ip_network("::ffff:0:0/96")
_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291, 2.5.5.1
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")  # RFC 2765
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215: translators of the site, with prefixes of any length
_6TO4 = ipaddress.ip_network("2002::/16")  # RFC 3056
_TEREDO = ipaddress.ip_network("2001::/32")  # RFC 4380
_LOW_END = (_MAPPED, _COMPATIBLE, _TRANSLATED, _NAT64)
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, 6.1: bits 64 to 95 of any prefix
# A translator's prefix may be any of the site's (RFC 6052, 2.2), and nobody tells it to us. Of all addresses that end
# like this one in 4 billion is something else, so only the services themselves are looked for there.
_SERVICES = {address for address in _METADATA if address.version == 4} | {
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.170.2",  # Amazon, the credentials of ECS' tasks
        "169.254.170.23",  # Amazon, those of EKS' pods
        "169.254.0.23",  # Tencent
        "169.254.42.42",  # Scaleway
    )
}

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]


def allowed(addresses: list[AddressInfo], host: str) -> list[AddressInfo]:
    """Those that may be connected to, of what getaddrinfo gave for ``host``. Raises Fault AddressForbidden for none."""
    found = [entry for entry in addresses if not is_forbidden(str(entry[4][0]))]
    if not found:
        raise Fault("AddressForbidden", host=host, address=addresses[0][4][0])
    return found


def is_forbidden(address: str) -> bool:
    """``address``: perhaps with a scope (``fe80::1%eth0``)."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if _is_of_the_node(found):
        return True
    if isinstance(found, ipaddress.IPv4Address):
        return False
    return any(map(_is_of_the_node, embedded_in(found))) or _part(found, 96) in _SERVICES


def embedded_in(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that a translator, a tunnel or the kernel may send to for ``address``."""
    if any(address in network for network in _LOW_END) or int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        yield _part(address, 96)
    if address in _NAT64_LOCAL:
        for length in (48, 56, 64, 96):
            yield _translated(address, length)
    if address in _6TO4:
        yield _part(address, 16)
    if address in _TEREDO:
        yield _part(address, 32)  # its server
        yield ipaddress.IPv4Address(int(_part(address, 96)) ^ 0xFFFFFFFF)


def _translated(address: ipaddress.IPv6Address, length: int) -> ipaddress.IPv4Address:
    """Behind a prefix of so many bits; bits 64 to 71 are left out (RFC 6052, 2.2)."""
    octets = [octet for number, octet in enumerate(address.packed) if number != 8 or length == 96]
    start = length // 8
    return ipaddress.IPv4Address(bytes(octets[start : start + 4]))


def _part(address: ipaddress.IPv6Address, start: int) -> ipaddress.IPv4Address:
    """32 bits from bit ``start`` on, the first being 0."""
    return ipaddress.IPv4Address(int(address) >> (96 - start) & 0xFFFFFFFF)


def _is_of_the_node(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_link_local or address in _METADATA
