"""Signed statements: JSON web tokens of one RSA key (the contract: PS256). What is stated is known elsewhere.

Imports neither the client of Kubernetes nor msgspec: servers in worker pods verify with it too.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER, EXTENDED = "cdi-apiserver", "cdi-deployment"
LIFE = datetime.timedelta(minutes=5)
LASTING = datetime.timedelta(days=3650)  # the contract's ten years, of what a controller signs
_ALGORITHM = "PS256"
_LEEWAY_S = 10  # the contract's
_LONGEST = 8192  # characters; ours have less than 1,000


class Unverified(Exception):
    """No token of this key and these issuers, or none that is valid now. The text says why and quotes nothing of it."""


def private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """Raises ValueError for what is no RSA key."""
    loaded = serialization.load_pem_private_key(pem, None)
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ValueError("no RSA key")
    return loaded


def public_key(pem: bytes) -> rsa.RSAPublicKey:
    """Raises ValueError for what is no RSA key."""
    loaded = serialization.load_pem_public_key(pem)
    if not isinstance(loaded, rsa.RSAPublicKey):
        raise ValueError("no RSA key")
    return loaded


def signed(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, now: datetime.datetime, *, issuer: str = ISSUER) -> str:
    """A token of ours, valid from ``now`` on: for ``LIFE``, or, of issuer ``EXTENDED``, for ``LASTING``."""
    life = LASTING if issuer == EXTENDED else LIFE
    times = {"iss": issuer, "iat": now, "nbf": now, "exp": now + life}
    return jwt.encode(times | dict(claims), key, algorithm=_ALGORITHM)


def verified(token: str, key: rsa.RSAPublicKey, issuers: Sequence[str] = (ISSUER,)) -> dict[str, Any]:
    """Its claims. Raises Unverified for whatever else anybody may send."""
    if len(token) > _LONGEST:
        raise Unverified(f"the token has more than {_LONGEST} characters")
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            issuer=list(issuers),
            leeway=_LEEWAY_S,
            options={"require": ["exp", "nbf", "iss"]},
        )
    except jwt.ExpiredSignatureError:
        raise Unverified("the token has expired: ask for a new one, each is good for five minutes") from None
    except jwt.ImmatureSignatureError:
        raise Unverified("the token is not valid yet: a clock here or where it was made is wrong") from None
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Unverified("the token is none that this installation has signed") from None
