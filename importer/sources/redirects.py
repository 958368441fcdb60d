"""Where a redirect leads, and when it is not followed."""

from __future__ import annotations

from cdi.base.faults import Fault
from importer.sources.url import HttpUrl, display_name, join_http_url

REDIRECT_LIMIT = 10
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def next_hop(current: HttpUrl, location: str, source: str) -> HttpUrl:
    """The URL after one redirect. Raises Fault RedirectRefused when it would give up https or leave http(s)."""
    try:
        hop = join_http_url(current, location)
    except Fault as fault:
        raise Fault("RedirectRefused", source=source, last=display_name(location)) from fault
    if current.scheme == "https" and hop.scheme == "http":
        raise Fault("RedirectRefused", source=source, last=display_name(str(hop)))
    return hop


def too_many_redirects(source: str, last: HttpUrl) -> Fault:
    return Fault("RedirectLoop", source=source, limit=REDIRECT_LIMIT, last=display_name(str(last)))
