"""What all kinds share, and small built-in kinds. Only fields that somebody reads: the rest is dropped on decoding.

Read-only views: never send one back whole, it would erase what was dropped. ``managedFields``, half of an object's
bytes, are never kept.
"""

from __future__ import annotations

from msgspec import Struct, field


class View(Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """Base of all views. ``gc=False``: decoded JSON has no cycles, so the collector need not walk 10,000 objects."""


class OwnerReference(View, frozen=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False
    block_owner_deletion: bool = False


class Metadata(View, frozen=True):
    """Times are RFC 3339 strings; a ``deletion_timestamp`` means that only finalizers keep the object."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []
    owner_references: list[OwnerReference] = []
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    @property
    def controller_uid(self) -> str:
        """The uid of the owner that controls it, or ``""``."""
        return next((owner.uid for owner in self.owner_references if owner.controller), "")


class Object(View, frozen=True):
    """Any kind of which only the metadata is read."""

    metadata: Metadata = field(default_factory=Metadata)


class ObjectReference(View, frozen=True):
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class Condition(View, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class ConfigMap(Object, frozen=True):
    data: dict[str, str] = {}


class Secret(Object, frozen=True):
    """``data`` is decoded from base64."""

    type: str = ""
    data: dict[str, bytes] = {}


class NamespaceStatus(View, frozen=True):
    phase: str = ""


class Namespace(Object, frozen=True):
    status: NamespaceStatus = field(default_factory=NamespaceStatus)


class NodeStatus(View, frozen=True):
    conditions: list[Condition] = []


class Node(Object, frozen=True):
    status: NodeStatus = field(default_factory=NodeStatus)


class QuotaStatus(View, frozen=True):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class ResourceQuota(Object, frozen=True):
    status: QuotaStatus = field(default_factory=QuotaStatus)


class Event(Object, frozen=True):
    involved_object: ObjectReference = field(default_factory=ObjectReference)
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: str | None = None


class LeaseSpec(View, frozen=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    renew_time: str | None = None


class Lease(Object, frozen=True):
    spec: LeaseSpec = field(default_factory=LeaseSpec)


class CrdStatus(View, frozen=True):
    conditions: list[Condition] = []
    stored_versions: list[str] = []


class CustomResourceDefinition(Object, frozen=True):
    status: CrdStatus = field(default_factory=CrdStatus)
