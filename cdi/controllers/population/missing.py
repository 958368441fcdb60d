"""Something that a worker needs and that is not there: told, and asked for again, like what the API server refuses."""

from __future__ import annotations

from cdi.kube.errors import ApiError


class Missing(ApiError):
    @property
    def refused(self) -> bool:
        return True
