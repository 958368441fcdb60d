"""CustomResourceDefinitions of all kinds. ``python -m cdi.api.crd`` prints ``deploy/crds.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cdi.api.kinds import KINDS, Column, Kind
from cdi.api.schema import schema_of

Manifest = dict[str, Any]

LABELS = {"app": "containerized-data-importer", "cdi.kubevirt.io": ""}


def definitions() -> list[Manifest]:
    """One CustomResourceDefinition per kind."""
    return [definition(kind) for kind in KINDS]


def definition(kind: Kind) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}", "labels": dict(LABELS)},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": _names(kind),
            "versions": [_version(kind, version) for version in kind.versions],
        },
    }


def _names(kind: Kind) -> Manifest:
    names: Manifest = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.singular,
    }
    if kind.short:
        names["shortNames"] = list(kind.short)
    if kind.listed_in_all:
        names["categories"] = ["all"]
    return names


def _version(kind: Kind, version: str) -> Manifest:
    described: Manifest = {
        "name": version,
        "served": True,
        "storage": version == kind.versions[0],
        "schema": {"openAPIV3Schema": schema_of(kind.type)},
    }
    if kind.columns:
        described["additionalPrinterColumns"] = [_column(column) for column in kind.columns]
    if kind.has_status_subresource:
        described["subresources"] = {"status": {}}
    return described


def _column(column: Column) -> Manifest:
    described = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return described | ({"description": column.meaning} if column.meaning else {})


def document() -> str:
    return as_yaml(definitions(), source="cdi/api")


def as_yaml(manifests: Iterable[Manifest], *, source: str) -> str:
    """YAML documents without anchors, below a line that says what they were generated from."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    head = f"# Generated from {source} by `make generate`; do not edit.\n"
    return head + yaml.dump_all(manifests, Dumper=Plain, sort_keys=False, width=120, explicit_start=True)


if __name__ == "__main__":
    print(document(), end="")
