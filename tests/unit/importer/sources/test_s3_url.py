from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.sources.s3_url import Addressing, as_region, parse_s3_url


@pytest.mark.parametrize(
    ("url", "environ", "read_from"),
    [
        # AWS: the bucket goes into the host, except where that would break the certificate
        ("s3://images/a.img", {}, "https://images.s3.us-east-1.amazonaws.com/a.img"),
        ("s3://images/a.img", {"AWS_REGION": "eu-west-3"}, "https://images.s3.eu-west-3.amazonaws.com/a.img"),
        ("s3://images/a.img", {"AWS_DEFAULT_REGION": "cn-north-1"},
         "https://images.s3.cn-north-1.amazonaws.com.cn/a.img"),
        ("s3://im.ages/a.img", {}, "https://s3.us-east-1.amazonaws.com/im.ages/a.img"),
        # an endpoint of one's own: path style, port kept, the S3 variable wins
        ("s3://images/d/a.img", {"AWS_ENDPOINT_URL": "http://h:9000"}, "http://h:9000/images/d/a.img"),
        ("s3://images/a.img", {"AWS_ENDPOINT_URL": "http://no", "AWS_ENDPOINT_URL_S3": "https://S3.h/"},
         "https://s3.h/images/a.img"),
        # the Go CDI's form: the first path segment is the bucket
        ("http://minio.x:9000/images/d/a.img", {}, "http://minio.x:9000/images/d/a.img"),
        ("https://[::1]:9000/images/a.img", {}, "https://[::1]:9000/images/a.img"),
        ("https://s3.us-west-2.amazonaws.com/images/a.img", {}, "https://s3.us-west-2.amazonaws.com/images/a.img"),
        # AWS's hosts stay as written
        ("https://images.s3.us-west-2.amazonaws.com/a.img", {}, "https://images.s3.us-west-2.amazonaws.com/a.img"),
        ("https://i.m.s3-us-west-2.amazonaws.com/a.img", {}, "https://i.m.s3-us-west-2.amazonaws.com/a.img"),
        ("https://images.s3-accelerate.amazonaws.com/a.img", {}, "https://images.s3-accelerate.amazonaws.com/a.img"),
        # characters of keys
        ("s3://b1/d/a b+%C3%BC%3F%23.img", {"AWS_ENDPOINT_URL": "http://h"}, "http://h/b1/d/a%20b%2B%C3%BC%3F%23.img"),
        ("http://h/b1/ü//x.img", {}, "http://h/b1/%C3%BC//x.img"),
        ("http://h/b1/x.img?versionId=a%2Bb", {}, "http://h/b1/x.img?versionId=a%2Bb"),
    ],
)  # fmt: skip
def test_a_url_is_read_from(url: str, environ: dict[str, str], read_from: str) -> None:
    assert parse_s3_url(url, "", environ).url() == read_from


@pytest.mark.parametrize(
    ("url", "addressing", "read_from"),
    [
        ("http://images.s3.test:7070/d/a.img", "virtual", "http://images.s3.test:7070/d/a.img"),
        ("https://s3.us-west-2.amazonaws.com/images/a.img", "virtual",
         "https://images.s3.us-west-2.amazonaws.com/a.img"),
        ("s3://images/a.img", "path", "https://s3.us-east-1.amazonaws.com/images/a.img"),
        ("http://images.s3.test/d/a.img", "path", "http://images.s3.test/d/a.img"),
    ],
)  # fmt: skip
def test_addressing_can_be_chosen(url: str, addressing: Addressing, read_from: str) -> None:
    assert parse_s3_url(url, "", {}, addressing).url() == read_from


def test_virtual_addressing_puts_the_bucket_before_an_endpoint() -> None:
    found = parse_s3_url("s3://images/a.img", "", {"AWS_ENDPOINT_URL": "http://s3.test:7070"}, "virtual")
    assert found.url() == "http://images.s3.test:7070/a.img"
    assert (found.bucket, found.key) == ("images", "a.img")


@pytest.mark.parametrize(
    ("url", "given", "environ", "region"),
    [
        ("https://s3.us-west-2.amazonaws.com/b1/k", "", {"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ("https://s3.us-west-2.amazonaws.com/b1/k", "", {}, "us-west-2"),
        ("https://s3-us-west-2.amazonaws.com/b1/k", "", {}, "us-west-2"),
        ("https://b.s3.dualstack.us-gov-west-1.amazonaws.com/k", "", {}, "us-gov-west-1"),
        ("https://s3.amazonaws.com/b1/k", "", {}, "us-east-1"),
        ("http://minio.x:9000/b1/k", "", {}, "us-east-1"),  # not "minio", as the Go CDI guesses
        ("http://minio.x:9000/b1/k", "garage", {"AWS_REGION": "eu-west-1"}, "garage"),
    ],
)
def test_the_region_is_what_was_said_else_the_hosts_else_the_default(
    url: str, given: str, environ: dict[str, str], region: str
) -> None:
    assert parse_s3_url(url, given, environ).signing_region == region


def test_the_name_for_people_has_no_endpoint_and_no_query() -> None:
    assert parse_s3_url("https://u:p@h/b1/d/k.img?versionId=7", "", {}).name == "s3://b1/d/k.img"


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("s3://images/k", "https://images.s3.eu-north-1.amazonaws.com/k"),
        ("https://s3.us-west-2.amazonaws.com/images/k", "https://s3.eu-north-1.amazonaws.com/images/k"),
        ("https://images.s3.dualstack.us-west-2.amazonaws.com/k",
         "https://images.s3.dualstack.us-west-2.amazonaws.com/k"),
        ("http://h:9000/images/k", "http://h:9000/images/k"),
    ],
)  # fmt: skip
def test_only_a_plain_aws_host_follows_the_region(url: str, moved: str) -> None:
    found = parse_s3_url(url, "", {}).in_region("eu-north-1")
    assert found.url() == moved
    assert found.signing_region == "eu-north-1"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("s3://images", "it names no key"),
        ("s3://images/", "it names no key"),
        ("s3:///a.img", "it names no bucket"),
        ("http://h:9000/images", "it names no key"),
        ("http://h:9000/", "it names no bucket"),
        ("ftp://h/images/a.img", "an S3 object is s3://bucket/key or https://endpoint/bucket/key"),
        ("http://h:port/images/a.img", "host or port cannot be read"),
        ("s3://images/a?b.img", "only versionId may follow the ?; a ? of a key must be written %3F"),
        ("s3://images/a#1.img", "a # of a key must be written %23"),
        ("s3://images/a/../b.img", "keys with . or .. as a segment cannot be read over HTTP"),
        ("s3://images/%2E%2E/b.img", "keys with . or .. as a segment cannot be read over HTTP"),
        ("s3://images/a%0Ab.img", "it contains control characters"),
    ],
)
def test_what_names_no_object_is_refused_with_the_reason(url: str, cause: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_s3_url(url, "", {})
    assert caught.value.code == "SourceUrlInvalid"
    assert caught.value.values["cause"] == cause


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(Fault, match="its endpoint minio:9000 is not an http or https URL"):
        parse_s3_url("s3://images/a.img", "", {"AWS_ENDPOINT_URL": "minio:9000"})


@pytest.mark.parametrize(("text", "region"), [("eu-west-1", "eu-west-1"), ("evil.host/", ""), ("", "")])
def test_a_servers_region_goes_into_a_host_name_only_when_it_can_be_one(text: str, region: str) -> None:
    assert as_region(text) == region
