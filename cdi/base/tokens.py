"""What tells a signed statement of this installation from anything else: JSON web tokens of one RSA key (the contract:
PS256). Making them is ``cdi.trust``'s: servers in worker pods verify with this, and can sign nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

ISSUER, EXTENDED = "cdi-apiserver", "cdi-deployment"
ALGORITHM = "PS256"
_LEEWAY_S = 10  # the contract's
_LONGEST = 8192  # characters; ours have less than 1,000


class Unverified(Exception):
    """No token of this key and these issuers, or none that is valid now. The text says why and quotes nothing of it."""


def public_key(pem: bytes) -> RSAPublicKey:
    """Raises ValueError for what is no RSA key."""
    loaded = serialization.load_pem_public_key(pem)
    if not isinstance(loaded, RSAPublicKey):
        raise ValueError("no RSA key")
    return loaded


def verified(token: str, key: RSAPublicKey, issuers: Sequence[str] = (ISSUER,)) -> dict[str, Any]:
    """Its claims. Raises Unverified for whatever else anybody may send."""
    if len(token) > _LONGEST:
        raise Unverified(f"the token has more than {_LONGEST} characters")
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
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
