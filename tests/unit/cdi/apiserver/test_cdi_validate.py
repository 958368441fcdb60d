from __future__ import annotations

from typing import Any

import pytest
from support.admission import Known, delete
from support.asynchronous import asynchronous

from cdi.apiserver.cdi_validate import validate
from cdi.apiserver.review import ALLOWED
from cdi.kube.cdi_resources import DATA_VOLUMES

CRON = {"labels": {"cdi.kubevirt.io/dataImportCron": "fedora"}}


def system(strategy: str = "BlockUninstallIfWorkloadsExist", phase: str = "Deployed") -> dict[str, Any]:
    return {"metadata": {"name": "cdi"}, "spec": {"uninstallStrategy": strategy}, "status": {"phase": phase}}


@asynchronous
async def test_an_end_that_would_take_volumes_along_is_refused() -> None:
    answer = await validate(delete(system()), Known().add(DATA_VOLUMES, "disk", "team"))
    assert (answer.allowed, answer.code) == (False, 400)
    assert answer.message == (
        "rejecting the uninstall request, since there are still 1 DataVolumes present. Either delete all DataVolumes "
        "(for example team/disk) or change the uninstall strategy before uninstalling CDI"
    )


@pytest.mark.parametrize(
    "body",
    [system("RemoveWorkloads"), system(phase=""), system(phase="Error")],
    ids=["wanted", "never deployed", "in error"],
)
@asynchronous
async def test_it_is_allowed_where_that_is_wanted_or_nothing_runs(body: dict[str, Any]) -> None:
    assert await validate(delete(body), Known().add(DATA_VOLUMES, "disk", "team")) == ALLOWED


@asynchronous
async def test_it_is_allowed_without_volumes_but_those_of_crons() -> None:
    assert await validate(delete(system()), Known()) == ALLOWED
    assert await validate(delete(system()), Known().add(DATA_VOLUMES, "disk", "team", metadata=CRON)) == ALLOWED
