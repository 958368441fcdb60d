"""Every way a certificate can be wrong has its own fault."""

from __future__ import annotations

import random
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.certificates import Authority, Pair, with_chain
from support.faultserver import FaultServer, Route
from support.proxy import TinyProxy

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE
from importer.sources.http import HttpSource

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(8).randbytes(300_000)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("127.0.0.1")


@pytest.fixture
def secure(pair: Pair) -> Iterator[FaultServer]:
    with FaultServer(tls=pair.server_context()) as server:
        server.add("/disk", Route(DATA))
        yield server


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def probe_with(context: ssl.SSLContext, a_source: Make, **fields: object) -> Fault:
    with FaultServer(tls=context) as server:
        return fault_of(a_source(server.add("/disk", Route(DATA)), **fields).probe)


def test_a_given_authority_is_trusted(secure: FaultServer, authority: Authority, a_source: Make, read: Read) -> None:
    source = a_source(secure.url("/disk"), ca_files=(authority.cert,))
    assert source.probe().size == len(DATA)
    assert read(source.open(0, None)) == DATA
    assert secure.connections == 1


@pytest.mark.parametrize("name", ["ca.pem", "tls.crt", "whatever"])
def test_every_file_of_a_directory_is_trusted_whatever_its_name(
    secure: FaultServer, authority: Authority, a_source: Make, tmp_path: Path, name: str
) -> None:
    shutil.copy(authority.cert, tmp_path / name)
    (tmp_path / "README").write_text("no certificate")
    (tmp_path / "..data").mkdir()
    assert a_source(secure.url("/disk"), ca_files=(tmp_path,)).probe().size == len(DATA)


def test_dot_files_are_not_trusted(secure: FaultServer, authority: Authority, a_source: Make, tmp_path: Path) -> None:
    shutil.copy(authority.cert, tmp_path / ".ca.pem")
    assert fault_of(a_source(secure.url("/disk"), ca_files=(tmp_path,)).probe).code == "TlsUntrusted"


def test_a_named_file_without_certificates_is_said_so(secure: FaultServer, a_source: Make, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    fault = fault_of(a_source(secure.url("/disk"), ca_files=(tmp_path / "ca.pem",)).probe)
    assert (fault.code, fault.values["cause"]) == ("FileUnreadable", "it holds no PEM certificate")
    assert fault_of(a_source(secure.url("/disk"), ca_files=(tmp_path / "gone",)).probe).code == "FileUnreadable"


def test_an_unknown_authority_names_the_bundles_used(secure: FaultServer, a_source: Make, tmp_path: Path) -> None:
    fault = fault_of(a_source(secure.url("/disk"), ca_files=(Authority(tmp_path / "other").cert,)).probe)
    assert (fault.code, fault.values["host"]) == ("TlsUntrusted", f"127.0.0.1:{secure.port}")
    assert "(system, 1 file)" in fault.message
    assert fault_of(a_source(secure.url("/disk")).probe).values["bundles"] == "system"


def test_insecure_verifies_nothing(secure: FaultServer, a_source: Make) -> None:
    assert a_source(secure.url("/disk"), insecure=True).probe().size == len(DATA)


def test_an_expired_certificate(authority: Authority, a_source: Make) -> None:
    pair = authority.issue("127.0.0.1", expired=True)
    fault = probe_with(pair.server_context(), a_source, ca_files=(authority.cert,))
    assert fault.code == "TlsExpired"


@pytest.mark.parametrize("names", ["IP:127.0.0.9", "DNS:example.com", ""])
def test_a_certificate_for_another_host(authority: Authority, a_source: Make, names: str) -> None:
    pair = authority.issue("127.0.0.1", names)
    fault = probe_with(pair.server_context(), a_source, ca_files=(authority.cert,))
    assert fault.code == "TlsWrongHost"


def test_a_self_signed_certificate_and_a_missing_intermediate_read_differently(
    authority: Authority, a_source: Make, tmp_path: Path
) -> None:
    lonely = Authority(tmp_path / "self", "127.0.0.1")
    self_signed = probe_with(lonely.pair.server_context(), a_source)
    intermediate = Authority(tmp_path / "mid", "Middle CA", parent=authority)
    leaf = intermediate.issue("127.0.0.1")
    missing = probe_with(leaf.server_context(), a_source, ca_files=(authority.cert,))
    assert (self_signed.code, missing.code) == ("TlsUntrusted", "TlsUntrusted")
    assert self_signed.values["cause"] == "it is signed by itself"
    assert missing.values["cause"] == "its issuer is unknown"
    with FaultServer(tls=with_chain(leaf, intermediate).server_context()) as server:
        source = a_source(server.add("/disk", Route(DATA)), ca_files=(authority.cert,))
        assert source.probe().size == len(DATA)


def test_an_intermediate_authority_alone_is_an_anchor(authority: Authority, a_source: Make, tmp_path: Path) -> None:
    intermediate = Authority(tmp_path, "Middle CA", parent=authority)
    with FaultServer(tls=intermediate.issue("127.0.0.1").server_context()) as server:
        url = server.add("/disk", Route(DATA))
        assert a_source(url, ca_files=(intermediate.cert,)).probe().size == len(DATA)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_old_tls_is_refused(pair: Pair, authority: Authority, a_source: Make) -> None:
    context = pair.server_context()
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert probe_with(context, a_source, ca_files=(authority.cert,)).code == "TlsFailed"


def test_a_stream_over_tls_must_end_properly(pair: Pair, authority: Authority, a_source: Make, read: Read) -> None:
    with FaultServer(tls=pair.server_context()) as server:
        url = server.add("/disk", Route(DATA, no_length=True, ranges=False, cut_at={1: 200_000}))
        source = a_source(url, ca_files=(authority.cert,))
        source.probe()
        fault = fault_of(lambda: read(source.open(0, None)))
    assert fault.code == "ConnectionLost"  # no close_notify: nothing proves that this was all


@pytest.mark.parametrize("through_proxy", [False, True])
def test_an_interrupt_ends_a_blocked_read_over_tls(
    pair: Pair, authority: Authority, a_source: Make, read: Read, through_proxy: bool
) -> None:
    with FaultServer(tls=pair.server_context()) as server, TinyProxy((server.port,)) as proxy:
        url = server.add("/disk", Route(DATA, stall_at={2: 1000}))
        environ = {"https_proxy": proxy.url()} if through_proxy else {}
        source = a_source(url, ca_files=(authority.cert,), environ=environ, stall_timeout_s=30.0)
        source.probe()
        faults: list[Fault] = []
        thread = threading.Thread(target=lambda: faults.append(fault_of(lambda: read(source.open(0, None)))))
        thread.start()
        server.wait_for_bytes(HEAD_SIZE + 1000)
        source.interrupt()
        thread.join(5)
        assert [fault.code for fault in faults] == ["Cancelled"]
