"""Every way in which a server's certificate can be wrong ends the command with its own code, before any byte."""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from support.certificates import Authority, Pair, with_chain
from support.faultserver import FaultServer, Route
from support.importing import cdi

RAW = random.Random(8).randbytes(300_000)


def self_signed(directory: Path) -> Pair:
    return Authority(directory / "self", "127.0.0.1").pair


def without_its_chain(directory: Path) -> Pair:
    root = Authority(directory / "ca")
    return Authority(directory / "between", "Between", parent=root).issue("127.0.0.1")


WRONG: dict[str, tuple[Callable[[Path], Pair], str, str]] = {
    "expired": (lambda place: Authority(place / "ca").issue("127.0.0.1", expired=True), "TlsExpired", "expired"),
    "self-signed": (self_signed, "TlsUntrusted", "it is signed by itself"),
    "of another host": (
        lambda place: Authority(place / "ca").issue("elsewhere", "DNS:elsewhere.test"), "TlsWrongHost", "127.0.0.1",
    ),
    "without its chain": (without_its_chain, "TlsUntrusted", "its issuer is unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_certificate_is_told_apart(name: str, tmp_path: Path) -> None:
    make, code, said = WRONG[name]
    authority = tmp_path / "ca" / "ca.pem"
    with FaultServer(tls=make(tmp_path).server_context()) as server:
        url = server.add("/image", Route(body=RAW))
        trust = ("--ca", authority) if authority.exists() else ()
        outcome = cdi("import", url, tmp_path / "disk.img", *trust)
        assert (outcome.status, f"[{code}]" in outcome.stderr) == (3, True), outcome
        assert said in outcome.stderr
        assert " Try: " in outcome.stderr
        assert server.requests == []
        assert not list(tmp_path.glob("disk.img*"))


def test_insecure_verifies_none_of_it(tmp_path: Path) -> None:
    with FaultServer(tls=self_signed(tmp_path).server_context()) as server:
        outcome = cdi("import", server.add("/image", Route(body=RAW)), tmp_path / "disk.img", "--insecure")
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == RAW.ljust(-(-len(RAW) // 512) * 512, b"\0")  # whole sectors


def test_a_chain_that_is_sent_whole_is_trusted_by_its_root(tmp_path: Path) -> None:
    root = Authority(tmp_path / "ca")
    between = Authority(tmp_path / "between", "Between", parent=root)
    with FaultServer(tls=with_chain(between.issue("127.0.0.1"), between).server_context()) as server:
        outcome = cdi("import", server.add("/image", Route(body=RAW)), tmp_path / "disk.img", "--ca", root.cert)
    assert outcome.status == 0, outcome


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    context = authority.issue("127.0.0.1").server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with FaultServer(tls=context) as server:
        outcome = cdi("import", server.add("/image", Route(body=RAW)), tmp_path / "disk.img", "--ca", authority.cert)
    assert (outcome.status, "[TlsFailed]" in outcome.stderr) == (3, True), outcome
