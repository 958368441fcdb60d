"""How what one claim holds becomes another one's, and what is said of a claim meanwhile. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.claims.binding import is_bound
from cdi.controllers.population import outputs
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import Action, Annotate, Emit, Rebind, ref
from cdi.kube.storage import PersistentVolumeClaim


def rebound(seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim) -> list[Action]:
    volume = seen.volume
    if volume is None or volume.spec.claim_ref is None:
        return []
    owner = volume.spec.claim_ref
    if owner.uid == target.metadata.uid:
        return []  # handed over: the cluster binds it now
    if owner.uid != prime.metadata.uid:
        # Whose it is stays unsaid: anybody may have written the name of another's volume into PVC'.
        text = f"PV {volume.metadata.name} is not bound to {prime.metadata.name}"
        return [Emit(ref(target), "Warning", "ErrRebind", text)]
    return [Rebind(volume.metadata.name, ref(prime), ref(target), volume.metadata.resource_version)]


def passed_on(
    seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim, before: Outputs
) -> list[Action]:
    """People look at the target, while its provisioner talks about PVC'."""
    event = seen.event
    if event is None or is_bound(prime) or before.get(a.BOUND_MESSAGE) == event.message:
        return []
    return [Emit(ref(target), event.type or "Normal", event.reason, f"[{prime.metadata.name}] : {event.message}")]


def annotated(claim: PersistentVolumeClaim, before: Outputs, after: Outputs) -> list[Action]:
    return [] if before == after else [Annotate(ref(claim), before, after)]


def why_unbound(seen: Observed) -> Outputs:
    """What the newest event says; without one, what was said before stays."""
    return outputs.bound("Pending", seen.event.message) if seen.event else {}
