"""VolumePopulators: they tell a cluster that claims may name our kinds as their source. Pure."""

from __future__ import annotations

from typing import Any

from cdi.api import forklift, populators
from cdi.api.cdi import CDI
from cdi.api.datavolume import GROUP, ObjectMeta
from cdi.contract import annotations as a
from cdi.contract.ownership import owned_by_system

_KINDS = (
    (GROUP, populators.IMPORT_KIND),
    (GROUP, populators.UPLOAD_KIND),
    (GROUP, populators.CLONE_KIND),
    (forklift.GROUP, forklift.OVIRT_KIND),
    (forklift.GROUP, forklift.OPENSTACK_KIND),
)


def volume_populators(system: CDI) -> list[dict[str, Any]]:
    """One per kind. They go with ``system``."""
    owned = owned_by_system(ObjectMeta(), system)
    return [
        {
            "metadata": {"name": kind.lower(), "labels": a.APP | {a.COMPONENT: ""}, **owned},
            "sourceKind": {"group": group, "kind": kind},
        }
        for group, kind in _KINDS
    ]
