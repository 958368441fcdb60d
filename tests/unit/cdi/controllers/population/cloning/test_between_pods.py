"""Clones between two pods: what is made where, who may read what, and that nothing is left."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.clonemodel import World

from cdi.contract import annotations as a
from cdi.controllers.population.plan import Create, Role
from cdi.kube.pods import Pod
from cdi.trust.tokens import Permit, Place

SERVER, READER = "cdi-upload-disk", "cdi-clone-source"
PERMIT = Permit(Place("other", "golden"), Place("ns", "disk"))


def begun(**options: Any) -> World:
    world = World(direct=True, **options)
    world.settle()
    world.bind("disk", "ns")
    world.settle()
    world.start(SERVER)
    world.settle()
    return world


def reader(world: World) -> Pod | None:
    return world.stores.pods.get(world.named("source_pod"), world.namespace)


def finish(world: World) -> None:
    world.bind("disk", "ns")
    world.settle()
    world.start(SERVER)
    world.settle()
    world.copy()
    world.settle()
    world.end_pod(SERVER, "ns", "cdi-upload-server")
    world.settle()


@pytest.mark.parametrize("namespace", ["ns", "other"])
def test_each_pod_is_made_where_its_claim_is_and_knows_the_other(namespace: str) -> None:
    world = World(direct=True, source_namespace=namespace, permits=(PERMIT,) if namespace == "other" else ())
    world.settle()
    world.bind("disk", "ns")
    made = [action.wanted for action in world.reconcile() if isinstance(action, Create)]
    world.start(SERVER)
    made += [action.wanted for action in world.reconcile() if isinstance(action, Create)]
    made = [item for item in made if item.role is not Role.IDENTITY]  # it is asked for until the pod has started
    assert [item.role for item in made] == [Role.SERVICE, Role.WORKER, Role.SOURCE]
    assert [item.body["metadata"]["namespace"] for item in made] == ["ns", "ns", namespace]
    server, source = made[1].body["spec"]["containers"][0], made[2].body["spec"]
    told = {item["name"]: item.get("value") for item in server["env"]}
    assert told["CLIENT_NAME"] == f"{namespace}/golden-ns/disk"
    assert told["CDI_CLIENT_URI"] == f"urn:uuid:{world.target.metadata.uid}"
    assert source["volumes"][0]["persistentVolumeClaim"] == {"claimName": "golden", "readOnly": True}
    assert source["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["cdi-upload-disk.ns.svc"]}]
    assert made[2].body["metadata"]["ownerReferences"] == []
    assert world.annotations[a.UPLOAD_CLIENT_NAME] == told["CLIENT_NAME"]
    assert a.SOURCE_FINALIZER in world.target.metadata.finalizers


def test_it_ends_with_the_contracts_outputs_and_nothing_left() -> None:
    world = begun()
    finish(world)
    assert (world.annotations[a.POD_PHASE], world.annotations[a.CLONE_OF]) == ("Succeeded", "true")
    assert (world.annotations[a.RUNNING], world.annotations[a.RUNNING_MESSAGE]) == ("false", "Clone Complete")
    assert a.SOURCE_RUNNING not in world.annotations
    assert world.stores.pods.all() == []
    assert world.target.metadata.finalizers == []
    assert [event.reason for event in world.told] == ["CloneSucceeded"]
    assert world.settle() == []


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(("copy", "fail", "lose reader", "lose server", "bind", "start")), st.integers(0, 4)),
        max_size=8,
    )
)
def test_whoever_dies_wherever_it_ends_the_same(moves: list[tuple[str, int]]) -> None:
    world = World(direct=True)
    for move, lost in moves:
        world.reconcile(lost)
        match move:
            case "copy":
                world.copy()
            case "fail":
                world.copy(exit_code=1, message="[TargetFull] full. Try: more")
            case "start":
                world.start(SERVER)
            case "bind":
                world.bind("disk", "ns")
            case _:
                name = world.named("source_pod") if move == "lose reader" else SERVER
                world.drop_pod(name, "ns")
    finish(world)
    assert world.annotations[a.POD_PHASE] == "Succeeded"
    assert world.stores.pods.all() == []
    assert world.target.metadata.finalizers == []


def test_a_reader_that_fails_is_told_of_and_left_to_the_kubelet() -> None:
    world = begun()
    world.copy(exit_code=1, message="[FileUnreadable] disk.img: gone. Try: mend it")
    world.settle()
    assert reader(world) is not None
    assert world.annotations[a.SOURCE_RUNNING] == "false"
    assert "FileUnreadable" in world.annotations[a.SOURCE_RUNNING_MESSAGE]


def test_a_reader_that_is_gone_is_made_again() -> None:
    world = begun()
    world.drop_pod(world.named("source_pod"), "ns")
    world.settle()
    assert reader(world) is not None


@pytest.mark.parametrize("permit", [None, Permit(Place("other", "golden"), Place("ns", "another"))])
def test_nothing_is_made_across_namespaces_without_a_right(permit: Permit | None) -> None:
    world = begun(source_namespace="other", permits=(permit,) if permit else ())
    assert world.stores.pods.all() == []
    assert "datavolumes/source" in world.annotations[a.RUNNING_MESSAGE]
    assert [event.reason for event in world.told] == ["CloneNotPermitted"]


def test_a_source_in_use_by_a_writer_is_waited_for() -> None:
    world = World(direct=True)
    world.mount("golden")
    world.settle()
    world.bind("disk", "ns")
    world.settle()
    assert [pod.metadata.name for pod in world.stores.pods.all()] == ["user"]
    assert [event.reason for event in world.told] == ["CloneSourceInUse"]
    world.drop_pod("user", "ns")
    finish(world)
    assert world.annotations[a.CLONE_OF] == "true"


@pytest.mark.parametrize("said", ["golden", "a/b/c", "", "/golden", "ns/", "x" * 4000])
def test_what_names_no_claim_is_refused(said: str) -> None:
    world = World(direct=True)
    world.change(world.stores.claims, "disk", "ns", metadata={"annotations": {a.CLONE_REQUEST: said}})
    world.bind("disk", "ns")
    world.settle()
    assert world.stores.pods.all() == []


def test_a_target_that_is_deleted_takes_the_reader_with_it() -> None:
    world = begun(source_namespace="other", permits=(PERMIT,))
    assert reader(world) is not None
    world.change(world.stores.claims, "disk", "ns", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    for _ in range(3):
        world.reconcile()
    assert world.stores.pods.all() == []
    assert world.stores.claims.get("disk", "ns") is None


def test_a_pod_of_somebody_else_with_the_readers_name_is_no_obstacle() -> None:
    world = World(direct=True)
    world.put(world.stores.pods, Pod, {}, world.named("source_pod"), "ns")
    world.settle()
    world.bind("disk", "ns")
    world.settle()
    world.start(SERVER)
    world.settle()
    ours = [pod for pod in world.stores.pods.all() if pod.metadata.labels.get(a.COMPONENT) == READER]
    assert len(ours) == 1
    assert ours[0].metadata.name.startswith(world.named("source_pod"))
    assert world.annotations[a.SOURCE_POD_NAME] == ours[0].metadata.name


def test_a_reader_that_sends_to_a_former_address_is_replaced() -> None:
    world = begun()
    before = reader(world)
    assert before is not None
    world.start(SERVER, address="10.0.0.2")
    world.settle()
    after = reader(world)
    assert after is not None
    assert after.metadata.uid != before.metadata.uid
    assert after.metadata.annotations[a.OWN_ADDRESS] == "10.0.0.2"


@pytest.mark.parametrize(
    "changed",
    [
        {a.CLONE_REQUEST: None},
        {a.CLONE_REQUEST: "junk"},
        {a.EXTERNAL: "true"},
        {a.POPULATED_FOR: "disk"},
        {a.CLONE_REQUEST: "another/golden"},
    ],
    ids=str,
)
def test_whatever_is_written_on_it_later_the_claim_can_go(changed: dict[str, str | None]) -> None:
    world = begun(source_namespace="other", permits=(PERMIT,))
    merged = {key: value for key, value in {**world.annotations, **changed}.items() if value is not None}
    deleted = "2026-01-01T00:00:00Z"
    world.change(world.stores.claims, "disk", "ns", metadata={"annotations": merged, "deletionTimestamp": deleted})
    for _ in range(4):
        world.reconcile()
    assert world.stores.pods.all() == []
    assert world.stores.claims.get("disk", "ns") is None


def test_a_writer_that_comes_before_the_reader_is_waited_for() -> None:
    world = World(direct=True)
    world.settle()
    world.bind("disk", "ns")
    world.settle()
    world.mount("golden")
    world.start(SERVER)
    world.settle()
    assert reader(world) is None
    assert "using PersistentVolumeClaim golden" in world.annotations[a.SOURCE_RUNNING_MESSAGE]
    world.drop_pod("user", "ns")
    finish(world)
    assert world.annotations[a.CLONE_OF] == "true"


def test_a_clone_that_another_version_began_is_marked_and_goes_on() -> None:
    world = World(direct=True)
    world.change(world.stores.claims, "disk", "ns", metadata={"finalizers": [a.SOURCE_FINALIZER]})
    finish(world)
    assert world.annotations[a.CLONE_OF] == "true"
    assert world.target.metadata.finalizers == []
