"""/datavolume-mutate: whether the person may clone that, and whether sizes are sizes (this runs before the schema)."""

from __future__ import annotations

from cdi.api.datasource import DataSource, DataSourceOrigin
from cdi.api.datavolume import DataVolume, VolumeRef
from cdi.api.violation import Violation
from cdi.apiserver.decoding import check_quantities, decoded
from cdi.apiserver.lookup import Lookup, Right
from cdi.apiserver.review import ALLOWED, Answer, Request, UserInfo, broken, refused
from cdi.controllers import annotations as a
from cdi.kube.cdi_resources import DATA_SOURCES
from cdi.kube.resources import NAMESPACES

_LENIENT = (a.PRE_POPULATED, a.CHECK_STATIC)  # nothing is cloned then
_CDI = "cdi.kubevirt.io"


async def mutate(request: Request, lookup: Lookup) -> Answer:
    volume = decoded(request.object, DataVolume)
    if volume.metadata.deletion_timestamp:
        return ALLOWED
    check_quantities(volume.spec)
    answer = await _authorized(request, volume, lookup)
    lenient = any(key in volume.metadata.annotations for key in _LENIENT)
    return ALLOWED if lenient else answer


async def _authorized(request: Request, volume: DataVolume, lookup: Lookup) -> Answer:
    namespace = request.namespace or volume.metadata.namespace
    origin = await _origin(volume, namespace, lookup)
    if isinstance(origin, Answer):
        return origin
    source, is_snapshot = origin.pvc or origin.snapshot, origin.pvc is None
    if source is None or not source.namespace or source.namespace == namespace:
        return ALLOWED
    if await lookup.find(NAMESPACES, source.namespace) is None:
        return broken(f'namespaces "{source.namespace}" not found')
    if await _may_clone(request.user_info, source, lookup, is_snapshot=is_snapshot):
        return ALLOWED
    text = f"User {request.user_info.username} has insufficient permissions in clone source namespace"
    return refused([Violation("spec.source.PVC.namespace", f"{text} {source.namespace}")])


async def _origin(volume: DataVolume, namespace: str, lookup: Lookup) -> DataSourceOrigin | Answer:
    """What is cloned; empty for what is no clone."""
    spec = volume.spec
    if spec.source is not None:
        return DataSourceOrigin(pvc=spec.source.pvc, snapshot=spec.source.snapshot)
    if spec.source_ref is None or spec.source_ref.kind != "DataSource":
        return DataSourceOrigin()
    place = spec.source_ref.namespace or namespace
    found = await lookup.find(DATA_SOURCES, spec.source_ref.name, place)
    if found is None:
        return broken(f'datasources.cdi.kubevirt.io "{spec.source_ref.name}" not found')
    return _placed(found, place)


def _placed(found: DataSource, namespace: str) -> DataSourceOrigin:
    origin = found.status.source if found.spec.source.data_source is not None else found.spec.source

    def at(reference: VolumeRef | None) -> VolumeRef | None:
        return reference and VolumeRef(reference.namespace or namespace, reference.name)

    return DataSourceOrigin(pvc=at(origin.pvc), snapshot=at(origin.snapshot))


async def _may_clone(user: UserInfo, source: VolumeRef, lookup: Lookup, *, is_snapshot: bool) -> bool:
    """Rights that let a person read the volume anyway."""
    here = source.namespace
    if await lookup.may(user, Right(here, "datavolumes", _CDI, source.name, "source")):
        return True
    if not is_snapshot:
        return await lookup.may(user, Right(here, "pods", name=source.name))
    # The resource name is the contract's.
    return await lookup.may(user, Right(here, "pods")) and await lookup.may(user, Right(here, "pvcs"))
