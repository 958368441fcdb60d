"""Upload tokens: signed statements that whoever shows one may upload to a claim. Contract: 5 minutes, PS256.

One token is shown many times: virtctl sends the same one with up to six requests.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.trust import signatures

_OPERATION = "Upload"
_RESOURCE = {"group": "", "version": "v1", "resource": "persistentvolumeclaims"}
_UID = "uid"


class OtherPurpose(Exception):
    """A token of ours, but none to upload to a claim with. The text says why."""


@dataclass(frozen=True, slots=True)
class UploadPermit:
    """``uid``: of the claim that had the name when the token was made; empty where there was none, or another program
    signed."""

    namespace: str
    name: str
    uid: str = ""

    def fits(self, uid: str) -> bool:
        """Whether it is for the claim of that namespace and name which has ``uid``, and for no former one."""
        return self.uid in ("", uid)


def upload_token(permit: UploadPermit, key: rsa.RSAPrivateKey, now: datetime.datetime) -> str:
    claims: dict[str, Any] = {
        "operation": _OPERATION,
        "namespace": permit.namespace,
        "name": permit.name,
        "resource": _RESOURCE,
    }
    # Ours, not the contract's: who does not know it takes the token all the same.
    params = {"params": {_UID: permit.uid}} if permit.uid else {}
    return signatures.signed(claims | params, key, now)


def upload_permit(token: str, key: rsa.RSAPublicKey) -> UploadPermit:
    """What it permits. Raises signatures.Unverified for what is no valid token of this key, and OtherPurpose."""
    said = signatures.verified(token, key)
    if said.get("operation") != _OPERATION:
        raise OtherPurpose("the token is not for an upload")
    if said.get("resource") != _RESOURCE:
        raise OtherPurpose("the token is not for a PersistentVolumeClaim")
    namespace, name = said.get("namespace"), said.get("name")
    if not (isinstance(namespace, str) and isinstance(name, str) and namespace and name):
        raise OtherPurpose("the token names no PersistentVolumeClaim")
    return UploadPermit(namespace, name, _uid(said.get("params")))


def _uid(params: object) -> str:
    if params is None:
        return ""
    uid = params.get(_UID, "") if isinstance(params, Mapping) else None
    if not isinstance(uid, str):
        raise OtherPurpose("the token's params are not those of an upload")
    return uid
