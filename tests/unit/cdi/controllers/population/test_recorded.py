"""What the version before has begun goes on: no running import starts anew because of an upgrade.

``recorded/imports.json`` has claims and worker pods as the version of 2026-11-30 (commit 9cc7a2a) made and annotated
them, in each state of a worker, and what that version did next.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.populationmodel import objects, sort_of

from cdi.controllers.population.decide import decide
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import Annotate
from cdi.controllers.settings import Settings
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim, StorageClass

RUNS = json.loads((Path(__file__).parent / "recorded" / "imports.json").read_text())
LABELS = {"app.kubernetes.io/part-of": "kubevirt"}


def name(run: dict[str, Any]) -> str:
    return f"{run['asked']}, {run['mode']}, {run['state']}"


def words(actions: tuple[Any, ...]) -> list[str]:
    return [found if isinstance(found := sort_of(action), str) else found.__name__ for action in actions]


@pytest.mark.parametrize("run", RUNS, ids=name)
def test_the_new_version_does_what_the_recorded_one_did(run: dict[str, Any]) -> None:
    claim, pod = msgspec.convert(run["claim"], PersistentVolumeClaim), msgspec.convert(run["pod"], Pod)
    seen = Observed(
        claim,
        objects=objects(pod=pod),
        storage_class=StorageClass(provisioner="x"),
        pod_age_s=600.0,
        pod_is_made=True,
        settings=Settings(importer_image="registry/cdi:2", labels=LABELS),
        durable="d" if run["mode"] == "Block" else "",
    )
    actions = decide(seen).actions
    assert words(actions) == run["then"]
    assert not [action for action in actions if isinstance(action, Annotate)], "the claim says it all already"
