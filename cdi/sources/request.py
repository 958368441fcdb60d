"""What asks for an import: the annotations of a claim. Pure.

A worker pod is always made from the annotations of the claim it writes to: users put them on a plain claim, the
DataVolume's controller on the claim of the direct way, and we on the PVC' of the populators' way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdi.api.datavolume import DataVolumeSource
from cdi.api.populators import ImportSource
from cdi.base.sources import imported, source_of_word
from cdi.contract import annotations as a
from cdi.sources.kind import kind_of
from cdi.sources.parameters import Parameters

# The contract's words. A claim with any other one, or with none, asks for http.
_KNOWN = ("http", "s3", "gcs", "glance", "none", "registry", "imageio", "vddk")


# The one list of what belongs to a source: member of Parameters and annotation. A source's own come from its module.
_TEXTS = {
    "source": a.SOURCE,
    "endpoint": a.ENDPOINT,
    "secret": a.SECRET,
    "cert_config_map": a.CERT_CONFIG_MAP,
    "checksum": a.CHECKSUM,
}
_FLAGS = {"insecure": a.INSECURE}
_LISTS = {"headers": a.EXTRA_HEADERS, "secret_headers": a.SECRET_EXTRA_HEADERS}  # each line's key ends with its number


def parameters_of(annotations: Mapping[str, str]) -> Parameters | None:
    """None: the claim asks for no import."""
    if a.SOURCE not in annotations and a.ENDPOINT not in annotations:
        return None
    found: dict[str, Any] = {name: annotations.get(key, "") for name, key in _TEXTS.items()}
    found |= {name: annotations.get(key) == "true" for name, key in _FLAGS.items()}
    found |= {name: _numbered(annotations, prefix) for name, prefix in _LISTS.items()}
    found["source"] = found["source"] if found["source"] in _KNOWN else "http"
    served = source_of_word(found["source"])
    kind = kind_of(served) if served is not None else None
    found["insecure"] = found["insecure"] and kind is not None and kind.may_skip_verification
    return Parameters(
        **found,
        archive=annotations.get(a.CONTENT_TYPE) == "archive",
        preallocation=annotations.get(a.PREALLOCATION_REQUESTED) == "true",
        own=tuple((key, annotations[key]) for key in (kind.own if kind else ()) if annotations.get(key)),
    )


def _numbered(annotations: Mapping[str, str], prefix: str) -> tuple[str, ...]:
    """In the order of the numbers, not of the map: headers may repeat, and the last one wins with some servers."""
    keys = (key for key in annotations if key.startswith(prefix))
    return tuple(annotations[key] for key in sorted(keys, key=lambda key: (len(key), key)) if annotations[key])


def asked_of(source: DataVolumeSource | ImportSource, annotations: Mapping[str, str]) -> dict[str, str]:
    """What asks for the import of ``source``. A checksum among the ``annotations`` of its volume serves any source."""
    said = annotations.get(a.CHECKSUM)
    return ({a.CHECKSUM: said} if said else {}) | _written(source)


def _written(source: DataVolumeSource | ImportSource) -> dict[str, str]:
    """Empty for what is not imported."""
    for served in imported():
        member = getattr(source, served.name, None)
        if member is not None:
            return _encoded(kind_of(served).parameters(member))
    return {}


def _encoded(asked: Parameters) -> dict[str, str]:
    found = {key: getattr(asked, name) for name, key in _TEXTS.items()} | dict(asked.own)
    found |= {key: "true" for name, key in _FLAGS.items() if getattr(asked, name)}
    found = {key: text for key, text in found.items() if text}
    for name, prefix in _LISTS.items():
        found |= {f"{prefix}{index}": line for index, line in enumerate(getattr(asked, name))}
    return found


def edited(before: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """``wanted`` in place of the source annotations of ``before``; what is not wanted any more becomes empty."""
    return {key: "" for key in before if is_source_annotation(key)} | dict(wanted)


def is_source_annotation(key: str) -> bool:
    """Whether ``asked_of`` may write it, so that its absence means something."""
    if key in _TEXTS.values() or key in _FLAGS.values() or key.startswith(tuple(_LISTS.values())):
        return True
    return any(key in kind_of(source).own for source in imported())
