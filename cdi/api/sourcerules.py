"""What ``spec.source`` of a DataVolume may not be: the contract's rules and texts for each kind of source. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from cdi.api.datavolume import DataVolumeSource, DataVolumeSpec, ImageioSource, RegistrySource, VddkSource
from cdi.api.violation import Violation
from cdi.base.printable import excerpt

_SCHEMES = ("http", "https", "gs")  # one list for all: the contract lets gs:// pass for http
_REGISTRY_SCHEMES = ("docker", "oci-archive")
_SHOWN = 2048  # characters of a text that is refused, in the refusal
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_KUBEVIRT = ("", "kubevirt")
# Where Go's ParseRequestURI, which the contract asks, says no, and Python's urlsplit says nothing.
_LONGEST_URL = 1 << 16  # characters: a claim's annotations, through which it goes, have four times that together
_NEVER = re.compile(r"^ |[\x00-\x1f\x7f]")
_NOT_IN_A_HOST = re.compile(r'[ "<>\\^`{|}]')
_NO_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def of_source(spec: DataVolumeSpec) -> Iterator[Violation]:
    """Rules of ``spec.source``, which is there."""
    source = spec.source or DataVolumeSource()
    if len(source.members) != 1:
        kind = "Missing Data volume source" if not source.members else "Multiple Data volume sources"
        yield Violation("spec.source", kind)
        return
    if spec.content_type not in (*_KUBEVIRT, "archive"):
        message = f'Unsupported value: "{excerpt(spec.content_type)}": supported values: "kubevirt", "archive"'
        yield Violation("spec.contentType", message)
    for name, member in (("HTTP", source.http), ("S3", source.s3), ("GCS", source.gcs)):
        if member is not None:
            yield from _url(f"spec.source.{name}.url", member.url)
    if source.http is not None and source.http.checksum:
        yield from _checksum(source.http.checksum)
    if source.blank is not None and spec.is_archive:
        yield Violation("spec.contentType", "SourceType cannot be blank and the contentType be archive")
    if source.registry is not None:
        yield from _registry(source.registry, spec.content_type)
    yield from _migration(source)
    yield from _references(source)


def _url(place: str, url: str) -> Iterator[Violation]:
    if not url:
        yield Violation(place, "spec.source source URL is empty")
        return
    scheme = _scheme(url)
    if scheme is None:
        yield Violation(place, f"spec.source Invalid source URL: {excerpt(url, _SHOWN)}")
    elif scheme not in _SCHEMES:
        yield Violation(place, f"spec.source Invalid source URL scheme: {excerpt(url, _SHOWN)}")


def _scheme(url: str) -> str | None:
    """The scheme of an absolute URL that can be asked for; None for what is none."""
    if len(url) > _LONGEST_URL or _NEVER.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # looks whether it is a number
    except ValueError:  # for instance a bracket without its pair
        return None
    if _NOT_IN_A_HOST.search(parts.netloc) or _NO_ESCAPE.search(parts.netloc + parts.path):
        return None
    return parts.scheme or None


def _checksum(text: str) -> Iterator[Violation]:
    algorithm, _, digest = (part.strip().lower() for part in text.partition(":"))
    if _DIGITS.get(algorithm) != len(digest) or not re.fullmatch("[0-9a-f]+", digest):
        detail = "write algorithm:hex with md5, sha1, sha256 or sha512"
        yield Violation("spec.source.HTTP.checksum", f"Invalid checksum format: {excerpt(text, _SHOWN)}: {detail}")


def _registry(registry: RegistrySource, content_type: str) -> Iterator[Violation]:
    place = "spec.source.Registry"
    if content_type not in _KUBEVIRT:
        yield Violation("spec.contentType", "ContentType must be kubevirt when Source is Registry")
    if (registry.url is None) == (registry.image_stream is None):
        yield Violation(place, "Source registry should have either URL or ImageStream")
    if registry.url is not None:
        scheme = _scheme(registry.url)
        if scheme is None:
            yield Violation(f"{place}.URL", f"Illegal registry source URL {excerpt(registry.url, _SHOWN)}")
        elif scheme not in _REGISTRY_SCHEMES:
            yield Violation(f"{place}.URL", f"Illegal registry source URL scheme {excerpt(registry.url, _SHOWN)}")
    method = registry.pull_method
    if method not in (None, "pod", "node"):
        yield Violation(f"{place}.importMethod", f'ImportMethod {excerpt(str(method))} is neither pod, node or ""')
    if registry.image_stream is not None:
        if not registry.image_stream:
            yield Violation(f"{place}.importMethod", "Source registry ImageStream is not valid")
        if method != "node":
            message = "Source registry ImageStream is supported only with node pull import method"
            yield Violation(f"{place}.importMethod", message)


def _migration(source: DataVolumeSource) -> Iterator[Violation]:
    """Sources in other virtualisation systems: their own rules come before those of the URL."""
    if source.imageio is not None:
        yield from _imageio(source.imageio)
        yield from _url("spec.source.ImageIO.url", source.imageio.url)
    if source.vddk is not None:
        yield from _vddk(source.vddk)
        yield from _url("spec.source.VDDK.url", source.vddk.url)


def _imageio(imageio: ImageioSource) -> Iterator[Violation]:
    place = "spec.source.Imageio"
    if not (imageio.secret_ref and imageio.disk_id):
        yield Violation(place, f"{place} source Imageio is not valid")
    if not (imageio.cert_config_map or imageio.insecure_skip_verify):
        yield Violation(place, f"{place} source Imageio requires CertConfigMap or InsecureSkipVerify")


def _vddk(vddk: VddkSource) -> Iterator[Violation]:
    if not (vddk.secret_ref and vddk.uuid and vddk.backing_file and vddk.thumbprint):
        yield Violation("spec.source.VDDK", "spec.source.VDDK source VDDK is not valid")


def _references(source: DataVolumeSource) -> Iterator[Violation]:
    if source.pvc is not None and not (source.pvc.name and source.pvc.namespace):
        yield Violation("spec.source.PVC", "spec.source.PVC source PVC is not valid")
    if source.snapshot is not None and not (source.snapshot.name and source.snapshot.namespace):
        yield Violation("spec.source.Snapshot", "spec.source.Snapshot source snapshot is not valid")
