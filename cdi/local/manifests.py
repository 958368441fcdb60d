"""Reading manifest files: the DataVolumes in them, and the Secrets and ConfigMaps they refer to. Pure but for the YAML.

Nothing of a Secret is ever written anywhere.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cdi.api.datavolume import GROUP, KIND, VERSIONS, DataVolume, ObjectMeta
from cdi.api.storageprofile import MINIMUM_SIZE, StorageProfile
from cdi.api.validation import name_violation, violation
from cdi.base.faults import Fault
from cdi.base.sources import is_imported
from cdi.base.units import parse_quantity
from cdi.local.documents import documents, typed, unknown_fields
from storageprofiles.classes import check_sets
from storageprofiles.rendering import LOCAL_DIR, ClaimNotValid, ClaimPropertySet, Profile

Key = tuple[str, str]  # namespace, name


@dataclass
class Manifests:
    """What the files hold. ``secrets`` and ``config_maps``: plain values by key, per object.

    ``notes``: what a person should know.
    """

    volumes: list[DataVolume] = field(default_factory=list)
    secrets: dict[Key, dict[str, str]] = field(default_factory=dict, repr=False)
    config_maps: dict[Key, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    profile: Profile = LOCAL_DIR  # or as a StorageProfile of that name says


def read(texts: dict[str, str], namespace: str = "default") -> Manifests:
    """Everything in ``texts`` (by file name). Raises Fault ManifestInvalid that names file, document and field."""
    found = Manifests()
    for name, text in texts.items():
        for number, document in enumerate(documents(name, text), 1):
            _take(found, f"{name}, document {number}", document, namespace)
    if not found.volumes:
        raise Fault("ManifestInvalid", where=", ".join(texts), detail="there is no DataVolume in it")
    _refuse_duplicates(found)
    _refuse_circles(found)
    return found


class _Values(msgspec.Struct, rename="camel"):
    """Of a Secret or ConfigMap."""

    data: dict[str, str] = {}
    string_data: dict[str, str] = {}


class _Template(msgspec.Struct):
    metadata: dict[str, Any] = {}
    spec: dict[str, Any] = {}


class _MachineSpec(msgspec.Struct, rename="camel"):
    data_volume_templates: list[_Template] = []


class _Machine(msgspec.Struct):
    spec: _MachineSpec = msgspec.field(default_factory=_MachineSpec)


def _take(found: Manifests, where: str, document: Any, namespace: str) -> None:  # noqa: ANN401  YAML is anything
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise Fault("ManifestInvalid", where=where, detail="an object with apiVersion and kind was expected")
    metadata = document.get("metadata", {})
    if not isinstance(metadata, dict):
        raise Fault("ManifestInvalid", where=f"{where}: metadata", detail="an object with a name was expected")
    key = (str(metadata.get("namespace") or namespace), str(metadata.get("name") or ""))
    match document["kind"]:
        case "DataVolume":
            found.volumes.append(_data_volume(found, where, document, namespace))
        case "VirtualMachine":
            for template in typed(where, document, _Machine).spec.data_volume_templates:
                named = {"namespace": key[0], **template.metadata}
                whole = {"apiVersion": f"{GROUP}/v1beta1", "kind": KIND, "metadata": named, "spec": template.spec}
                found.volumes.append(_data_volume(found, where, whole, namespace))
        case "Secret":
            values = typed(where, document, _Values)
            encoded = {name: _decoded(where, name, value) for name, value in values.data.items()}
            found.secrets[key] = {**encoded, **values.string_data}
        case "ConfigMap":
            found.config_maps[key] = typed(where, document, _Values).data
        case "StorageProfile" if key[1] == LOCAL_DIR.storage_class:
            found.profile = _profile(where, document)
        case "List":
            for item in typed(where, document.get("items", []), list[Any]):
                _take(found, where, item, namespace)
        case kind:
            found.notes.append(f"{where}: {kind} {key[1]} is left out: this machine is no cluster")


def _decoded(where: str, name: str, value: str) -> str:
    """What is no text keeps its bytes as ``os.fsdecode`` would have them."""
    try:
        plain = base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True)  # as Kubernetes reads it
        return plain.decode(errors="surrogateescape")
    except ValueError as error:
        raise Fault("ManifestInvalid", where=f"{where}: data.{name}", detail="it is not base64") from error


def _data_volume(found: Manifests, where: str, document: dict[str, Any], namespace: str) -> DataVolume:
    version = str(document.get("apiVersion", ""))
    if version not in {f"{GROUP}/{known}" for known in VERSIONS}:
        detail = f"apiVersion {version!r} is not known: write {GROUP}/v1beta1"
        raise Fault("ManifestInvalid", where=where, detail=detail)
    volume = typed(where, {**document, "status": {}}, DataVolume)
    if not volume.metadata.name:
        raise Fault("ManifestInvalid", where=f"{where}: metadata.name", detail="a DataVolume needs a name")
    volume.metadata.namespace = volume.metadata.namespace or namespace
    named = f"{where}, DataVolume {volume.metadata.name}"
    found.notes += [f"{named}: {note}" for note in _unknown(document, volume)]
    broken = name_violation(volume.metadata) or violation(volume)
    if broken is not None:
        raise Fault("ManifestInvalid", where=f"{named}: {broken.field}", detail=broken.message)
    _refuse_what_needs_a_cluster(named, volume)
    _refuse_unusual_names(named, volume)
    found.notes += [f"{named}: {note}" for note in _class_notes(volume)]
    return volume


def _class_notes(volume: DataVolume) -> list[str]:
    """The classes of a cluster are not here; a manifest made for one is to work nevertheless."""
    wanted, served = volume.spec.target.storage_class_name, LOCAL_DIR.storage_class
    if wanted in (None, "", served):
        return []
    return [f"there is no storage class {wanted} on this machine: {served} serves it, a file in the data directory"]


def _refuse_unusual_names(where: str, volume: DataVolume) -> None:
    """The names of a clone's source become a path, as the volume's own do."""
    source = volume.spec.source.pvc if volume.spec.source is not None else None
    if source is None:
        return
    broken = name_violation(ObjectMeta(name=source.name, namespace=source.namespace))
    if broken is not None:
        field = broken.field.replace("metadata", "spec.source.pvc")
        raise Fault("ManifestInvalid", where=f"{where}: {field}", detail=broken.message)


def _unknown(document: dict[str, Any], volume: DataVolume) -> list[str]:
    """Only of the spec are the fields known one by one; metadata of a cluster has many more than count here."""
    outside = {key: None for key in document if key not in ("apiVersion", "kind", "metadata", "spec", "status")}
    found = [note.replace(" .", " ") for note in unknown_fields(outside, DataVolume, "")]
    return found + list(unknown_fields(document.get("spec"), type(volume.spec), "spec"))


def _profile(where: str, document: dict[str, Any]) -> Profile:
    written = typed(where, document, StorageProfile)
    sets = tuple(ClaimPropertySet(tuple(s.access_modes), s.volume_mode) for s in written.spec.claim_property_sets)
    try:
        check_sets(sets)
        minimum = parse_quantity(written.metadata.annotations.get(MINIMUM_SIZE, "0"))
    except (ClaimNotValid, ValueError) as error:
        raise Fault("ManifestInvalid", where=where, detail=str(error)) from error
    return replace(LOCAL_DIR, sets=sets or LOCAL_DIR.sets, minimum_size=minimum)


def _refuse_what_needs_a_cluster(where: str, volume: DataVolume) -> None:
    source = volume.spec.source
    other = "sourceRef" if volume.spec.source_ref is not None else "dataSourceRef"
    member = other if source is None else source.members[0]
    if not is_imported(member) and member != "pvc":
        raise Fault("ManifestUnsupported", where=where, detail=f"a {member} source needs a cluster")


def _refuse_duplicates(found: Manifests) -> None:
    seen: set[Key] = set()
    for volume in found.volumes:
        key = (volume.metadata.namespace, volume.metadata.name)
        if key in seen:
            raise Fault("ManifestInvalid", where=f"DataVolume {key[0]}/{key[1]}", detail="it is there twice")
        seen.add(key)


def _refuse_circles(found: Manifests) -> None:
    """Clones of each other would wait for ever."""
    sources = {
        (volume.metadata.namespace, volume.metadata.name): volume.spec.source.pvc if volume.spec.source else None
        for volume in found.volumes
    }
    for start in sources:
        passed = [start]
        while (origin := sources.get(passed[-1])) is not None:
            passed.append((origin.namespace, origin.name))
            if passed[-1] == start:
                detail = f"it is a clone of itself: {' <- '.join(name for _, name in passed)}"
                raise Fault("ManifestInvalid", where=f"DataVolume {start[0]}/{start[1]}", detail=detail)
            if passed[-1] in passed[1:-1]:
                break  # a circle further on; it is found from there
