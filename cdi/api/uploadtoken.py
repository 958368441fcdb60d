"""UploadTokenRequest, ``upload.cdi.kubevirt.io/v1beta1``: served by the aggregated API, created only, never stored."""

from __future__ import annotations

from msgspec import Struct, field

from cdi.api.datavolume import ObjectMeta

GROUP, VERSION = "upload.cdi.kubevirt.io", "v1beta1"
KIND = "UploadTokenRequest"
SINGULAR, PLURAL = "uploadtokenrequest", "uploadtokenrequests"
SHORT = ("utr", "utrs")


class UploadTokenRequestSpec(Struct, rename="camel", omit_defaults=True):
    pvc_name: str = ""
    """The claim that is uploaded to, in the namespace of the request."""


class UploadTokenRequestStatus(Struct, rename="camel", omit_defaults=True):
    token: str = ""
    """What the upload proxy takes as a bearer token. It is good for five minutes."""
    server_authorities: str = ""
    """PEM certificates of who signs for upload servers: whoever speaks with one past the upload proxy knows it by
    these."""


class UploadTokenRequest(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """UploadTokenRequest asks for a token to upload to a claim."""

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = KIND
    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: UploadTokenRequestSpec = field(default_factory=UploadTokenRequestSpec)
    """What the token is for."""
    status: UploadTokenRequestStatus = field(default_factory=UploadTokenRequestStatus)
    """The token."""
