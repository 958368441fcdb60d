"""/pvc-mutate for clones from other namespaces: their size is nobody's business without a token.

Whoever may create claims may write any namespace into the annotation ``dataSourceNamespace``. Completed without a
question, the claim would tell what exists there, and how large it is.
"""

from __future__ import annotations

from collections.abc import Callable

from cdi.apiserver import claim_mutate
from cdi.apiserver.claim_size import is_clone
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import Answer, Request, broken
from cdi.contract import annotations as a
from cdi.kube.cdi_resources import VOLUME_CLONE_SOURCES
from cdi.kube.storage import PersistentVolumeClaim, TypedReference
from cdi.trust.tokens import Permit, Place

Verify = Callable[[str], Permit | None]

_TOKENS = (a.EXTENDED_CLONE_TOKEN, a.CLONE_TOKEN)


async def mutate(request: Request, lookup: Lookup, *, verify: Verify | None) -> Answer:
    """``verify``: None believes no token."""
    claim = decoded(request.object, PersistentVolumeClaim)
    target = Place(request.namespace or claim.metadata.namespace, request.name or claim.metadata.name)
    place = claim.metadata.annotations.get(a.DATA_SOURCE_NAMESPACE) or target.namespace
    if place == target.namespace or not _asks_for_size(claim):
        return await claim_mutate.mutate(request, lookup)
    tokens = [claim.metadata.annotations.get(key, "") for key in _TOKENS]
    permits = [permit for token in tokens if verify is not None and token and (permit := verify(token))]
    fitting = [permit for permit in permits if permit.target == target and permit.source.namespace == place]
    if fitting and await _source(claim, place, lookup) in [(item.source, item.is_snapshot) for item in fitting]:
        return await claim_mutate.mutate(request, lookup)
    return broken(
        f"a clone from namespace {place} needs a clone token, and claim {target.namespace}/{target.name} has none that "
        f"is valid for what it names. A DataVolume with this source gets one, if you may read the source"
    )


def _asks_for_size(claim: PersistentVolumeClaim) -> bool:
    is_asked = claim.metadata.labels.get(a.APPLY_PROFILE) == "true"
    return is_asked and is_clone(claim) and "storage" not in claim.spec.resources.requests


async def _source(claim: PersistentVolumeClaim, namespace: str, lookup: Lookup) -> tuple[Place, bool] | None:
    """Asked for only where a token opens that namespace."""
    reference = claim.spec.data_source_ref or TypedReference()
    found = await lookup.find(VOLUME_CLONE_SOURCES, reference.name, namespace)
    if found is None:
        return None
    return Place(namespace, found.spec.source.name), found.spec.source.kind == "VolumeSnapshot"
