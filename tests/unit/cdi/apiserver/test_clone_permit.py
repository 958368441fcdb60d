"""Nobody learns the size of another namespace's volume without a token for it."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from support.admission import Known, create
from support.asynchronous import asynchronous

from cdi.apiserver.clone_permit import mutate
from cdi.kube.cdi_resources import STORAGE_PROFILES, VOLUME_CLONE_SOURCES
from cdi.kube.resources import CLAIMS, STORAGE_CLASSES
from cdi.trust.tokens import Permit, Place, Signer, key_pair

SIGNER = Signer(key_pair().private)
SHORT, EXTENDED = "cdi.kubevirt.io/storage.clone.token", "cdi.kubevirt.io/storage.extended.clone.token"
SOURCE, TARGET = Place("images", "fedora"), Place("team", "disk")
SETS = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]
GI = 1 << 30


def known() -> Known:
    """``images/fedora``: a source object over a claim of the same name, of 5 GiB."""
    profile = {"provisioner": "p", "claimPropertySets": SETS}
    found = Known().add(STORAGE_CLASSES, "fast", provisioner="p").add(STORAGE_PROFILES, "fast", status=profile)
    found.add(
        VOLUME_CLONE_SOURCES, "fedora", "images", spec={"source": {"kind": "PersistentVolumeClaim", "name": "fedora"}}
    )
    spec = {"storageClassName": "fast", "volumeMode": "Block", "resources": {"requests": {"storage": "5Gi"}}}
    return found.add(CLAIMS, "fedora", "images", spec=spec, status={"capacity": {"storage": "5Gi"}})


def a_clone(namespace: str = "images", size: str | None = None, **annotations: str) -> dict[str, Any]:
    notes = {"cdi.kubevirt.io/dataSourceNamespace": namespace} | annotations
    labels = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    source = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": "fedora"}
    requests = {"requests": {"storage": size}} if size else {}
    metadata = {"name": "disk", "namespace": "team", "labels": labels, "annotations": notes}
    return {"metadata": metadata, "spec": {"storageClassName": "fast", "dataSourceRef": source, "resources": requests}}


def token(source: Place = SOURCE, target: Place = TARGET, **given: Any) -> str:
    signer = given.pop("signer", SIGNER)
    made = given.pop("made", datetime.datetime.now(datetime.UTC))
    return signer.token(Permit(source, target, **given), made)


@pytest.mark.parametrize("key", [SHORT, EXTENDED])
@asynchronous
async def test_with_a_token_for_just_that_the_size_is_filled_in(key: str) -> None:
    answer = await mutate(create(a_clone(**{key: token()})), known(), verify=SIGNER.verified)
    assert answer.patch[0]["value"]["resources"]["requests"]["storage"] == str(5 * GI)


HOUR = datetime.timedelta(hours=1)
WORTHLESS = {
    "none": None,
    "nonsense": "a.b.c",
    "too long": "a" * 100_000,
    "of another key": token(signer=Signer(key_pair().private)),
    "over": token(made=datetime.datetime.now(datetime.UTC) - HOUR),
    "not yet": token(made=datetime.datetime.now(datetime.UTC) + HOUR),
    "for another source": token(Place("images", "debian")),
    "for another namespace": token(Place("elsewhere", "fedora")),
    "for another claim": token(target=Place("team", "other")),
    "for another team": token(target=Place("other", "disk")),
    "for a snapshot": token(is_snapshot=True),
}


@pytest.mark.parametrize("given", WORTHLESS.values(), ids=WORTHLESS)
@asynchronous
async def test_without_one_it_is_refused_and_no_different_for_what_is_not_there(given: str | None) -> None:
    notes = {} if given is None else {SHORT: given, EXTENDED: given}
    refused = await mutate(create(a_clone(**notes)), known(), verify=SIGNER.verified)
    assert (refused.allowed, refused.code) == (False, 400)
    assert "a clone from namespace images needs a clone token, and claim team/disk has none" in refused.message
    assert await mutate(create(a_clone(**notes)), Known(), verify=SIGNER.verified) == refused


@asynchronous
async def test_where_no_key_is_no_token_is_believed() -> None:
    assert not (await mutate(create(a_clone(**{SHORT: token()})), known(), verify=None)).allowed


@asynchronous
async def test_a_claim_that_says_its_size_and_one_of_the_own_namespace_need_none() -> None:
    assert (await mutate(create(a_clone(size="6Gi")), known(), verify=SIGNER.verified)).allowed
    answer = await mutate(create(a_clone("team")), known(), verify=SIGNER.verified)
    assert answer.message == 'volumeclonesources.cdi.kubevirt.io "fedora" not found'
