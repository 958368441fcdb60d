from __future__ import annotations

import base64

import pytest

from cdi.base.faults import Fault
from importer.sources.proxy import choose_proxy, is_bypassed, parse_proxy
from importer.sources.url import HttpUrl, parse_http_url


def a_url(url: str) -> HttpUrl:
    return parse_http_url(url)[0]


@pytest.mark.parametrize(
    ("no_proxy", "url", "bypassed"),
    [
        ("example.com", "http://example.com/", True),
        ("example.com", "http://a.example.com/", True),
        ("example.com", "http://badexample.com/", False),
        (".example.com", "http://a.b.example.com/", True),
        (".example.com", "http://example.com/", False),
        ("*.example.com", "http://a.example.com/", True),
        ("EXAMPLE.com", "http://Example.COM/", True),
        ("example.com.", "http://example.com/", True),
        ("other, example.com", "http://example.com/", True),
        ("other example.com", "http://example.com/", True),
        ("*", "http://anything/", True),
        ("", "http://anything/", False),
        ("example.com:8080", "http://example.com:8080/", True),
        ("example.com:8080", "http://example.com/", False),
        ("example.com:443", "https://example.com/", True),
        ("10.0.0.1", "http://10.0.0.1/", True),
        ("10.0.0.0/8", "http://10.200.3.4/", True),
        ("10.0.0.0/8", "http://11.0.0.1/", False),
        ("10.0.0.0/8", "http://ten.example/", False),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("::1", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]:8081/", False),
        (".svc,.cluster.local", "https://minio.images.svc/", True),
        ("300.1.2.3/99", "http://10.0.0.1/", False),
    ],
)
def test_no_proxy_names_suffixes_addresses_blocks_and_ports(no_proxy: str, url: str, bypassed: bool) -> None:
    assert is_bypassed(a_url(url), no_proxy) is bypassed


def test_each_scheme_has_its_variable_and_lower_case_wins() -> None:
    environ = {"http_proxy": "http://low:1", "HTTP_PROXY": "http://up:1", "HTTPS_PROXY": "https://sec:2"}
    plain, secure = choose_proxy(a_url("http://h/"), environ), choose_proxy(a_url("https://h/"), environ)
    assert plain is not None and plain.name == "http://low:1"
    assert secure is not None and secure.name == "https://sec:2"
    assert choose_proxy(a_url("http://h/"), {}) is None


def test_a_proxy_without_scheme_is_an_http_proxy_and_its_credentials_are_hidden() -> None:
    proxy = parse_proxy("us%40er:pw@squid:3128")
    assert proxy.name == "http://squid:3128"
    assert base64.b64decode(proxy.authorization.split()[1]) == b"us@er:pw"
    assert "pw" not in repr(proxy) and proxy.authorization not in repr(proxy)


def test_an_unusable_proxy_address_is_named_without_its_password() -> None:
    with pytest.raises(Fault) as caught:
        parse_proxy("socks5://user:hunter2@host:1080")
    assert caught.value.code == "ProxyUnusable"
    assert "socks5://host:1080" in caught.value.message and "hunter2" not in caught.value.message
