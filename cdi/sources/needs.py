"""What a worker has to be given for its source, in a pod or on one machine: variables, keys of Secrets, files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cdi.base.wire.environment import CERTIFICATES, CREDENTIALS, ImportEnvironment
from cdi.sources.parameters import Parameters

LOGIN = ("accessKeyId", "secretKey")  # user and password
HEADERS = "/extraheaders"


@dataclass(frozen=True, slots=True)
class Key:
    """The value of a Secret's ``key`` in a ``variable``. ``secret``: its name."""

    variable: str
    secret: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Files:
    """A Secret or ConfigMap as a directory with one file per key. ``path``: where it is in a pod, whose volume of it
    is named ``volume``. ``variable``: which names ``file`` in it, or all of it; empty: the worker knows the place."""

    volume: str
    kind: str
    name: str
    path: str
    variable: str = ""
    file: str = ""

    def variables(self, path: str) -> dict[str, str]:
        """``path``: where the directory is."""
        return {self.variable: f"{path}/{self.file}" if self.file else path} if self.variable else {}


@dataclass(frozen=True, slots=True)
class Needs:
    """``told``: the part of its environment that is about the source. ``variables``: of this source only."""

    told: ImportEnvironment
    variables: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[Key, ...] = ()
    files: tuple[Files, ...] = ()


def of_no_bytes(asked: Parameters) -> Needs:
    """Whatever else is written on the claim."""
    return Needs(ImportEnvironment(source=asked.source, archive=asked.archive, preallocation=asked.preallocation))


def of_a_server(asked: Parameters, keys: Iterable[str] = LOGIN) -> Needs:
    """What it takes to fetch from anywhere: certificates, headers, and the ``keys`` of a Secret, of which user and
    password have to be there."""
    told = ImportEnvironment(
        source=asked.source,
        endpoint=asked.endpoint,
        archive=asked.archive,
        preallocation=asked.preallocation,
        checksum=asked.checksum,
        insecure=asked.insecure,
        headers=asked.headers,
    )
    named = [Key(CREDENTIALS[key], asked.secret, key, key not in LOGIN) for key in keys if asked.secret]
    return Needs(told, keys=tuple(named), files=(*_certificates(asked), *_headers(asked)))


def _certificates(asked: Parameters) -> Iterable[Files]:
    if asked.cert_config_map:
        yield Files("cdi-cert-vol", "ConfigMap", asked.cert_config_map, "/certs", variable=CERTIFICATES)


def _headers(asked: Parameters) -> Iterable[Files]:
    for index, name in enumerate(asked.secret_headers):
        yield Files(f"cdi-secret-extra-headers-vol-{index}", "Secret", name, f"{HEADERS}/{index}")
