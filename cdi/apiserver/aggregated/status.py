"""``Status``: how an API server says no."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class Refusal(Exception):
    """What is answered instead of what was asked for. ``causes``: fields that are wrong, each with what is wrong."""

    def __init__(self, code: int, message: str, causes: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.causes = tuple(causes)

    def document(self) -> bytes:
        found = [{"reason": "FieldValueInvalid", "message": text, "field": field} for field, text in self.causes]
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": _REASONS[self.code],
            **({"details": {"causes": found}} if found else {}),
            "code": self.code,
        }
        return msgspec.json.encode(status)
