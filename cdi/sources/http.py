"""A file on a web server."""

from __future__ import annotations

from cdi.api.datavolume import HttpSource
from cdi.sources.kind import SourceKind
from cdi.sources.needs import of_a_server
from cdi.sources.parameters import Parameters


def _parameters(source: HttpSource) -> Parameters:
    return Parameters(
        "http",
        endpoint=source.url,
        secret=source.secret_ref,
        cert_config_map=source.cert_config_map,
        checksum=source.checksum,
        insecure=bool(source.insecure_skip_verify),
        headers=tuple(source.extra_headers),
        secret_headers=tuple(source.secret_extra_headers),
    )


SOURCE = SourceKind(HttpSource, _parameters, of_a_server, may_skip_verification=True)
