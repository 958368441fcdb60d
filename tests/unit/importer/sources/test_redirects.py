from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.sources.redirects import next_hop
from importer.sources.url import parse_http_url


def test_http_may_lead_to_https() -> None:
    assert str(next_hop(parse_http_url("http://a/x")[0], "https://b/y", "a")) == "https://b/y"


@pytest.mark.parametrize("location", ["http://a/x", "file:///etc/passwd", "ftp://a/x", "gopher://a"])
def test_https_leads_to_https_only(location: str) -> None:
    with pytest.raises(Fault) as caught:
        next_hop(parse_http_url("https://a/x")[0], location, "https://a/x")
    assert caught.value.code == "RedirectRefused"


def test_a_refused_redirect_shows_no_query() -> None:
    with pytest.raises(Fault) as caught:
        next_hop(parse_http_url("https://a/x")[0], "http://b/y?sig=hunter2", "https://a/x")
    assert "http://b/y." in caught.value.message and "hunter2" not in caught.value.message
