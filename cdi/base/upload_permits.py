"""Upload tokens: signed statements that whoever shows one may upload to a claim. Contract: 5 minutes, PS256.

One token is shown many times: virtctl sends the same one with up to six requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cdi.base import tokens
from cdi.base.faults import Fault

_OPERATION = "Upload"
_RESOURCE = {"group": "", "version": "v1", "resource": "persistentvolumeclaims"}
_UID = "uid"
_BEARER = re.compile(r"bearer\s+([a-z0-9._~+/-]+)", re.IGNORECASE | re.ASCII)
# Of a namespace and of a claim. A name that is none would lead elsewhere in the API's paths.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


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

    @property
    def claims(self) -> dict[str, Any]:
        """What a token states."""
        said = {"operation": _OPERATION, "namespace": self.namespace, "name": self.name, "resource": _RESOURCE}
        # Ours, not the contract's: who does not know it takes the token all the same.
        return said | ({"params": {_UID: self.uid}} if self.uid else {})


def upload_permit(token: str, key: RSAPublicKey) -> UploadPermit:
    """What it permits. Raises tokens.Unverified for what is no valid token of this key, and OtherPurpose."""
    said = tokens.verified(token, key)
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


def permitted(header: str, key: RSAPublicKey) -> UploadPermit:
    """``header``: Authorization, ``""`` where there is none. Raises Fault UploadTokenMissing, UploadTokenRefused,
    UploadTokenUnfit, which quote nothing of it."""
    found = _BEARER.fullmatch(header)
    if found is None:
        raise Fault("UploadTokenMissing")
    try:
        permit = upload_permit(found[1], key)
    except tokens.Unverified as why:
        raise Fault("UploadTokenRefused", why=why) from None
    except OtherPurpose as why:
        raise Fault("UploadTokenUnfit", why=why) from None
    if not (_NAME.fullmatch(permit.namespace) and _NAME.fullmatch(permit.name)):
        raise Fault("UploadTokenUnfit", why="the token names no PersistentVolumeClaim")
    return permit
