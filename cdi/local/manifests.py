"""Reading manifest files: the DataVolumes in them, and the Secrets and ConfigMaps they refer to. Pure but for the YAML.

Nothing of a Secret is ever written anywhere.
"""

from __future__ import annotations

import base64
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import msgspec
import yaml

from cdi.api.datavolume import GROUP, KIND, VERSIONS, DataVolume
from cdi.api.validation import violation
from cdi.base.faults import Fault

Key = tuple[str, str]  # namespace, name


@dataclass
class Manifests:
    """``secrets`` and ``config_maps``: plain values by key, per object. ``notes``: what a person should know."""

    volumes: list[DataVolume] = field(default_factory=list)
    secrets: dict[Key, dict[str, str]] = field(default_factory=dict, repr=False)
    config_maps: dict[Key, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read(texts: dict[str, str], namespace: str = "default") -> Manifests:
    """Everything in ``texts`` (by file name). Raises Fault ManifestInvalid that names file, document and field."""
    found = Manifests()
    for name, text in texts.items():
        for number, document in enumerate(_documents(name, text), 1):
            _take(found, f"{name}, document {number}", document, namespace)
    if not found.volumes:
        raise Fault("ManifestInvalid", where=", ".join(texts), detail="there is no DataVolume in it")
    _refuse_duplicates(found)
    return found


def _documents(name: str, text: str) -> list[Any]:
    try:
        return [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        detail = " ".join(str(error).split())
        raise Fault("ManifestInvalid", where=name, detail=f"this is no YAML: {detail}") from error


def _take(found: Manifests, where: str, document: Any, namespace: str) -> None:  # noqa: ANN401  YAML is anything
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise Fault("ManifestInvalid", where=where, detail="an object with apiVersion and kind was expected")
    metadata = document.get("metadata") or {}
    key = (str(metadata.get("namespace") or namespace), str(metadata.get("name") or ""))
    match document["kind"]:
        case "DataVolume":
            found.volumes.append(_data_volume(found, where, document, namespace))
        case "VirtualMachine":
            for template in (document.get("spec") or {}).get("dataVolumeTemplates") or []:
                whole = {"apiVersion": f"{GROUP}/v1beta1", "kind": KIND, **template}
                whole["metadata"] = {"namespace": key[0], **(template.get("metadata") or {})}
                found.volumes.append(_data_volume(found, where, whole, namespace))
        case "Secret":
            encoded = {name: _decoded(where, name, value) for name, value in (document.get("data") or {}).items()}
            found.secrets[key] = {**encoded, **(document.get("stringData") or {})}
        case "ConfigMap":
            found.config_maps[key] = dict(document.get("data") or {})
        case "List":
            for item in document.get("items") or []:
                _take(found, where, item, namespace)
        case kind:
            found.notes.append(f"{where}: {kind} {key[1]} is left out: this machine is no cluster")


def _decoded(where: str, name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError as error:
        raise Fault("ManifestInvalid", where=f"{where}: data.{name}", detail="it is not base64") from error


def _data_volume(found: Manifests, where: str, document: dict[str, Any], namespace: str) -> DataVolume:
    version = str(document.get("apiVersion", ""))
    if version not in {f"{GROUP}/{known}" for known in VERSIONS}:
        detail = f"apiVersion {version!r} is not known: write {GROUP}/v1beta1"
        raise Fault("ManifestInvalid", where=where, detail=detail)
    try:
        volume = msgspec.convert(document, DataVolume)
    except msgspec.ValidationError as error:
        raise Fault("ManifestInvalid", where=where, detail=str(error)) from error
    if not volume.metadata.name:
        raise Fault("ManifestInvalid", where=f"{where}: metadata.name", detail="a DataVolume needs a name")
    volume.metadata.namespace = volume.metadata.namespace or namespace
    named = f"{where}, DataVolume {volume.metadata.name}"
    found.notes += [f"{named}: {note}" for note in unknown_fields(document.get("spec"), type(volume.spec), "spec")]
    broken = violation(volume)
    if broken is not None:
        raise Fault("ManifestInvalid", where=f"{named}: {broken.field}", detail=broken.message)
    _refuse_what_needs_a_cluster(named, volume)
    return volume


def _refuse_what_needs_a_cluster(where: str, volume: DataVolume) -> None:
    source = volume.spec.source
    member = "sourceRef" if source is None else source.members[0]
    if member not in ("http", "s3", "blank", "pvc"):
        raise Fault("ManifestUnsupported", where=where, detail=f"a {member} source needs a cluster")
    claim = volume.spec.pvc or volume.spec.storage
    if claim is not None and claim.volume_mode == "Block":
        raise Fault("ManifestUnsupported", where=where, detail="volumeMode Block: the class local-dir holds files")


def _refuse_duplicates(found: Manifests) -> None:
    seen: set[Key] = set()
    for volume in found.volumes:
        key = (volume.metadata.namespace, volume.metadata.name)
        if key in seen:
            raise Fault("ManifestInvalid", where=f"DataVolume {key[0]}/{key[1]}", detail="it is there twice")
        seen.add(key)


def unknown_fields(raw: Any, kind: type, path: str) -> Iterator[str]:  # noqa: ANN401  YAML is anything
    """A sentence for each key of ``raw`` that ``kind`` does not have, with the nearest that it has."""
    if not isinstance(raw, dict) or not issubclass(kind, msgspec.Struct):
        return
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    hints = get_type_hints(kind)
    for key, value in raw.items():
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f", did you mean {path}.{near[0]}?" if near else ""
            yield f"unknown field {path}.{key}{hint}"
            continue
        inner = [part for part in (hints[names[key]], *get_args(hints[names[key]])) if isinstance(part, type)]
        for part in inner:
            yield from unknown_fields(value, part, f"{path}.{key}")
