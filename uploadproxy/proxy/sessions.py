"""Paths and headers of upload sessions (docs/uploads.md). An id in a path is a secret: it is passed on, never logged.
Pure."""

from __future__ import annotations

import re

from aiohttp import web

from cdi.base.faults import Fault
from cdi.base.printable import excerpt
from cdi.base.upload_permits import UploadPermit
from uploadproxy.proxy.refusal import Refusal

SESSIONS = "/v1beta1/upload/sessions"
LOCATION = SESSIONS + "/{place:.+}"
_LOCATION = re.compile(
    SESSIONS + r"/([a-z0-9][a-z0-9.-]{0,252})/([a-z0-9][a-z0-9.-]{0,252})/([A-Za-z0-9-]{1,64})/[A-Za-z0-9_-]{1,64}",
    re.ASCII,
)
_ABOUT = {
    "Tus-Version": "1.0.0",
    "Tus-Extension": "creation,creation-defer-length,checksum,termination",
    "Tus-Checksum-Algorithm": "sha1,sha256,sha512",
}
_EXPOSED = (
    *("Location", "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Checksum-Algorithm"),
    *("Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Cdi-Fault"),
)
# What tells that there is such a claim, to whoever has only guessed.
_TELLING = ("UploadClaimMissing", "UploadTokenOutdated", "UploadUnasked", "UploadFinished", "UploadContentUnknown")


def claim_in(path: str) -> UploadPermit:
    """Of a session's location: its claim. Raises Refusal."""
    found = _LOCATION.fullmatch(path)
    if found is None:
        raise unknown()
    return UploadPermit(found[1], found[2], found[3])


def unknown() -> Refusal:
    return Refusal(404, Fault("UploadSessionUnknown"))


def tells_too_much(refusal: Refusal) -> bool:
    return refusal.fault.code in _TELLING


def about() -> web.Response:
    return web.Response(status=204, headers=_ABOUT)


def shown(path: str) -> str:
    """For logs and answers."""
    return f"{SESSIONS}/..." if path.startswith(f"{SESSIONS}/") else excerpt(path)


async def expose(request: web.Request, response: web.StreamResponse) -> None:
    """What a page has to read of every answer, also of those that come from here."""
    if request.path == SESSIONS or request.path.startswith(f"{SESSIONS}/"):
        response.headers.setdefault("Tus-Resumable", "1.0.0")
        if "Origin" in request.headers:
            response.headers["Access-Control-Expose-Headers"] = ", ".join(_EXPOSED)
