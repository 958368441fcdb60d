"""What a DataVolume may not be: the contract's rules and texts, in its order. Pure.

The first rule that is broken ends the check, as the Go CDI's webhook does. Rules of single sources are in
``cdi.api.sourcerules``. What needs other objects (rights, existing claims) is the webhook's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdi.api.datavolume import DataSourceRef, DataVolume, DataVolumeSpec, ObjectMeta
from cdi.api.sourcerules import of_source
from cdi.api.violation import Violation
from cdi.base.printable import excerpt
from cdi.base.units import MiB, parse_quantity, size_or_none

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_LONGEST_NAME = 253
_TOLD = 20  # of what has changed
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def violation(volume: DataVolume) -> Violation | None:
    """The first rule that ``volume`` breaks; None when it is acceptable."""
    return next(_violations(volume), None)


def name_violation(metadata: ObjectMeta) -> Violation | None:
    """Names as the API server wants them. Here they become paths: nothing else may be checked before."""
    if len(metadata.name) > _LONGEST_NAME:
        return Violation("metadata.name", f"Name cannot be longer than {_LONGEST_NAME} characters")
    if not _NAME.fullmatch(metadata.name):
        said = f"{metadata.name!r} is no name: use a-z, 0-9, - and ., with a letter or digit at both ends"
        return Violation("metadata.name", said)
    if not _NAMESPACE.fullmatch(metadata.namespace):
        said = f"{excerpt(metadata.namespace)!r} is no namespace: use a-z, 0-9 and -, at most 63 characters"
        return Violation("metadata.namespace", said)
    return None


def update_violation(before: DataVolumeSpec, after: DataVolumeSpec, *, held: bool = False) -> Violation | None:
    """A spec cannot be changed, but for the checkpoints of a warm migration, and while the import is ``held`` (or
    Failed) for the members of the same source.
    """
    if same_spec(before, after) or _only_checkpoints_were_added(before, after):
        return None
    if held and _only_members_changed(before, after):
        return None
    changed = _changed(before, after)
    more = [f"{len(changed) - _TOLD} more"] if len(changed) > _TOLD else []
    detail = (
        f"{' and '.join([*map(excerpt, changed[:_TOLD]), *more])} cannot be changed. Of an import that is held or has "
        "failed, members of its source can; for anything else delete the DataVolume and make it again"
    )
    return Violation("DataVolume.Spec", f"Cannot update DataVolume Spec: {detail}")


def _changed(before: DataVolumeSpec, after: DataVolumeSpec) -> list[str]:
    """Paths of what differs."""

    def paths(one: object, other: object, path: str) -> Iterator[str]:
        if one == other:
            return
        if not (isinstance(one, dict) and isinstance(other, dict)):
            yield path
            return
        for key in sorted(one.keys() | other.keys()):
            yield from paths(one.get(key), other.get(key), f"{path}.{key}")

    return list(paths(_canonical(before), _canonical(after), "spec"))


def same_spec(one: DataVolumeSpec, other: DataVolumeSpec) -> bool:
    """Equal in meaning: 1Gi and 1024Mi are the same size."""
    return _canonical(one) == _canonical(other)


def _canonical(spec: DataVolumeSpec) -> object:
    from msgspec import to_builtins

    plain: dict[str, dict[str, dict[str, dict[str, object]]]] = to_builtins(spec)
    for target in ("pvc", "storage"):
        for quantities in plain.get(target, {}).get("resources", {}).values():
            for name, value in quantities.items():
                quantities[name] = _bytes(value)
    return plain


def _bytes(quantity: object) -> object:
    size = size_or_none(str(quantity))
    return quantity if size is None else size


def _only_checkpoints_were_added(before: DataVolumeSpec, after: DataVolumeSpec) -> bool:
    from msgspec.structs import replace

    source = after.source
    if source is None or (source.vddk is None and source.imageio is None) or not after.checkpoints:
        return False
    return same_spec(
        replace(before, checkpoints=[], final_checkpoint=False), replace(after, checkpoints=[], final_checkpoint=False)
    )


def _only_members_changed(before: DataVolumeSpec, after: DataVolumeSpec) -> bool:
    from msgspec.structs import replace

    if before.source is None or after.source is None or before.source.members != after.source.members:
        return False
    return same_spec(before, replace(after, source=before.source))


def _violations(volume: DataVolume) -> Iterator[Violation]:
    spec = volume.spec
    if len(volume.metadata.name) > _LONGEST_NAME:
        yield Violation("", f"Name cannot be longer than {_LONGEST_NAME} characters")
    if spec.pvc is None and spec.storage is None:
        yield Violation("spec.PVC", "Missing Data volume PVC")
        return
    if spec.pvc is not None and spec.storage is not None:
        message = "Duplicate storage definition, both target storage and target pvc defined"
        yield Violation("spec.PVC.Storage", message)
        return
    yield from _size(spec)
    if len(spec.target.storage_class_name or "") > _LONGEST_NAME:
        yield Violation("", f"Name cannot be longer than {_LONGEST_NAME} characters")
    yield from _access_modes(spec)
    if spec.target.data_source is not None or spec.target.data_source_ref is not None:
        yield from _external_population(spec)
    else:
        yield from _origin(spec)


def _size(spec: DataVolumeSpec) -> Iterator[Violation]:
    word = "PVC" if spec.pvc is not None else "Storage"
    place = f"spec.{word}.resources.requests.size"
    text = spec.target.resources.requests.get("storage")
    if text is None:
        clones = spec.source_ref is not None or (spec.source and (spec.source.pvc or spec.source.snapshot))
        if not (spec.storage is not None and clones):
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
    modes = spec.target.access_modes
    if spec.pvc is not None and not modes:
        yield Violation(place, "Required value: at least 1 access mode is required")
    if spec.pvc is not None and len(modes) > 1:
        yield Violation(place, "PVC multiple accessModes")
    for mode in modes:
        if mode not in ACCESS_MODES:
            known = ", ".join(f'"{known}"' for known in ACCESS_MODES)
            yield Violation(place, f'Unsupported value: "{excerpt(mode)}": supported values: {known}')


def _external_population(spec: DataVolumeSpec) -> Iterator[Violation]:
    """Somebody else fills the claim: no source of ours, and one reference."""
    target = spec.target
    if spec.source is not None or spec.source_ref is not None:
        yield Violation("spec.source", "External population is incompatible with Source and SourceRef")
    if target.data_source is not None and target.data_source_ref is not None:
        yield Violation("", "DataSourceRef and DataSource must match")
    if target.data_source is not None:
        yield from _reference("dataSource", target.data_source)
    if target.data_source_ref is not None:
        if target.data_source_ref.namespace:
            message = "Invalid value: DataSourceRef namespace not supported"
            yield Violation("spec.dataSourceRef.Namespace", message)
        yield from _reference("dataSourceRef", target.data_source_ref)


def _reference(field: str, reference: DataSourceRef) -> Iterator[Violation]:
    title = field[0].upper() + field[1:]
    if not reference.name:
        yield Violation(f"spec.{field}.Name", f"Required value: {title} name")
    if not reference.kind:
        yield Violation(f"spec.{field}.Kind", f"Required value: {title} kind")
    if not reference.api_group and reference.kind != "PersistentVolumeClaim":
        message = f"Required value: {title} apiGroup when kind is not 'PersistentVolumeClaim'"
        yield Violation(f"spec.{field}.APIGroup", message)


def _origin(spec: DataVolumeSpec) -> Iterator[Violation]:
    if (spec.source is None) == (spec.source_ref is None):
        message = "Data volume should have either Source or SourceRef, or be externally populated"
        yield Violation("spec.source", message)
    elif spec.source_ref is not None:
        kind = spec.source_ref.kind
        if not kind:
            yield Violation("spec.sourceRef.Kind", "Missing sourceRef kind")
        if kind != "DataSource":
            message = f"Unsupported sourceRef kind {kind}, currently only DataSource is supported"
            yield Violation("spec.sourceRef.Kind", message)
        if not spec.source_ref.name:
            yield Violation("spec.sourceRef.Name", "Missing sourceRef name")
    else:
        yield from of_source(spec)
