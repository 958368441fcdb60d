"""Signing upload tokens: what they are is in ``cdi.base.upload_permits``."""

from __future__ import annotations

import datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from cdi.base.upload_permits import UploadPermit
from cdi.trust import signatures


def upload_token(permit: UploadPermit, key: RSAPrivateKey, now: datetime.datetime) -> str:
    return signatures.signed(permit.claims, key, now)
