"""Something that a worker needs and that is not there: told, and asked for again, like what the API server refuses."""

from __future__ import annotations

from cdi.controllers.settings import Settings
from cdi.kube.errors import ApiError


class Missing(ApiError):
    @property
    def refused(self) -> bool:
        return True


def no_authority(whom: str, error: Exception, settings: Settings) -> Missing:
    """``whom``: what is to have a certificate that nobody can sign."""
    text = (
        f"there is no authority that could sign for {whom}: {error}. Try: look at the log of deployment cdi-apiserver "
        f"in namespace {settings.namespace}, which makes it"
    )
    return Missing(404, "UploadAuthorityMissing", text)
