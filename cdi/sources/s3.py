"""An object in an S3 store."""

from __future__ import annotations

from collections.abc import Mapping

from cdi.api.datavolume import S3Source
from cdi.base.wire.environment import CREDENTIALS
from cdi.sources.kind import SourceKind
from cdi.sources.needs import Needs, of_a_server
from cdi.sources.parameters import Parameters


def _parameters(source: S3Source) -> Parameters:
    return Parameters("s3", endpoint=source.url, secret=source.secret_ref, cert_config_map=source.cert_config_map)


def _needs(asked: Parameters) -> Needs:
    """Its Secret may say more than user and password."""
    return of_a_server(asked, CREDENTIALS)


def _endpoint(url: str, environ: Mapping[str, str]) -> str:
    """Clusters know an object by its endpoint's URL, the bucket first in the path, and refuse ``s3://bucket/key``."""
    from importer.sources.s3_url import parse_s3_url

    return parse_s3_url(url, "", environ, "path").url()


SOURCE = SourceKind(S3Source, _parameters, _needs, url=_endpoint)
