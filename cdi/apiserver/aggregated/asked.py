"""What is asked for: an UploadTokenRequest, from bytes that anybody may have written. Pure."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct, field

from cdi.api.uploadtoken import KIND, UploadTokenRequestSpec
from cdi.apiserver.aggregated.discovery import GROUP_VERSION
from cdi.apiserver.aggregated.status import Refusal
from cdi.base.printable import excerpt
from cdi.kube.decoding import read
from cdi.kube.errors import Unreadable

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_CLAIM = re.compile(rf"{_LABEL}(\.{_LABEL})*")


class Asked(Struct, rename="camel"):
    """``metadata`` goes back as it came: nothing is stored."""

    api_version: str = GROUP_VERSION
    kind: str = KIND
    metadata: dict[str, Any] = {}
    spec: UploadTokenRequestSpec = field(default_factory=UploadTokenRequestSpec)


def asked_for(body: bytes, namespace: str) -> Asked:
    """Raises Refusal. Its claim's name is one that a claim can have."""
    try:
        asked = read(Asked, body, f"the body is no {KIND}")
    except Unreadable as error:
        raise Refusal(400, excerpt(str(error), 500)) from error
    if (asked.api_version, asked.kind) != (GROUP_VERSION, KIND):
        found = excerpt(f"{asked.api_version}, kind {asked.kind}")
        raise Refusal(400, f"the body is a {found}, and {GROUP_VERSION}, kind {KIND} can be created here")
    if asked.metadata.get("namespace", namespace) not in ("", namespace):
        raise Refusal(400, "the namespace of the object is not the one of the request: leave it out, or ask there")
    _check(asked.spec.pvc_name)
    return asked


def check_namespace(namespace: str) -> None:
    """Raises Refusal."""
    if len(namespace) > 63 or not _NAMESPACE.fullmatch(namespace):
        raise Refusal(404, f'namespaces "{excerpt(namespace)}" not found: no namespace can have this name')


def _check(name: str) -> None:
    if not name:
        text = "Required value: the PersistentVolumeClaim that is uploaded to"
    elif len(name) > 253 or not _CLAIM.fullmatch(name):
        text = f'Invalid value: "{excerpt(name)}": no PersistentVolumeClaim can have this name'
    else:
        return
    raise Refusal(422, f"{KIND} is invalid: spec.pvcName: {text}", [("spec.pvcName", text)])
