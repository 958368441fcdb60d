"""What stands in the way of a population by somebody else. Pure. Reasons and texts are the contract's."""

from __future__ import annotations

from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import Emit
from cdi.kube.storage import PersistentVolumeClaim

_NO_DRIVER = "No CSI drivers were found: External population not supported"
_DROPPED = "AnyVolumeDataSource feature gate is not enabled: External population not supported"
_SNAPSHOT, _CLAIM = "VolumeSnapshot", "PersistentVolumeClaim"


def external_obstacle(seen: Observed, claim: PersistentVolumeClaim) -> Emit | None:
    """The warning that says why ``claim``, although it may be bound, will stay empty."""
    target = seen.volume.spec.target
    wanted = target.data_source_ref or target.data_source
    kind = wanted.kind if wanted is not None else ""
    if kind != _SNAPSHOT and not seen.has_driver:
        return Emit("Warning", "NoCSIDriverForExternalPopulation", _NO_DRIVER)
    if kind not in {_SNAPSHOT, _CLAIM} and claim.spec.data_source_ref is None:
        return Emit("Warning", "NoAnyVolumeDataSource", _DROPPED)
    return None
