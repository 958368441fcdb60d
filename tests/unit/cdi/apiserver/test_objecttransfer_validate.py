"""O1 to O4."""

from __future__ import annotations

from typing import Any

import pytest
from support.admission import Known, create, update
from support.asynchronous import asynchronous

from cdi.apiserver.objecttransfer_validate import validate
from cdi.apiserver.review import ALLOWED
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.resources import CLAIMS


def a_transfer(kind: str = "DataVolume", **target: str) -> dict[str, Any]:
    source = {"kind": kind, "namespace": "a", "name": "disk"}
    return {"metadata": {"name": "move"}, "spec": {"source": source, "target": target}}


async def refusal(body: dict[str, Any], known: Known) -> str:
    answer = await validate(create(body), known)
    assert (answer.allowed, answer.code) == (False, 400)
    return answer.message


@asynchronous
async def test_a_spec_cannot_be_changed() -> None:
    answer = await validate(update(a_transfer(name="b"), a_transfer(name="c")), Known())
    assert (answer.code, answer.message) == (400, "ObjectTransfer spec is immutable")
    assert await validate(update(a_transfer(name="b"), a_transfer(name="b")), Known()) == ALLOWED


@asynchronous
async def test_it_must_go_somewhere() -> None:
    assert await refusal(a_transfer(), Known()) == "Target namespace and/or target name must be supplied"


@pytest.mark.parametrize("kind", ["VolumeSnapshot", "datavolume", ""])
@asynchronous
async def test_only_two_kinds_can_be_moved(kind: str) -> None:
    assert await refusal(a_transfer(kind, name="b"), Known()) == f'Unsupported kind "{kind}"'


@pytest.mark.parametrize(
    ("target", "place"),
    [({"name": "b"}, "a/b"), ({"namespace": "b"}, "b/disk"), ({"namespace": "b", "name": "c"}, "b/c")],
)
@pytest.mark.parametrize(("kind", "resource"), [("DataVolume", DATA_VOLUMES), ("PersistentVolumeClaim", CLAIMS)])
@asynchronous
async def test_nothing_may_be_there(target: dict[str, str], place: str, kind: str, resource: Any) -> None:
    namespace, name = place.split("/")
    known = Known().add(resource, name, namespace)
    assert await refusal(a_transfer(kind, **target), known) == f'ObjectTransfer target "{place}" already exists'


@asynchronous
async def test_a_transfer_that_is_accepted_comes_with_two_warnings() -> None:
    answer = await validate(create(a_transfer(name="b")), Known())
    assert answer.allowed
    assert answer.warnings == (
        "ObjectTransfer feature is deprecated, and will be deleted soon",
        "ObjectTransfer is accepted, not acted on by this version",
    )
