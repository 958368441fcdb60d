"""The paths of the contract, and to which of the upload server each leads. Pure."""

from __future__ import annotations

_KINDS = ("upload", "upload-async", "upload-form", "upload-form-async")
_VERSIONS = ("v1beta1", "v1alpha1")
PATHS = tuple(f"/{version}/{kind}" for version in _VERSIONS for kind in _KINDS)


def server_path(asked: str, *, is_archive: bool) -> str:
    """``asked``: one of ``PATHS``. An archive has one path, whatever was asked for: the claim says what it is."""
    version = asked.split("/")[1]
    return f"/{version}/upload-archive" if is_archive else asked
