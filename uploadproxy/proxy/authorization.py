"""Who may upload to what: the token of a request. Nothing of it gets into an answer or a log. Pure."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cdi.base import upload_permits
from cdi.base.faults import Fault
from cdi.base.upload_permits import UploadPermit
from uploadproxy.proxy.refusal import Refusal

_STATUS = {"UploadTokenRefused": 401}


def permitted(header: str, key: RSAPublicKey) -> UploadPermit:
    """``header``: Authorization, ``""`` where there is none. Raises Refusal."""
    try:
        return upload_permits.permitted(header, key)
    except Fault as fault:
        raise Refusal(_STATUS.get(fault.code, 400), fault) from None
