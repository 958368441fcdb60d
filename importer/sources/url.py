"""URLs of sources: split once, checked once, and shown to people without anything secret."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from cdi.base.faults import Fault
from cdi.base.printable import excerpt, one_line

DEFAULT_PORTS = {"http": 80, "https": 443}
# What RFC 3986 allows in path and query; "%" stays, so that an already encoded URL is not encoded twice.
_TARGET_SAFE = "%/:?#[]@!$&'()*+,;=~-._"
# What signing adds to a query: S3 and what speaks its protocol, Google, CloudFront. It names no other file, and is
# another one the next time. Azure's names (se, sp, st) are too short to be sure of.
_SIGNED = re.compile(
    r"(x-amz-|x-goog-).*|(aws|google|oss)access(key)?id|key-pair-id|policy|signature|expires", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HALF = re.compile(r"[\ud800-\udc7f\udd00-\udfff]")
_LENGTH = 32 * 1024  # characters of a URL; servers take 8 KiB or so
_SHOWN_LENGTH = 300
HOST_LENGTH = 253  # characters of a name in DNS (RFC 1035, 2.3.4)


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An http or https URL. ``host`` without brackets, in lower case; ``target`` is path and query, encoded."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """As it goes into ``Host:``: the default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


@dataclass(frozen=True, slots=True)
class Userinfo:
    user: str = ""
    password: str = ""


def display_name(url: str) -> str:
    """``url`` without userinfo, query and fragment, fit for logs and messages. Never raises, whatever it is given."""
    if "://" in url:
        scheme, _, rest = url.partition("://")
        place = re.split(r"[?#]", rest, maxsplit=1)[0]
        authority, slash, path = place.partition("/")
        url = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    return one_line(_CONTROL.sub("?", excerpt(url, _SHOWN_LENGTH)))


def sent(text: str) -> bytes:
    """What goes to a server for ``text``. Bytes of an argument, the environment or a file that are no UTF-8 come as
    U+DC80 to U+DCFF (PEP 383) and are sent as they were; any other half of a character is replaced."""
    return _HALF.sub("\ufffd", text).encode(errors="surrogateescape")


def resource_of(url: str) -> str:
    """What ``url``, or a path, names on whatever host: a hash of path and query, less a signature. Never raises.

    Equal for a mirror with the same tree, and for a URL that was signed again.
    """
    _, is_url, rest = url.partition("://")
    if is_url:
        place, _, query = rest.partition("#")[0].partition("?")
        kept = (part for part in query.split("&") if not _SIGNED.fullmatch(part.partition("=")[0]))
        url = f"{place.partition('/')[2]}?{'&'.join(kept)}"
    return hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()[:16]


def parse_http_url(url: str) -> tuple[HttpUrl, Userinfo]:
    """The URL and the credentials written into it. Raises Fault SourceUrlInvalid."""
    text = url.strip()
    if len(text) > _LENGTH:
        raise _invalid(url, f"it is longer than {_LENGTH:,} characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _invalid(url, "host or port cannot be read") from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise _invalid(url, f"the scheme {scheme or '(none)'} is not http or https")
    if not parts.hostname:
        raise _invalid(url, "the host is missing")
    if _CONTROL.search(text):
        raise _invalid(url, "it contains control characters")
    userinfo = Userinfo(unquote(parts.username or ""), unquote(parts.password or ""))
    path = quote(sent(parts.path or "/"), safe=_TARGET_SAFE)
    query = f"?{quote(sent(parts.query), safe=_TARGET_SAFE)}" if parts.query else ""
    return HttpUrl(scheme, _ascii_host(url, parts.hostname), port or DEFAULT_PORTS[scheme], path + query), userinfo


def join_http_url(base: HttpUrl, location: str) -> HttpUrl:
    """Where ``Location: location`` of an answer from ``base`` leads. Raises Fault SourceUrlInvalid."""
    return parse_http_url(_joined(base, location))[0]


def userinfo_of(base: HttpUrl, location: str) -> Userinfo:
    """The credentials written into a Location. Raises Fault SourceUrlInvalid."""
    return parse_http_url(_joined(base, location))[1]


def _joined(base: HttpUrl, location: str) -> str:
    # Header bytes come as latin-1; servers that do not encode their Location send UTF-8.
    with contextlib.suppress(UnicodeError):
        location = location.encode("latin-1").decode("utf-8")
    try:
        return urljoin(str(base), location[: _LENGTH + 1].strip())
    except ValueError as error:
        raise _invalid(location, "host or port cannot be read") from error


def _ascii_host(url: str, host: str) -> str:
    if len(host) > HOST_LENGTH:
        raise _invalid(url, "the host is not a name that DNS can hold")
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _invalid(url, "the host is not a name that DNS can hold") from error
    if " " in name or name.startswith("."):
        raise _invalid(url, "the host is not a name that DNS can hold")
    return name


def _invalid(url: str, cause: str) -> Fault:
    return Fault("SourceUrlInvalid", source=display_name(url), cause=cause)
