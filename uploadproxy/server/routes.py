"""What is served, and how: the table of the server's endpoints."""

from __future__ import annotations

from dataclasses import dataclass

HEALTH = "/healthz"
# That of cdi.base.wire.extents.frames, which costs 2 MiB where no sparse stream comes.
SPARSE = "application/vnd.cdi.extents.v1"
SESSIONS = "/v1beta1/upload/sessions"  # ours: docs/uploads.md
CLONES = "/clone/v1/"  # ours: see ``cdi.base.wire.cloning``
_PREFIXES = ("/v1beta1", "/v1alpha1")


@dataclass(frozen=True, slots=True)
class Upload:
    """``form``: the body is a form that holds the file. ``archive``: it is unpacked into the volume. ``asynchronous``:
    answered when all bytes have come and are good; what is left to do then is told by the process's end."""

    form: bool = False
    archive: bool = False
    asynchronous: bool = False


_ENDPOINTS = {
    "/upload": Upload(),
    "/upload-async": Upload(asynchronous=True),
    "/upload-archive": Upload(archive=True),
    "/upload-form": Upload(form=True),
    "/upload-form-async": Upload(form=True, asynchronous=True),
}
UPLOADS = {prefix + path: upload for prefix in _PREFIXES for path, upload in _ENDPOINTS.items()}
