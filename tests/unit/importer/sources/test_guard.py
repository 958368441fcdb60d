from __future__ import annotations

import socket

import pytest

from cdi.base.faults import Fault
from importer.sources.guard import AddressInfo, allowed, is_forbidden


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "168.63.129.16",
        "100.100.100.200",
        "::ffff:100.100.100.200",
        "192.0.0.192",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "::169.254.169.254",  # IPv4-compatible
        "::ffff:0:169.254.169.254",  # IPv4-translated
        "64:ff9b::169.254.169.254",  # NAT64
        "64:ff9b::a9fe:1",
        "64:ff9b::100.100.100.200",
        "64:ff9b:1::169.254.1.1",  # NAT64 of a site, by the length of its prefix
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:5a9:fe:a9fe::",
        "64:ff9b:1:7:a9:fea9:fe00:0",
        "2002:a9fe:a9fe::1",  # 6to4
        "2001:0:a9fe:a9fe::",  # Teredo: the server, the client
        "2001:0:c000:201:0:1234:5601:5601",
        "2001:db8::5efe:169.254.169.254",  # ISATAP
        "2001:db8::200:5efe:169.254.9.9",
        "2001:db8:64::169.254.169.254",  # a translator's prefix of the site's own
        "2001:db8:64::100.100.100.200",
    ],
)
def test_addresses_of_the_node_are_forbidden(address: str) -> None:
    assert is_forbidden(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.0.2.1", "169.253.1.1", "::1", "fd00:ec2::253", "100.100.100.1", "fec0::1",
     "::192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "64:ff9b:1::192.0.2.1", "2002:c000:201::1",
     "2001:0:c000:201:0:1234:3fff:fdfe", "2001:db8::5efe:192.0.2.1", "2001:db8::a9fe:1", "2001:db8::1"],
)  # fmt: skip
def test_others_are_not(address: str) -> None:
    assert not is_forbidden(address)


def found(*addresses: str) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]


def test_a_host_with_an_allowed_address_is_reached_there() -> None:
    assert allowed(found("169.254.1.1", "192.0.2.7"), "host") == found("192.0.2.7")


def test_a_host_without_one_is_named_with_its_address() -> None:
    with pytest.raises(Fault, match=r"\[AddressForbidden\] host:80 is at 169.254.1.1"):
        allowed(found("169.254.1.1"), "host:80")
