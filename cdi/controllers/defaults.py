"""The storage classes that are marked as defaults, found without looking at the others."""

from __future__ import annotations

from cdi.kube.storage import StorageClass
from cdi.kube.store import Store
from storageprofiles.classes import KUBERNETES_DEFAULT, VIRT_DEFAULT

_MARK = "default"  # index


def index_defaults(classes: Store[StorageClass]) -> None:
    classes.index(_MARK, marks_of)


def marks_of(storage_class: StorageClass) -> list[str]:
    """Of what it is the default: of all claims, or of virtual machines' disks."""
    annotations = storage_class.metadata.annotations
    return [mark for mark in (KUBERNETES_DEFAULT, VIRT_DEFAULT) if annotations.get(mark) == "true"]


def marked(classes: Store[StorageClass], *marks: str) -> list[StorageClass]:
    """Classes with one of the ``marks``, each once."""
    found = {item.metadata.name: item for mark in marks for item in classes.by(_MARK, mark)}
    return list(found.values())
