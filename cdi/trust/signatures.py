"""Signing: JSON web tokens of one RSA key, which ``cdi.base.tokens`` tells from all others. What is stated is known
elsewhere."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.base.tokens import ALGORITHM, EXTENDED, ISSUER

LIFE = datetime.timedelta(minutes=5)
LASTING = datetime.timedelta(days=3650)  # the contract's ten years, of what a controller signs


def private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """Raises ValueError for what is no RSA key."""
    loaded = serialization.load_pem_private_key(pem, None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ValueError("no RSA key")
    return loaded


def signed(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, now: datetime.datetime, *, issuer: str = ISSUER) -> str:
    """A token of ours, valid from ``now`` on: for ``LIFE``, or, of issuer ``EXTENDED``, for ``LASTING``."""
    life = LASTING if issuer == EXTENDED else LIFE
    times = {"iss": issuer, "iat": now, "nbf": now, "exp": now + life}
    return jwt.encode(times | dict(claims), key, algorithm=ALGORITHM)
