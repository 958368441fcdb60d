from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.sources.url import display_name, join_http_url, parse_http_url, resource_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@host/disk.img?sig=abc#top", "https://host/disk.img"),
        ("http://host:8080/a/b", "http://host:8080/a/b"),
        ("https://a@b:c@host/x", "https://host/x"),
        ("s3://bucket/key?versionId=1", "s3://bucket/key"),
        ("http://host", "http://host"),
        ("http://user:p%40ss@[::1]:80/x?y", "http://[::1]:80/x"),
        ("./disk.img", "./disk.img"),
        ("http://us:er@ho st:99999999/pa\nth?token", "http://ho st:99999999/pa?th"),
        ("http://host?user=a@b", "http://host"),
    ],
)
def test_what_is_shown_has_no_credentials_query_or_fragment(url: str, shown: str) -> None:
    assert display_name(url) == shown


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://host", "http://host/"),
        ("HTTP://HOST:80/A", "http://host/A"),
        ("https://host:443/a?b=c#d", "https://host/a?b=c"),
        ("https://host:8443/with space/ü.img", "https://host:8443/with%20space/%C3%BC.img"),
        ("http://host/already%20encoded?x=%2F", "http://host/already%20encoded?x=%2F"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/x"),
    ],
)
def test_urls_are_normalised_without_encoding_twice(url: str, sent: str) -> None:
    assert str(parse_http_url(url)[0]) == sent


def test_credentials_in_a_url_are_decoded() -> None:
    _, userinfo = parse_http_url("http://us%40er:p%3Ass@host/")
    assert (userinfo.user, userinfo.password) == ("us@er", "p:ss")


@pytest.mark.parametrize(
    "url",
    ["ftp://host/x", "http:///x", "http://host:99999/", "http://host:x/", "http://ho st/", "://host/x", "http://.host/",
     "http://[::1/", "http://ho\x00st/", f"http://{'a' * 64}.example/"],
)  # fmt: skip
def test_unusable_urls_are_refused_without_showing_their_secrets(url: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_http_url(url.replace("://", "://user:hunter2@", 1) + "?token=hunter2")
    assert caught.value.code == "SourceUrlInvalid"
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/other", "http://host:81/other"),
        ("other?x", "http://host:81/dir/other?x"),
        ("//mirror/x", "http://mirror/x"),
        ("https://mirror/x#f", "https://mirror/x"),
        ("/gr\u00c3\u00bcn", "http://host:81/gr%C3%BCn"),
        ("http://user:pw@mirror/", "http://mirror/"),
    ],
)
def test_locations_are_joined_with_where_they_came_from(location: str, leads_to: str) -> None:
    assert str(join_http_url(parse_http_url("http://host:81/dir/file")[0], location)) == leads_to


SIGNED = "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb&x-amz-date=1&X-Amz-Signature=2&X-Amz-Expires=3"


@pytest.mark.parametrize(
    "other",
    [
        "http://mirror/dir/disk.img",
        "https://user:pw@host:81/dir/disk.img#part",
        f"https://host/dir/disk.img{SIGNED}",
        "https://host/dir/disk.img?Expires=1&Signature=2&Key-Pair-Id=3",
        "https://host/dir/disk.img?AWSAccessKeyId=1&Signature=2&Expires=3",
        "https://host/dir/disk.img?X-Goog-Signature=1&GoogleAccessId=2",
    ],
)
def test_a_mirror_and_another_signature_name_the_same_resource(other: str) -> None:
    assert resource_of(other) == resource_of("https://host/dir/disk.img")


def test_another_path_or_query_is_another_resource() -> None:
    urls = [
        "https://host/dir/disk.img",
        "https://host/other/disk.img",
        "https://host/dir/disk.img?image=a",
        "https://host/dir/disk.img?image=b",
        f"https://host/dir/disk.img{SIGNED}&versionId=1",
        "s3://bucket/other",
        "/dir/disk.img",
        "/dir/disk.img?image=a",
        "/dir/\udcff",
        "/dir/\ud800",
    ]
    assert len(set(map(resource_of, urls))) == len(urls)
