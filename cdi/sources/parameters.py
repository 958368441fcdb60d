"""What an import is told, and how that is written into the annotations of a claim. Pure.

A worker pod is always made from the annotations of the claim it writes to: users put them on a plain claim, the
DataVolume's controller on the claim of the direct way, and we on the PVC' of the populators' way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from cdi.api.datavolume import DataVolumeSource, HttpSource
from cdi.api.populators import ImportSource
from cdi.contract import annotations as a

WORKED_ON = ("http", "s3", "none")
_KNOWN = ("http", "s3", "gcs", "glance", "none", "registry", "imageio", "vddk")


@dataclass(frozen=True, slots=True)
class Parameters:
    """``source``: the contract's word (``none`` is blank). ``secret_headers``: names of Secrets."""

    source: str
    endpoint: str = ""
    secret: str = ""
    cert_config_map: str = ""
    checksum: str = ""
    insecure: bool = False
    headers: tuple[str, ...] = ()
    secret_headers: tuple[str, ...] = ()
    archive: bool = False
    preallocation: bool = False

    @property
    def digest(self) -> str:
        """Tells whether a worker, or a failure, is of these parameters.

        Workers and failures outlive this version of the controller: what was always hashed is hashed for ever, and a
        member that came later only where it says something. Else an upgrade would start every running import anew.
        """
        defaults = {item.name: item.default for item in fields(self)}
        said = {
            name: value for name, value in asdict(self).items() if name in _HASHED_ALWAYS or value != defaults[name]
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


# The members of the first version.
_HASHED_ALWAYS = frozenset(
    (
        "source",
        "endpoint",
        "secret",
        "cert_config_map",
        "checksum",
        "insecure",
        "headers",
        "secret_headers",
        "archive",
        "preallocation",
    )
)


def parameters_of(annotations: Mapping[str, str]) -> Parameters | None:
    """None: the claim asks for no import."""
    if a.SOURCE not in annotations and a.ENDPOINT not in annotations:
        return None
    kind = annotations.get(a.SOURCE, "")
    source = kind if kind in _KNOWN else "http"
    return Parameters(
        source=source,
        endpoint=annotations.get(a.ENDPOINT, ""),
        secret=annotations.get(a.SECRET, ""),
        cert_config_map=annotations.get(a.CERT_CONFIG_MAP, ""),
        checksum=annotations.get(a.CHECKSUM, ""),
        insecure=source in ("http", "imageio") and annotations.get(a.INSECURE) == "true",
        headers=_numbered(annotations, a.EXTRA_HEADERS),
        secret_headers=_numbered(annotations, a.SECRET_EXTRA_HEADERS),
        archive=annotations.get(a.CONTENT_TYPE) == "archive",
        preallocation=annotations.get(a.PREALLOCATION_REQUESTED) == "true",
    )


def _numbered(annotations: Mapping[str, str], prefix: str) -> tuple[str, ...]:
    """In the order of the numbers, not of the map: headers may repeat, and the last one wins with some servers."""
    keys = (key for key in annotations if key.startswith(prefix))
    return tuple(annotations[key] for key in sorted(keys, key=lambda key: (len(key), key)) if annotations[key])


def source_annotations(source: DataVolumeSource | ImportSource) -> dict[str, str]:
    """The annotations that ask for the import of ``source``; empty for what is no import."""
    if source.blank is not None:
        return {a.SOURCE: "none"}
    if source.http is not None:
        return _remote("http", source.http.url, source.http.secret_ref, source.http.cert_config_map) | _http(
            source.http
        )
    if source.s3 is not None:
        return _remote("s3", source.s3.url, source.s3.secret_ref, source.s3.cert_config_map)
    return {}


def asked_of(source: DataVolumeSource | ImportSource, annotations: Mapping[str, str]) -> dict[str, str]:
    """What asks for the import of ``source``. A checksum among the ``annotations`` of its volume serves any source."""
    said = annotations.get(a.CHECKSUM)
    return ({a.CHECKSUM: said} if said else {}) | source_annotations(source)


def _remote(kind: str, url: str, secret: str | None, certificates: str | None) -> dict[str, str]:
    named = {a.SOURCE: kind, a.ENDPOINT: url, a.SECRET: secret or "", a.CERT_CONFIG_MAP: certificates or ""}
    return {key: value for key, value in named.items() if value}


def _http(source: HttpSource) -> dict[str, str]:
    extra = {f"{a.EXTRA_HEADERS}{index}": text for index, text in enumerate(source.extra_headers)}
    extra |= {f"{a.SECRET_EXTRA_HEADERS}{index}": name for index, name in enumerate(source.secret_extra_headers)}
    if source.checksum:
        extra[a.CHECKSUM] = source.checksum
    if source.insecure_skip_verify:
        extra[a.INSECURE] = "true"
    return extra


def edited(before: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """``wanted`` in place of the source annotations of ``before``; what is not wanted any more becomes empty."""
    return {key: "" for key in before if is_source_annotation(key)} | dict(wanted)


def is_source_annotation(key: str) -> bool:
    """Whether ``source_annotations`` may write it, so that its absence means something."""
    return key in (a.SOURCE, a.ENDPOINT, a.SECRET, a.CERT_CONFIG_MAP, a.CHECKSUM, a.INSECURE) or key.startswith(
        (a.EXTRA_HEADERS, a.SECRET_EXTRA_HEADERS)
    )
