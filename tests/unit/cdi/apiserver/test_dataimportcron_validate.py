"""C1 to C9."""

from __future__ import annotations

from typing import Any

import pytest
from support.admission import Known, create, texts, update
from support.asynchronous import asynchronous

from cdi.apiserver.dataimportcron_validate import validate
from cdi.apiserver.review import ALLOWED

REGISTRY = {"registry": {"url": "docker://h/fedora"}}
SIZE = {"resources": {"requests": {"storage": "5Gi"}}}
LONG = "x" * 64
TOO_LONG = "Name cannot be longer than 63 characters"
UNSETTABLE = "Unsettable fields: SourceRef, ContentType, Checkpoints, FinalCheckpoint"


def a_cron(template: dict[str, Any] | None = None, name: str = "fedora", **spec: Any) -> dict[str, Any]:
    wanted = {"source": REGISTRY, "storage": SIZE, **(template or {})}
    given = {"schedule": "0 0 * * 5", "managedDataSource": "fedora", "template": {"spec": wanted}, **spec}
    return {"metadata": {"name": name}, "spec": given}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "C1 name": (a_cron(name=LONG), "", TOO_LONG),
    "C3 no source": (a_cron({"source": None}), "spec.Template", "Missing source"),
    "C3 another source": (a_cron({"source": {"blank": {}}}), "spec.Template", "Missing source"),
    "C4 sourceRef": (
        a_cron({"sourceRef": {"kind": "DataSource", "name": "x"}}),
        "spec.Template",
        UNSETTABLE,
    ),
    "C4 contentType": (a_cron({"contentType": "kubevirt"}), "spec.Template", UNSETTABLE),
    "C4 checkpoints": (
        a_cron({"checkpoints": [{"previous": "", "current": "a"}]}),
        "spec.Template",
        UNSETTABLE,
    ),
    "C4 finalCheckpoint": (a_cron({"finalCheckpoint": True}), "spec.Template", UNSETTABLE),
    "C5 size": (a_cron({"storage": {}}), "Template.Storage.resources.requests.size", "Storage size is missing"),
    "C5 claim": (
        a_cron({"source": {"pvc": {"name": "x"}}}),
        "Template.source.PVC",
        "Template.source.PVC source PVC is not valid",
    ),
    "C5 url": (
        a_cron({"source": {"registry": {"url": "http://h/x"}}}),
        "Template.source.Registry.URL",
        "Illegal registry source URL scheme http://h/x",
    ),
    "C6": (a_cron(schedule="every day"), "spec.Schedule", "Illegal cron schedule"),
    "C7": (a_cron(importsToKeep=-1), "spec.ImportsToKeep", "Illegal ImportsToKeep value"),
    "C8": (a_cron(garbageCollect="Sometimes"), "spec.GarbageCollect", "Illegal GarbageCollect value"),
    "C9 none": (a_cron(managedDataSource=""), "spec.ManagedDataSource", "Illegal ManagedDataSource value"),
    "C9 long": (a_cron(managedDataSource=LONG), "", TOO_LONG),
}


@pytest.mark.parametrize(("cron", "field", "text"), REFUSED.values(), ids=REFUSED)
@asynchronous
async def test_what_is_wrong_is_refused_with_the_contracts_text(cron: dict[str, Any], field: str, text: str) -> None:
    answer = await validate(create(cron), Known())
    assert answer.code == 422
    assert texts(answer) == [("FieldValueInvalid", field, text)]


@pytest.mark.parametrize(
    "cron",
    [
        a_cron(),
        a_cron({"source": {"pvc": {"namespace": "a", "name": "b"}}}),
        a_cron(schedule=""),
        a_cron(schedule="@daily", importsToKeep=0, garbageCollect="Never", retentionPolicy="Whatever"),
    ],
    ids=["registry", "claim", "never by itself", "all fields"],
)
@asynchronous
async def test_what_is_right_is_allowed_and_said_not_to_be_acted_on(cron: dict[str, Any]) -> None:
    answer = await validate(create(cron), Known())
    assert answer.allowed
    assert answer.warnings == ("DataImportCron is accepted, not acted on by this version",)


@asynchronous
async def test_a_changed_spec_is_refused_and_anything_else_may_change() -> None:
    answer = await validate(update(a_cron(), a_cron(schedule="@daily")), Known())
    assert answer.code == 422
    assert texts(answer) == [("FieldValueDuplicate", "DataImportCron.Spec", "Cannot update DataImportCron Spec")]
    labelled = {**a_cron(), "metadata": {"name": "fedora", "labels": {"a": "b"}}}
    assert await validate(update(a_cron(), labelled), Known()) == ALLOWED
