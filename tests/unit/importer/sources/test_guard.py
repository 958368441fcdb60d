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
    ],
)
def test_addresses_of_the_node_are_forbidden(address: str) -> None:
    assert is_forbidden(address)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "192.0.2.1", "169.253.1.1", "::1", "fd00:ec2::253", "100.100.100.1", "fec0::1"],
)
def test_others_are_not(address: str) -> None:
    assert not is_forbidden(address)


def found(*addresses: str) -> list[AddressInfo]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]


def test_a_host_with_an_allowed_address_is_reached_there() -> None:
    assert allowed(found("169.254.1.1", "192.0.2.7"), "host") == found("192.0.2.7")


def test_a_host_without_one_is_named_with_its_address() -> None:
    with pytest.raises(Fault, match=r"\[AddressForbidden\] host:80 is at 169.254.1.1"):
        allowed(found("169.254.1.1"), "host:80")
