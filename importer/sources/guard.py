"""Which addresses a worker may connect to on behalf of whoever wrote the URL. Pure.

A pod reaches addresses that the author of a DataVolume does not: the metadata service of a cloud hands out the node's
rights at 169.254.169.254, and an import of it would put them into a disk that its author can read. What counts is the
address that is connected to, whatever name, spelling, redirect or resolver led to it.
"""

from __future__ import annotations

import ipaddress
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
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    return found.is_link_local or found in _METADATA
