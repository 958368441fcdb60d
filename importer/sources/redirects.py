"""Where a redirect leads, and when it is not followed."""

from __future__ import annotations

from cdi.base.faults import Fault
from importer.sources.url import HttpUrl, display_name, join_http_url

REDIRECT_LIMIT = 10
# Those with which curl follows a Location as well, and that say where the content is (RFC 9110, 15.4).
REDIRECT_STATUSES = frozenset({300, 301, 302, 303, 307, 308})


def next_hop(current: HttpUrl, location: str, source: str) -> HttpUrl:
    """The URL after one redirect. Raises Fault RedirectRefused when it would give up https or leave http(s), or leads
    nowhere."""
    try:
        hop = join_http_url(current, location)
    except Fault as fault:
        cause = str(fault.values["cause"])
        raise Fault("RedirectRefused", source=source, last=display_name(location), cause=cause) from fault
    if current.scheme == "https" and hop.scheme == "http":
        cause = "that would give up the encryption that was asked for"
        raise Fault("RedirectRefused", source=source, last=display_name(str(hop)), cause=cause)
    return hop


def too_many_redirects(source: str, last: HttpUrl) -> Fault:
    return Fault("RedirectLoop", source=source, limit=REDIRECT_LIMIT, last=display_name(str(last)))
