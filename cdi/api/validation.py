"""What a DataVolume may not be: the contract's rules and texts, in its order. Pure.

Each rule is (field, message); the first group that fails ends the check, as the Go CDI's webhook does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from cdi.api.datavolume import DataVolume, DataVolumeSource, DataVolumeSpec, StorageSpec
from cdi.base.units import MiB, parse_quantity

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_SCHEMES = ("http", "https", "gs")
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


class Violation(NamedTuple):
    field: str
    message: str


def violation(volume: DataVolume) -> Violation | None:
    """The first rule that ``volume`` breaks; None when it is acceptable."""
    return next(_violations(volume), None)


def _violations(volume: DataVolume) -> Iterator[Violation]:
    spec = volume.spec
    if len(volume.metadata.name) > 253:
        yield Violation("", "Name cannot be longer than 253 characters")
    if spec.pvc is None and spec.storage is None:
        yield Violation("spec.PVC", "Missing Data volume PVC")
        return
    if spec.pvc is not None and spec.storage is not None:
        message = "Duplicate storage definition, both target storage and target pvc defined"
        yield Violation("spec.PVC.Storage", message)
        return
    yield from _size(spec)
    yield from _access_modes(spec)
    yield from _origin(spec)
    if spec.source is not None:
        yield from _source(spec, spec.source)


def _size(spec: DataVolumeSpec) -> Iterator[Violation]:
    part, word = ("pvc", "PVC") if spec.pvc is not None else ("storage", "Storage")
    place = f"spec.{'PVC' if part == 'pvc' else 'Storage'}.resources.requests.size"
    claim = spec.pvc or spec.storage or StorageSpec()
    text = claim.resources.requests.get("storage")
    if text is None:
        clones = spec.source_ref is not None or (spec.source and (spec.source.pvc or spec.source.snapshot))
        if not (part == "storage" and clones):
            yield Violation(place, f"{word} size is missing")
        return
    try:
        size = parse_quantity(str(text))
    except ValueError as error:
        yield Violation(place, str(error))
        return
    if size <= 0:
        yield Violation(place, f"{word} size can't be equal or less than zero")
    elif size < MiB:
        yield Violation(place, f"{word} size should be at least 1MiB")


def _access_modes(spec: DataVolumeSpec) -> Iterator[Violation]:
    place = "spec.PVC.accessModes"
    modes = (spec.pvc or spec.storage or StorageSpec()).access_modes
    if spec.pvc is not None and not modes:
        yield Violation(place, "Required value: at least 1 access mode is required")
    if spec.pvc is not None and len(modes) > 1:
        yield Violation(place, "PVC multiple accessModes")
    for mode in modes:
        if mode not in ACCESS_MODES:
            known = ", ".join(f'"{known}"' for known in ACCESS_MODES)
            yield Violation(place, f'Unsupported value: "{mode}": supported values: {known}')


def _origin(spec: DataVolumeSpec) -> Iterator[Violation]:
    if (spec.source is None) == (spec.source_ref is None):
        message = "Data volume should have either Source or SourceRef, or be externally populated"
        yield Violation("spec.source", message)


def _source(spec: DataVolumeSpec, source: DataVolumeSource) -> Iterator[Violation]:
    if len(source.members) != 1:
        kind = "Missing Data volume source" if not source.members else "Multiple Data volume sources"
        yield Violation("spec.source", kind)
        return
    if spec.content_type not in ("", "kubevirt", "archive"):
        message = f'Unsupported value: "{spec.content_type}": supported values: "kubevirt", "archive"'
        yield Violation("spec.contentType", message)
    if source.blank is not None and spec.is_archive:
        yield Violation("spec.contentType", "SourceType cannot be blank and the contentType be archive")
    for name, member in (("HTTP", source.http), ("S3", source.s3)):
        if member is not None:
            yield from _url(f"spec.source.{name}.url", member.url)
    if source.http is not None and source.http.checksum:
        yield from _checksum(source.http.checksum)
    if source.pvc is not None and not (source.pvc.name and source.pvc.namespace):
        yield Violation("spec.source.PVC", "spec.source.PVC source PVC is not valid")


def _url(place: str, url: str) -> Iterator[Violation]:
    if not url:
        yield Violation(place, "spec.source source URL is empty")
        return
    scheme = urlsplit(url).scheme
    if not scheme or "://" not in url:
        yield Violation(place, f"spec.source Invalid source URL: {url}")
    elif scheme not in _SCHEMES:
        yield Violation(place, f"spec.source Invalid source URL scheme: {url}")


def _checksum(text: str) -> Iterator[Violation]:
    algorithm, _, digest = (part.strip().lower() for part in text.partition(":"))
    if _DIGITS.get(algorithm) != len(digest) or not re.fullmatch("[0-9a-f]+", digest):
        detail = "write algorithm:hex with md5, sha1, sha256 or sha512"
        yield Violation("spec.source.HTTP.checksum", f"Invalid checksum format: {text}: {detail}")
