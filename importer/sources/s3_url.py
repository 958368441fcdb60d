"""Which S3 object a URL names, and the URL that reads it.

Three forms are understood: ``s3://bucket/key``; an http(s) URL whose first path segment is the bucket (the Go CDI's
contract); and AWS's virtual-host form ``https://bucket.s3.region.amazonaws.com/key``. All are URLs: ``%20`` is a
space, ``+`` is a plus, a ``?`` of a key is written ``%3F``. The query may hold ``versionId``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

from cdi.base.faults import Fault
from importer.sources.url import HOST_LENGTH, display_name

Addressing = Literal["auto", "path", "virtual"]
DEFAULT_REGION = "us-east-1"  # what AWS's own clients and the usual servers take when nothing is said

# AWS's hosts: https://docs.aws.amazon.com/general/latest/gr/s3.html (dashed regions are the old form).
_AWS_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?P<flavour>-accelerate|-fips)?(?P<dualstack>\.dualstack)?"
    r"(?:[.-](?P<region>[a-z]{2,3}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?"
)
# Names that can be one label of a host; a dot in the name breaks the wildcard certificate of the service.
_HOST_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NO_CHARACTER = re.compile(r"[\ud800-\udfff]")  # a byte of an argument that is no UTF-8, or half of a character
_DOT_SEGMENT = re.compile(r"(?:^|/)\.\.?(?:/|$)")


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object. ``host``: service host with port, without the bucket. ``region``: empty when nothing says it."""

    scheme: str
    host: str
    bucket: str
    key: str
    region: str
    is_virtual: bool = False
    is_aws: bool = False
    version_id: str = ""

    @property
    def name(self) -> str:
        """For people: never an endpoint's userinfo and never a signature."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def signing_region(self) -> str:
        return self.region or DEFAULT_REGION

    def url(self, query: Mapping[str, str] | None = None) -> str:
        """The unsigned https URL. ``query``: parameters to sign along, such as x-amz-request-payer."""
        place = f"{self.bucket}.{self.host}/" if self.is_virtual else f"{self.host}/{quote(self.bucket, safe='')}/"
        parameters = {**({"versionId": self.version_id} if self.version_id else {}), **(query or {})}
        tail = f"?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else ""
        return f"{self.scheme}://{place}{quote(self.key, safe='/-_.~')}{tail}"

    def in_region(self, region: str) -> S3Object:
        """The same object after the service said where the bucket is. Only AWS has one host per region."""
        return replace(self, region=region, host=_aws_host(region) if self.is_aws else self.host)


def parse_s3_url(url: str, region: str, environ: Mapping[str, str], addressing: Addressing = "auto") -> S3Object:
    """The object that ``url`` names. Raises Fault SourceUrlInvalid."""
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises ValueError when it is no number
    except ValueError as error:
        raise _invalid(url, "host or port cannot be read") from error
    if len(parts.hostname or "") > HOST_LENGTH:
        raise _invalid(url, "the host is not a name that DNS can hold")
    region = region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    if parts.scheme == "s3":
        found = _of_bucket_url(url, parts, region, environ)
    elif parts.scheme in ("http", "https") and parts.hostname:
        found = _of_http_url(parts, region, addressing)
    else:
        raise _invalid(url, "an S3 object is s3://bucket/key or https://endpoint/bucket/key")
    found = replace(found, version_id=_version_id(url, parts.query))
    _check(url, found, parts.fragment)
    is_moved = addressing == "virtual" or (addressing == "auto" and parts.scheme == "s3" and found.is_aws)
    return _with_bucket_in_host(found) if is_moved else found


def as_region(text: str) -> str:
    """``text`` of a server's answer when it can be a region, else empty: it goes into host names."""
    return text if _REGION.fullmatch(text) else ""


def region_of_host(host: str) -> str:
    """The region that a host of AWS is in; empty for others. ``host``: of a server's answer, of any length."""
    found = _AWS_HOST.fullmatch(host.lower()) if len(host) <= HOST_LENGTH else None
    return (found and found["region"]) or ""


def _of_bucket_url(url: str, parts: SplitResult, region: str, environ: Mapping[str, str]) -> S3Object:
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    key = unquote(parts.path.removeprefix("/"))
    if not endpoint:
        return S3Object("https", _aws_host(region), parts.netloc, key, region, is_aws=True)
    try:
        at = urlsplit(endpoint)
    except ValueError as error:
        raise _invalid(url, f"its endpoint {display_name(endpoint)} is not an http or https URL") from error
    if at.scheme not in ("http", "https") or not at.hostname:
        raise _invalid(url, f"its endpoint {display_name(endpoint)} is not an http or https URL")
    return S3Object(at.scheme, _host_port(at), parts.netloc, key, region)


def _of_http_url(parts: SplitResult, region: str, addressing: Addressing) -> S3Object:
    host, path = _host_port(parts), unquote(parts.path.removeprefix("/"))
    aws = _AWS_HOST.fullmatch(parts.hostname or "")
    region = region or (aws and aws["region"]) or ""
    if aws and aws["bucket"]:
        service = host.removeprefix(f"{aws['bucket']}.")
        return S3Object(parts.scheme, service, aws["bucket"], path, region, True, _is_plain(aws))
    if addressing == "virtual" and not aws:
        bucket, _, service = host.partition(".")
        return S3Object(parts.scheme, service, bucket, path, region, True)
    bucket, _, key = path.partition("/")
    return S3Object(parts.scheme, host, bucket, key, region, is_aws=bool(aws) and _is_plain(aws))


def _is_plain(aws: re.Match[str] | None) -> bool:
    """Whether the host may be replaced by that of another region: accelerated or FIPS hosts were meant as they are."""
    return aws is not None and not aws["flavour"] and not aws["dualstack"]


def _with_bucket_in_host(found: S3Object) -> S3Object:
    """AWS wants the bucket in the host; other servers seldom have the DNS names for that."""
    return replace(found, is_virtual=found.is_virtual or _HOST_LABEL.fullmatch(found.bucket) is not None)


def _check(url: str, found: S3Object, fragment: str) -> None:
    if not found.bucket or not found.key:
        raise _invalid(url, f"it names no {'key' if found.bucket else 'bucket'}")
    if fragment:
        raise _invalid(url, "a # of a key must be written %23")
    # HTTP clients and servers on the way resolve such segments, and would ask for another object.
    if _DOT_SEGMENT.search(found.key) or found.bucket in (".", ".."):
        raise _invalid(url, "keys with . or .. as a segment cannot be read over HTTP")
    named = found.bucket + found.key + found.host
    if _CONTROL.search(named):
        raise _invalid(url, "it contains control characters")
    if _NO_CHARACTER.search(named + found.version_id):
        raise _invalid(url, "it is no UTF-8, as the names of objects are")


def _version_id(url: str, query: str) -> str:
    values = parse_qs(query, keep_blank_values=True)
    version = values.pop("versionId", [""])[0]
    if values:
        raise _invalid(url, "only versionId may follow the ?; a ? of a key must be written %3F")
    return version


def _host_port(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _aws_host(region: str) -> str:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"s3.{region or DEFAULT_REGION}.{suffix}"


def _invalid(url: str, cause: str) -> Fault:
    return Fault("SourceUrlInvalid", source=display_name(url), cause=cause)
