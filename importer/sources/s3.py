"""S3 sources: an HTTP source that reads by presigned URL and has it signed again before it expires.

              s3_url: which object        s3_access: which credentials
    S3Source ---------------------> S3Child ---pipe---> s3_signer (child): secret in, presigned URL out
        |                                                  |
        `--> HttpSource: ranged GETs <---- Address --------'   s3_errors: what a refusal means

The service is asked by those GETs only. An attempt that is refused costs one request, or two when the service says
that the bucket is in another region.
"""

from __future__ import annotations

from dataclasses import replace

from cdi.base.faults import Fault
from importer.sources import Body, Facts, Source, SourceSpec
from importer.sources.credentials import Header, credentials_of
from importer.sources.head import Fields
from importer.sources.http import Address, HttpSource
from importer.sources.s3_access import choose_access
from importer.sources.s3_child import S3Child, Unsigned
from importer.sources.s3_errors import fault_of, read_error
from importer.sources.s3_url import Addressing, S3Object, parse_s3_url
from importer.sources.url import Userinfo, parse_http_url

LIFETIME_S = 3600
_RENEW_AT = 0.8  # of the lifetime: a request sent just before the end must still arrive in time


def open_source(spec: SourceSpec) -> Source:
    return S3Source(spec)


class S3Source:
    """An object in S3 or in a server that speaks its protocol.

    ``spec.headers`` with names x-amz-* are part of the signature (``x-amz-request-payer: requester``, SSE-C keys).
    ``lifetime_s``: of a presigned URL, at most 604800.
    """

    def __init__(self, spec: SourceSpec, addressing: Addressing = "auto", lifetime_s: int = LIFETIME_S) -> None:
        self._object = parse_s3_url(spec.url, spec.region, spec.environ, addressing)
        self._access = choose_access(spec)
        self._child = S3Child(self._access, lifetime_s)
        credentials = credentials_of(replace(spec, user="", password=""), Userinfo())
        self._headers: tuple[Header, ...] = credentials.headers
        self._told_region = ""
        self.name = self._object.name
        self._http = HttpSource(spec, resolve=self._address, explain=self._explain, name=self.name)

    @property
    def object(self) -> S3Object:
        """What is read; after the probe with the region that the service named."""
        return self._object

    @property
    def trust_checksum(self) -> bool:
        return self._http.trust_checksum

    @trust_checksum.setter
    def trust_checksum(self, value: bool) -> None:
        self._http.trust_checksum = value

    @property
    def mixed(self) -> tuple[str, str] | None:
        return self._http.mixed

    def probe(self) -> Facts:
        try:
            return self._http.probe()
        except Fault:
            if self._told_region in ("", self._object.signing_region):
                raise
        self._object = self._object.in_region(self._told_region)
        return self._http.probe()

    def open(self, offset: int, length: int | None) -> Body:
        return self._http.open(offset, length)

    def interrupt(self) -> None:
        self._child.interrupt()
        self._http.interrupt()

    def close(self) -> None:
        self._http.close()

    def _address(self) -> Address:
        """Blocking while the child signs; HttpSource makes one call at a time."""
        if self._access.is_anonymous:
            return Address(parse_http_url(self._object.url())[0], self._headers)
        signed_headers = {name.lower(): value for name, value in self._headers if _is_signed(name)}
        signed = self._child.sign(Unsigned(self._object.url(), signed_headers, self._object.signing_region))
        return Address(parse_http_url(signed.url)[0], self._headers, signed.renew_s(_RENEW_AT))

    def _explain(self, status: int, headers: Fields, body: bytes) -> Fault:
        error = read_error(status, headers, body)
        self._told_region = error.region
        return fault_of(error, self._object, headers)


def _is_signed(name: str) -> bool:
    return name.lower().startswith("x-amz-")
