"""What a request carries besides its address: the user's headers and basic auth, and who may see them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from importer.sources import SourceSpec
from importer.sources.proxy import basic_authorization
from importer.sources.url import DEFAULT_PORTS, HttpUrl, Userinfo

Header = tuple[str, str]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What says how somebody asks and never who: these go along with a redirect to another host, as with curl. Of all others
# nobody knows what they are worth.
_PUBLIC = frozenset({"accept", "accept-language", "cache-control", "pragma", "referer", "user-agent"})
# These are the transport's own; a user's value would break framing or ask for other bytes than were planned.
_RESERVED = frozenset({"range", "if-range", "accept-encoding", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Headers for the origin of the user's URL only. ``notes`` name unusable lines by number, never by content."""

    headers: tuple[Header, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    public: tuple[Header, ...] = ()  # those of them that every host may see


def credentials_of(spec: SourceSpec, userinfo: Userinfo) -> Credentials:
    headers, notes = _read_lines(spec.headers, "header")
    secret, secret_notes = _read_lines(spec.secret_headers, "secret header")
    public = tuple(header for header in headers if header[0].lower() in _PUBLIC)
    headers += secret
    names = {name.lower() for name, _ in headers}
    authorization = _basic(spec, userinfo)
    if authorization and "authorization" not in names:
        headers.append(("Authorization", authorization))
    return Credentials(tuple(headers), tuple(notes + secret_notes), public)


def written_into(userinfo: Userinfo) -> tuple[Header, ...]:
    """What the userinfo of a redirect is for: curl and Go send it to the host beside it."""
    if not (userinfo.user or userinfo.password):
        return ()
    return (("Authorization", basic_authorization(userinfo.user, userinfo.password)),)


def withheld(given: tuple[Header, ...], sent: tuple[Header, ...]) -> tuple[str, ...]:
    """Names of the headers that were given and not sent."""
    return tuple(dict.fromkeys(name for name, value in given if (name, value) not in sent))


def _basic(spec: SourceSpec, userinfo: Userinfo) -> str:
    # A file that a Secret was made from ends with a newline more often than not. Blanks may be meant.
    user, password = spec.user.strip("\r\n"), spec.password.strip("\r\n")
    if user:
        return basic_authorization(user, password) if password else ""  # the contract: only both
    # Half of a pair in a URL is sent as it is, as curl and Go do: a token often stands for the user.
    return basic_authorization(userinfo.user, userinfo.password) if userinfo.user or userinfo.password else ""


def may_carry_credentials(start: HttpUrl, hop: HttpUrl) -> bool:
    """Credentials go to the origin the user named, and to its https twin when both use their default ports."""
    if hop.origin == start.origin:
        return True
    is_upgrade = (start.scheme, hop.scheme) == ("http", "https") and start.host == hop.host
    return is_upgrade and start.port == DEFAULT_PORTS["http"] and hop.port == DEFAULT_PORTS["https"]


def _read_lines(lines: tuple[str, ...], what: str) -> tuple[list[Header], list[str]]:
    headers: list[Header] = []
    notes: list[str] = []
    # A secret's file ends with a newline more often than not, and may hold several lines.
    flat = [line for text in lines for line in text.splitlines() if line.strip()]
    for number, line in enumerate(flat, start=1):
        name, colon, value = line.partition(":")
        if not colon and line.rstrip().endswith(";"):  # curl's way to write a header without a value
            name, colon = line.rstrip()[:-1], ":"
        name, value = name.strip(), value.strip()
        if not colon:
            notes.append(f"The {what} in line {number} has no ':' and was left out.")
        elif not _NAME.fullmatch(name) or _CONTROL.search(value):
            notes.append(f"The {what} in line {number} is not a valid header and was left out.")
        elif name.lower() in _RESERVED:
            notes.append(f"The {what} in line {number} is set by the importer itself and was left out.")
        else:
            headers.append((name, value))
    return headers, notes
