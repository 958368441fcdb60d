from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from support.certificates import Authority, Pair

from uploadproxy.proxy.keypair import Contents, Files, Served


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def write(files: Files, certificate: Pair, key: Pair | None = None) -> None:
    files.certificate.write_bytes(certificate.cert.read_bytes())
    files.key.write_bytes((key or certificate).key.read_bytes())


def test_half_of_a_replacement_changes_nothing_and_the_whole_does(authority: Authority, tmp_path: Path) -> None:
    files = Files(tmp_path / "tls.crt", tmp_path / "tls.key")
    first, second = authority.issue("first"), authority.issue("second")
    write(files, first)
    served = Served(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)
    served.load()
    write(files, second, first)
    served.look()
    files.key.unlink()
    served.look()
    assert served.shown == Contents(first.cert.read_bytes(), first.key.read_bytes())
    write(files, second)
    served.look()
    assert served.shown == Contents(second.cert.read_bytes(), second.key.read_bytes())


def test_what_is_no_pair_at_the_start_is_an_error(authority: Authority, tmp_path: Path) -> None:
    files = Files(tmp_path / "tls.crt", tmp_path / "tls.key")
    served = Served(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)
    with pytest.raises(OSError, match=r"tls\.crt"):
        served.load()
    write(files, authority.issue("one"), authority.issue("other"))
    with pytest.raises(ssl.SSLError):
        served.load()
