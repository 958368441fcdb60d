"""What S3's refusals mean: pure decisions over status, headers and the XML error document.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass

from cdi.base.faults import Fault
from importer.sources.answers import retry_after_seconds
from importer.sources.head import Fields
from importer.sources.s3_url import S3Object, as_region, region_of_host

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
# RequestTimeout is a 400. The others are 5xx on AWS, but some servers pick another status.
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted"})
_PASSING_STATUSES = frozenset({408, 425, 429})
_REGION_CODES = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"}) | frozenset(
    {"IllegalLocationConstraintException", "InvalidRegionName", "InvalidLocationConstraint"}
)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXPECTING = re.compile(r"expecting '([A-Za-z0-9-]{1,64})'")
_NAME_THE_REGION = "name the region of the bucket with --region (in a secret: the key region); if it is right, "
_ABSENT_CODES = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion"})


@dataclass(frozen=True, slots=True)
class S3Error:
    """``region``: where the service says the bucket is, else empty."""

    status: int
    code: str
    message: str
    region: str

    @property
    def passes(self) -> bool:
        is_passing = (self.status >= 500 and self.status != 501) or self.status in _PASSING_STATUSES
        return is_passing or self.code in _PASSING_CODES

    @property
    def is_of_region(self) -> bool:
        """Asked in the wrong region: the service does not always say which one is right."""
        return self.code in _REGION_CODES or self.status in _REDIRECTS

    @property
    def is_absent(self) -> bool:
        return self.code in _ABSENT_CODES or (self.status == 404 and self.code == "HTTP 404")


def read_error(status: int, headers: Fields, body: bytes) -> S3Error:
    """Never raises: a proxy's page or an empty body is an error with the code ``HTTP <status>``."""
    text = body.decode("utf-8", "replace")
    code = _element(text, "Code") or f"HTTP {status}"
    message = _element(text, "Message") or "the answer says no more"
    told = headers.get("x-amz-bucket-region") or _element(text, "Region") or _expected(message)
    region = as_region(told) or region_of_host(_element(text, "Endpoint"))
    return S3Error(status, code, message.rstrip("."), region)


def fault_of(error: S3Error, target: S3Object, headers: Fields) -> Fault:
    values: dict[str, object] = {
        "bucket": target.bucket,
        "key": target.key,
        "region": target.signing_region,
        "s3code": error.code,
        "cause": error.message,
        "advice": _NAME_THE_REGION if error.is_of_region else "",
    }
    wait_s = retry_after_seconds(headers.get("Retry-After"), time.time())
    if wait_s is not None:
        values["retry_after_s"] = wait_s
    return Fault(_code_of(error), contract="", **values)


def _code_of(error: S3Error) -> str:
    if error.passes:
        return "S3Unavailable"
    return "S3NotFound" if error.is_absent else "S3Refused"


def _expected(message: str) -> str:
    found = _EXPECTING.search(message)
    return found[1] if found else ""


def _element(text: str, name: str) -> str:
    # Not a parser: the document is flat, may be cut at 16 KiB, and comes from a server nobody vouches for.
    match = re.search(rf"<{name}>([^<]{{1,500}})</{name}>", text)
    return _UNPRINTABLE.sub(" ", html.unescape(match[1])).strip()[:200] if match else ""
