"""DataSources: names for what is cloned."""

from __future__ import annotations

from support.kinds import Namespace, Object, condition
from support.manifests import V1BETA1, datavolume, storage


def _source(name: str, **source: Object) -> Object:
    return {"apiVersion": V1BETA1, "kind": "DataSource", "metadata": {"name": name}, "spec": {"source": source}}


def _ready(reason: str) -> object:
    return lambda found: condition(found, "Ready").get("reason") == reason


def test_readiness_follows_the_claim(space: Namespace) -> None:
    space.create(_source("golden", pvc={"namespace": space.name, "name": "disk"}))
    space.wait("DataSource", "golden", _ready("NotFound"))
    labels = {"instancetype.kubevirt.io/default-instancetype": "small"}
    space.create(datavolume("disk", {"blank": {}}, labels=labels, storage=storage("64Mi", "shared")))
    found = space.wait("DataSource", "golden", _ready("Ready"))
    assert condition(found, "Ready")["message"] == "DataSource is ready to be consumed"
    assert found["status"]["source"]["pvc"] == {"namespace": space.name, "name": "disk"}
    space.wait("DataSource", "golden", lambda item: labels.items() <= (item["metadata"].get("labels") or {}).items())


def test_a_pointer_follows_what_it_points_to(space: Namespace) -> None:
    space.create(_source("pointer", dataSource={"namespace": space.name, "name": "golden"}))
    space.wait("DataSource", "pointer", _ready("NotFound"))
    space.create(_source("golden", pvc={"namespace": space.name, "name": "disk"}))
    space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", "shared")))
    space.wait("DataSource", "pointer", _ready("Ready"))


def test_what_cannot_be_resolved_says_why(space: Namespace) -> None:
    space.create(_source("nothing"))
    space.create(_source("self", dataSource={"namespace": space.name, "name": "self"}))
    space.create(_source("away", dataSource={"namespace": "default", "name": "other"}))
    space.create(_source("first", dataSource={"namespace": space.name, "name": "self"}))
    reasons = {
        "nothing": "NoSource",
        "self": "SelfReference",
        "away": "CrossNamespaceReference",
        "first": "MaxReferenceDepthReached",
    }
    for name, reason in reasons.items():
        space.wait("DataSource", name, _ready(reason))
