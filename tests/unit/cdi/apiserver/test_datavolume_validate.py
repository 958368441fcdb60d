"""D0 to D3, and the webhook around the rules of ``cdi.api.validation``."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.admission import Known, create, texts, update
from support.asynchronous import asynchronous

from cdi.apiserver import datavolume_validate
from cdi.apiserver.review import ALLOWED, Answer, Request
from cdi.kube.cdi_resources import CDI_CONFIGS
from cdi.kube.resources import CLAIMS

URL = "http://example.invalid/disk"


def a_volume(source: dict[str, Any] | None = None, size: str = "1Gi", **metadata: Any) -> dict[str, Any]:
    spec = {"source": source or {"http": {"url": URL}}, "storage": {"resources": {"requests": {"storage": size}}}}
    return {"metadata": {"name": "disk", "namespace": "team", **metadata}, "spec": spec}


async def asked(request: Request, lookup: Known | None = None) -> Answer:
    request.resource.resource = request.resource.resource or "datavolumes"
    return await datavolume_validate.validate(request, lookup or Known())


@asynchronous
async def test_what_is_right_is_allowed() -> None:
    assert await asked(create(a_volume())) == ALLOWED


@asynchronous
async def test_another_kind_is_no_question_for_this_webhook() -> None:
    answer = await asked(create(a_volume(), "pods"))
    assert (answer.code, answer.message) == (400, "expect resource to be 'datavolumes'")


@asynchronous
async def test_a_broken_rule_is_refused_with_its_field_and_text() -> None:
    answer = await asked(create(a_volume({"http": {"url": "ftp://h/d"}})))
    text = "spec.source Invalid source URL scheme: ftp://h/d"
    assert (answer.code, answer.message) == (422, f" {text}")
    assert texts(answer) == [("FieldValueInvalid", "spec.source.HTTP.url", text)]


@asynchronous
async def test_a_changed_spec_is_refused() -> None:
    answer = await asked(update(a_volume(), a_volume(size="2Gi")))
    assert answer.code == 422
    ((reason, field, text),) = texts(answer)
    assert (reason, field) == ("FieldValueDuplicate", "DataVolume.Spec")
    assert text.startswith(
        "Cannot update DataVolume Spec: spec.storage.resources.requests.storage cannot be changed. Of an import"
    )


@asynchronous
async def test_metadata_and_the_notation_of_sizes_may_change() -> None:
    assert await asked(update(a_volume(), a_volume(size="1024Mi", labels={"a": "b"}))) == ALLOWED


@asynchronous
async def test_one_that_is_deleted_loses_its_finalizers_whatever_it_says() -> None:
    wrong = a_volume({"http": {"url": ""}}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert await asked(update(wrong, wrong)) == ALLOWED


HELD: dict[str, dict[str, Any]] = {
    "failed": {"phase": "Failed"},
    "its pod is replaced": {
        "phase": "ImportScheduled",
        "failure": {"code": "NotFound", "permanent": True, "since": "2026-01-01T00:00:00Z", "attempts": 2},
    },
    "held": {"phase": "ImportInProgress", "conditions": [{"type": "Running", "status": "False", "reason": "Error"}]},
    "tried again": {
        "phase": "ImportInProgress",
        "conditions": [{"type": "Running", "status": "True"}],
        "failure": {"code": "NotFound", "permanent": True, "since": "2026-01-01T00:00:00Z", "attempts": 2},
    },
}
RUNNING: dict[str, dict[str, Any]] = {
    "new": {},
    "running": {"phase": "ImportInProgress", "conditions": [{"type": "Running", "status": "True"}]},
    "passing": {
        "phase": "ImportInProgress",
        "failure": {"code": "Unreachable", "permanent": False, "since": "2026-01-01T00:00:00Z", "attempts": 2},
    },
    "done": {"phase": "Succeeded"},
}


@pytest.mark.parametrize("status", HELD.values(), ids=HELD)
@asynchronous
async def test_the_source_of_a_held_or_failed_import_may_be_corrected(status: dict[str, Any]) -> None:
    before = {**a_volume(), "status": status}
    assert await asked(update(before, a_volume({"http": {"url": URL + "2"}}))) == ALLOWED
    for other in (a_volume({"s3": {"url": URL}}), a_volume(size="2Gi")):
        assert "Cannot update DataVolume Spec" in (await asked(update(before, other))).message
    worse = await asked(update(before, a_volume({"http": {"url": "nothing"}})))
    assert worse.message == " spec.source Invalid source URL: nothing"


@pytest.mark.parametrize("status", RUNNING.values(), ids=RUNNING)
@asynchronous
async def test_the_source_of_any_other_import_may_not(status: dict[str, Any]) -> None:
    before = {**a_volume(), "status": status}
    answer = await asked(update(before, a_volume({"http": {"url": URL + "2"}})))
    assert "Cannot update DataVolume Spec" in answer.message


VDDK = {"url": "https://h", "uuid": "u", "backingFile": "b", "thumbprint": "t", "secretRef": "s"}


@asynchronous
async def test_a_migration_gets_more_checkpoints() -> None:
    before = a_volume({"vddk": VDDK})
    after = copy.deepcopy(before)
    after["spec"] |= {"checkpoints": [{"previous": "", "current": "a"}], "finalCheckpoint": True}
    assert await asked(update(before, after)) == ALLOWED


TAKEN = [("FieldValueDuplicate", "DataVolume.Name", "Destination PVC team/disk already exists")]


def owned(kind: str) -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": "x", "uid": "y", "controller": True}]}


@pytest.mark.parametrize("metadata", [{}, owned("StatefulSet")], ids=["nobody's", "another controller's"])
@asynchronous
async def test_a_claim_of_that_name_is_in_the_way(metadata: dict[str, Any]) -> None:
    answer = await asked(create(a_volume()), Known().add(CLAIMS, "disk", "team", metadata=metadata))
    assert answer.code == 422
    assert texts(answer) == TAKEN


FOR_THIS = {"annotations": {"cdi.kubevirt.io/storage.populatedFor": "disk"}}
FOR_ANOTHER = {"annotations": {"cdi.kubevirt.io/storage.populatedFor": "other"}}


@pytest.mark.parametrize("metadata", [FOR_THIS, owned("DataVolume")], ids=["populated for it", "a DataVolume's"])
@asynchronous
async def test_a_claim_that_was_meant_for_it_is_not(metadata: dict[str, Any]) -> None:
    assert await asked(create(a_volume()), Known().add(CLAIMS, "disk", "team", metadata=metadata)) == ALLOWED


@asynchronous
async def test_a_claim_that_is_populated_for_another_one_is() -> None:
    answer = await asked(create(a_volume()), Known().add(CLAIMS, "disk", "team", metadata=FOR_ANOTHER))
    assert texts(answer) == TAKEN


@pytest.mark.parametrize(
    ("said", "gate", "adopted"),
    [("true", False, True), ("false", True, False), ("perhaps", True, False), (None, True, True), (None, False, False)],
)
@asynchronous
async def test_a_claim_may_be_adopted_when_the_volume_or_the_cluster_says_so(
    said: str | None, gate: bool, adopted: bool
) -> None:
    known = Known().add(CLAIMS, "disk", "team")
    known.add(CDI_CONFIGS, "config", spec={"featureGates": ["DataVolumeClaimAdoption"] if gate else []})
    annotations = {} if said is None else {"cdi.kubevirt.io/allowClaimAdoption": said}
    answer = await asked(create(a_volume(annotations=annotations)), known)
    assert texts(answer) == ([] if adopted else TAKEN)


@asynchronous
async def test_a_name_that_is_not_made_yet_is_taken_by_nobody() -> None:
    body = a_volume(name="", generateName="disk-")
    assert await asked(create(body), Known().add(CLAIMS, "disk", "team")) == ALLOWED


@asynchronous
async def test_an_upload_is_acted_on() -> None:
    assert await asked(create(a_volume({"upload": {}}))) == ALLOWED


@pytest.mark.parametrize(("source", "name"), [({"registry": {"url": "docker://h/i"}}, "registry")])
@asynchronous
async def test_a_source_without_a_controller_says_so(source: dict[str, Any], name: str) -> None:
    answer = await asked(create(a_volume(source)))
    assert (answer.allowed, answer.warnings) == (
        True,
        (f"source {name} is accepted, not acted on by this version",),
    )
