"""DataSources: names for what is cloned."""

from __future__ import annotations

import pytest
from support.kinds import Namespace, Object, Refused, condition
from support.manifests import V1BETA1, datavolume, http, storage
from support.nginx import Nginx


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


def _snapshot(name: str, claim: str) -> Object:
    spec = {"volumeSnapshotClassName": "csi", "source": {"persistentVolumeClaimName": claim}}
    labels = {"instancetype.kubevirt.io/default-preference": "fedora"}
    kind = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot"}
    return {**kind, "metadata": {"name": name, "labels": labels}, "spec": spec}


def test_readiness_follows_the_snapshot(space: Namespace) -> None:
    for name in ("golden", "silver"):
        space.create(_source(name, snapshot={"namespace": space.name, "name": "frozen"}))
        space.wait("DataSource", name, _ready("NotFound"))
    space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", "csi")))
    space.wait_phase("disk", "Succeeded")
    made = space.create(_snapshot("frozen", "disk"))
    labels = made["metadata"]["labels"].items()
    for name in ("golden", "silver"):
        space.wait("DataSource", name, _ready("Ready"))
        space.wait("DataSource", name, lambda found: labels <= (found["metadata"].get("labels") or {}).items())
    space.delete("VolumeSnapshot", "frozen")
    for name in ("golden", "silver"):
        space.wait("DataSource", name, _ready("NotFound"))


def test_all_that_name_a_claim_follow_its_import(space: Namespace, web: Nginx) -> None:
    names = ("golden", "silver")
    for name in names:
        space.create(_source(name, pvc={"namespace": space.name, "name": "disk"}))
    space.create(datavolume("disk", http(web.url("disk.raw", "slow")), storage=storage("128Mi", "shared")))
    for name in names:
        space.wait("DataSource", name, _ready("ImportInProgress"))
    for name in names:
        found = space.wait("DataSource", name, _ready("Ready"))
        assert condition(found, "Ready")["status"] == "True"
    space.delete("DataVolume", "disk")
    for name in names:
        space.wait("DataSource", name, _ready("NotFound"))


def test_the_time_moves_when_another_claim_is_named(space: Namespace) -> None:
    space.create(_source("golden", pvc={"namespace": space.name, "name": "disk"}))
    space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", "shared")))
    before = condition(space.wait("DataSource", "golden", _ready("Ready")), "Ready")["lastTransitionTime"]
    # Times are in seconds: an import lies between the two.
    space.create(datavolume("other", {"blank": {}}, storage=storage("64Mi", "shared")))
    space.wait_phase("other", "Succeeded")
    space.patch("DataSource", "golden", {"spec": {"source": {"pvc": {"name": "other"}}}})
    space.wait(
        "DataSource",
        "golden",
        lambda found: (
            found.get("status", {}).get("source", {}).get("pvc", {}).get("name") == "other"
            and condition(found, "Ready")["lastTransitionTime"] > before
        ),
    )
    assert condition(space.get("DataSource", "golden"), "Ready")["status"] == "True"


def _refers(name: str) -> Object:
    spec = {"sourceRef": {"kind": "DataSource", "name": name}, "storage": storage("64Mi", "shared")}
    return {"apiVersion": V1BETA1, "kind": "DataVolume", "metadata": {"name": "disk"}, "spec": spec}


def test_a_datavolume_waits_for_a_datasource_without_a_source(space: Namespace) -> None:
    space.create(_source("later"))
    space.create(_refers("later"))
    space.create(datavolume("golden", {"blank": {}}, storage=storage("64Mi", "shared")))
    space.wait_phase("golden", "Succeeded")  # what came before it has been worked on
    assert space.find("PersistentVolumeClaim", "disk") is None
    space.wait("DataVolume", "disk", lambda found: condition(found, "Bound").get("reason") == "CloneWithoutSource")
    space.patch("DataSource", "later", {"spec": {"source": {"pvc": {"namespace": space.name, "name": "golden"}}}})
    space.wait_phase("disk", "Succeeded", 120)


def test_a_datavolume_of_no_datasource_is_refused(space: Namespace) -> None:
    with pytest.raises(Refused, match='"nothing" not found'):
        space.create(_refers("nothing"))
