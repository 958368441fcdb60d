"""Who may upload to what: the token of a request. Nothing of it gets into an answer or a log. Pure."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cdi.base.faults import Fault
from cdi.trust.signatures import Unverified
from cdi.trust.upload_tokens import OtherPurpose, UploadPermit, upload_permit
from uploadproxy.proxy.refusal import Refusal

_BEARER = re.compile(r"bearer\s+([a-z0-9._~+/-]+)", re.IGNORECASE | re.ASCII)
# Of a namespace and of a claim. A name that is none would lead elsewhere in the API's paths.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


def permitted(header: str, key: RSAPublicKey) -> UploadPermit:
    """``header``: Authorization, ``""`` where there is none. Raises Refusal."""
    found = _BEARER.fullmatch(header)
    if found is None:
        raise Refusal(400, Fault("UploadTokenMissing"))
    try:
        permit = upload_permit(found[1], key)
    except Unverified as why:
        raise Refusal(401, Fault("UploadTokenRefused", why=why)) from None
    except OtherPurpose as why:
        raise Refusal(400, Fault("UploadTokenUnfit", why=why)) from None
    if not (_NAME.fullmatch(permit.namespace) and _NAME.fullmatch(permit.name)):
        raise Refusal(400, Fault("UploadTokenUnfit", why="the token names no PersistentVolumeClaim"))
    return permit
