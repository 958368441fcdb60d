"""What an API server answers when it does not do what was asked, by kind of recovery."""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from cdi.base.printable import excerpt

LONGEST_PEACE_S = 60.0  # whatever a server or a proxy asks for: nobody would notice that it is well again


class Cause(Struct, rename="camel", frozen=True):
    """One entry of ``Status.details.causes``: the field that is wrong, or the manager that owns it."""

    reason: str = ""
    message: str = ""
    field: str = ""


class ApiError(Exception):
    """An answer that is no success. ``status`` is the HTTP status, 0 when there was no answer at all.

    ``transient``: the same request may succeed later. ``retry_after_s``: how long the server asks to be left alone, at
    most ``LONGEST_PEACE_S``.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        causes: tuple[Cause, ...] = (),
        *,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after_s = retry_after_s

    @property
    def transient(self) -> bool:
        return self.status == 0 or self.status >= 500

    @property
    def refused(self) -> bool:
        """A rule of the cluster is in the way, which people have to learn of: a quota, a policy, a webhook; also one
        that refuses without a code (400), or that is broken (500, "failed calling webhook")."""
        return self.status in (400, 403, 422) or (self.status == 500 and "webhook" in self.message)


class BadRequest(ApiError):
    """400: we sent nonsense."""


class Unauthorized(ApiError):
    """401: the credentials are not accepted (any more)."""


class Forbidden(ApiError):
    """403: RBAC, quota, or an admission webhook refused it."""


class NotFound(ApiError):
    """404: no such object, or the server does not know the kind."""


class AlreadyExists(ApiError):
    """409: another object has the name."""


class NotOurs(ApiError):
    """409, as we say it: an object has the name that we need, and belongs to somebody else."""


class Conflict(ApiError):
    """409: the object changed since it was read, or another field manager owns a field. Read again, decide again."""

    @property
    def transient(self) -> bool:
        return True


class Gone(ApiError):
    """410: the resourceVersion is older than what the server remembers. List again."""


class Invalid(ApiError):
    """422: the object breaks a rule of its kind; ``causes`` name the fields."""


class TooManyRequests(ApiError):
    """429: the server sheds load, or a disruption budget holds."""

    @property
    def transient(self) -> bool:
        return True


class Unreachable(ApiError):
    """No answer: refused, timed out, broken off, TLS failed. Whether a write happened is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "Unreachable", message)


class Untrusted(Unreachable):
    """Something answers, and its certificate is not the API server's: of another authority, or for another name."""


class Unreadable(ApiError):
    """The answer is no JSON of the expected type: something else than an API server answered, or our type is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(200, "Unreadable", message)


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


class _Details(Struct, rename="camel"):
    causes: list[Cause] = []
    retry_after_seconds: int = 0


class _Status(Struct, rename="camel"):
    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = field(default_factory=_Details)


_MESSAGE = 4096  # characters; a webhook of somebody may say more
_decoder = msgspec.json.Decoder(_Status)


def from_answer(status: int, body: bytes, retry_after: str = "") -> ApiError:
    """The error for a ``Status`` document, or for whatever a proxy on the way answered instead.

    ``status`` 0: take the document's own code, as events of type ``ERROR`` in a watch carry it.
    """
    try:
        answer = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = _Status(message=body[:200].decode(errors="replace").strip())
    code = status or answer.code
    details = answer.details or _Details()
    wait = _peace_s(retry_after, details.retry_after_seconds)
    kind = AlreadyExists if answer.reason == "AlreadyExists" else _BY_STATUS.get(code, ApiError)
    message = excerpt(answer.message, _MESSAGE) or f"the API server answered {code}"
    return kind(code, answer.reason, message, tuple(details.causes), retry_after_s=wait)


def _peace_s(header: str, seconds: int) -> float:
    """``header``: Retry-After, in seconds; a date there, as some proxies write it, says no more than nothing does."""
    if header.isascii() and header.isdigit():
        seconds = int(header) if len(header) < 10 else int(LONGEST_PEACE_S)
    return float(min(max(seconds, 0), LONGEST_PEACE_S))
