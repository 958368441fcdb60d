"""/datavolume-mutate: whether the person may clone that, and whether sizes are sizes (this runs before the schema)."""

from __future__ import annotations

import dataclasses
import datetime
import secrets
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from cdi.api.datasource import DataSource, DataSourceOrigin
from cdi.api.datavolume import DataVolume, VolumeRef
from cdi.api.violation import Violation
from cdi.apiserver.clone_denial import advice
from cdi.apiserver.decoding import check_quantities, decoded
from cdi.apiserver.lookup import Lookup, Right
from cdi.apiserver.review import ALLOWED, Answer, Request, annotate, broken, refused
from cdi.contract import annotations as a
from cdi.kube.cdi_resources import DATA_SOURCES
from cdi.kube.objects import Object
from cdi.kube.resources import NAMESPACES
from cdi.kube.reviews import UserInfo
from cdi.trust.tokens import Permit, Place

Sign = Callable[[Permit, datetime.datetime], str]

_LENIENT = (a.PRE_POPULATED, a.CHECK_STATIC)  # nothing is cloned then
_CDI = "cdi.kubevirt.io"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no words come out of these
_LONGEST_PREFIX = 58
_OTHER_PATH = (
    "this request did not come by the path that only API servers know, so that it gets no clone token, without which "
    "a clone from namespace {} would wait for ever. If the manifests were just applied, try again in a minute"
)


async def mutate(request: Request, lookup: Lookup, *, sign: Sign | None) -> Answer:
    """``sign``: None for who is not known to be an API server, and may have written down any user."""
    volume = decoded(request.object, DataVolume)
    if volume.metadata.deletion_timestamp:
        return ALLOWED
    check_quantities(volume.spec)
    if any(key in volume.metadata.annotations for key in _LENIENT):
        return ALLOWED
    namespace = request.namespace or volume.metadata.namespace
    origin = await _origin(volume, namespace, lookup)
    if isinstance(origin, Answer):
        return origin
    source, is_snapshot = origin.pvc or origin.snapshot, origin.pvc is None
    if source is None:
        return ALLOWED
    source = replace(source, namespace=source.namespace or namespace)
    refusal = await _refusal(request.user_info, source, namespace, lookup, is_snapshot=is_snapshot)
    if refusal is not None or request.operation != "CREATE":
        return refusal or ALLOWED
    return _permitted(request, volume, Place(source.namespace, source.name), is_snapshot=is_snapshot, sign=sign)


def _permitted(request: Request, volume: DataVolume, source: Place, *, is_snapshot: bool, sign: Sign | None) -> Answer:
    """With a token that names source and target; so a name that would be generated later is generated here."""
    if sign is None:
        here = request.namespace or volume.metadata.namespace
        return ALLOWED if source.namespace == here else broken(_OTHER_PATH.format(source.namespace))
    named: tuple[dict[str, Any], ...] = ()
    name = request.name or volume.metadata.name
    if not name:
        prefix = decoded(request.object, Object).metadata.generate_name[:_LONGEST_PREFIX]
        name = prefix + "".join(secrets.choice(_LETTERS) for _ in range(5))
        named = ({"op": "add", "path": "/metadata/name", "value": name},)
    target = Place(request.namespace or volume.metadata.namespace, name)
    token = sign(Permit(source, target, is_snapshot), datetime.datetime.now(datetime.UTC))
    return Answer(patch=named + annotate(volume.metadata.annotations, {a.CLONE_TOKEN: token}))


async def _refusal(
    user: UserInfo, source: VolumeRef, namespace: str, lookup: Lookup, *, is_snapshot: bool
) -> Answer | None:
    if source.namespace == namespace:
        return None
    if await lookup.find(NAMESPACES, source.namespace) is None:
        return broken(f'namespaces "{source.namespace}" not found')
    if await _may_clone(user, source, lookup, is_snapshot=is_snapshot):
        return None
    text = f"User {user.username} has insufficient permissions in clone source namespace {source.namespace}"
    answer = refused([Violation("spec.source.PVC.namespace", text)])
    return dataclasses.replace(answer, message=f"{answer.message}. {advice(user, source)}")


async def _origin(volume: DataVolume, namespace: str, lookup: Lookup) -> DataSourceOrigin | Answer:
    """What is cloned; empty for what is no clone."""
    spec = volume.spec
    if spec.source is not None:
        return DataSourceOrigin(pvc=spec.source.pvc, snapshot=spec.source.snapshot)
    if spec.source_ref is None or spec.source_ref.kind != "DataSource":
        return DataSourceOrigin()
    place = spec.source_ref.namespace or namespace
    found: DataSource | None = None
    if spec.source_ref.name:
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
    here, name = source.namespace, source.name
    if await lookup.may(user, Right(here, "datavolumes", _CDI, name, "source")):
        return True
    may_run_pods = await lookup.may(user, Right(here, "pods", name=name))
    if not is_snapshot or not may_run_pods:
        return may_run_pods
    return await lookup.may(user, Right(here, "pvcs", name=name))  # the resource name is the contract's
