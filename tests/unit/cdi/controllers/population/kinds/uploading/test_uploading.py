"""Uploads as a kind of work: what is made, in which order, and what becomes of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from support.populationmodel import World, changes_something, sort_of

from cdi.contract import annotations as a
from cdi.controllers.population.decide import decide
from cdi.controllers.population.plan import Create, Delete, Role
from cdi.kube.pods import Service

WAYS = ("direct", "populator")


def waiting(way: str) -> World:
    """Its server runs and is ready."""
    world = World(way, work="upload")
    world.settle()
    world.bind()
    world.settle()
    world.run()
    ready(world)
    return world


def ready(world: World, state: bool = True) -> None:
    world.run(ready=state)
    world.settle()


def annotations(world: World) -> dict[str, str]:
    return world.target.metadata.annotations


def created(world: World) -> dict[Role, Any]:
    """What one pass over a bound claim makes, in its order."""
    world.settle()
    world.bind()
    return {action.wanted.role: action.wanted for action in world.reconcile() if isinstance(action, Create)}


def test_the_service_is_made_before_the_pod_and_the_secret_with_it() -> None:
    made = created(World("direct", work="upload"))
    assert list(made) == [Role.SERVICE, Role.WORKER]
    assert [item.role for item in made[Role.WORKER].belongings] == [Role.IDENTITY]
    assert "ownerReferences" not in made[Role.WORKER].belongings[0].body["metadata"]


@pytest.mark.parametrize(("way", "claim"), [("direct", "disk"), ("populator", "prime-1")])
def test_names_and_labels_are_the_contract_s(way: str, claim: str) -> None:
    made = created(World(way, work="upload"))
    pod, service = made[Role.WORKER].body, made[Role.SERVICE].body
    name = f"cdi-upload-{claim}"
    assert (pod["metadata"]["name"], service["metadata"]["name"]) == (name, name)
    labels = pod["metadata"]["labels"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {key: labels[key] for key in ("service", "cdi.kubevirt.io/uploadTarget")}
    assert (labels["cdi.kubevirt.io"], labels["service"]) == ("cdi-upload-server", name)
    (owner,) = pod["metadata"]["ownerReferences"]
    assert labels["cdi.kubevirt.io/uploadTarget"] == owner["uid"]
    for body in (pod, service, made[Role.WORKER].belongings[0].body):
        assert body["metadata"]["annotations"]["cdi.kubevirt.io/storage.createdByUploadController"] == "yes"
    assert made[Role.WORKER].belongings[0].body["metadata"]["name"] == name


def test_the_server_is_told_what_the_contract_says() -> None:
    made = created(World("direct", work="upload"))
    spec = made[Role.WORKER].body["spec"]
    (container,) = spec["containers"]
    told = {item["name"]: item["value"] for item in container["env"]}
    assert (told["UPLOAD_IMAGE_SIZE"], told["FILESYSTEM_OVERHEAD"], told["PREALLOCATION"]) == ("1Gi", "0", "false")
    assert told["CLIENT_NAME"] == "client.upload-server.cdi.kubevirt.io"
    assert (told["TLS_MIN_VERSION"], told["TLS_KEY_FILE"]) == ("VersionTLS12", "/etc/tls/tls.key")
    assert "DEADLINE" not in told  # known when the pod is made
    assert (told["CDI_CLAIM_NAMESPACE"], told["CDI_CLAIM_NAME"]) == ("ns", "disk")
    assert container["name"] == "cdi-upload-server"
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}
    assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]} == {
        "cdi-data-vol": "/data",
        "tls-config": "/etc/tls/",
    }
    assert spec["restartPolicy"] == "OnFailure"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("way", WAYS)
def test_clients_learn_whether_the_server_is_ready(way: str) -> None:
    world = waiting(way)
    found = annotations(world)
    assert (found[a.POD_PHASE], found[a.POD_READY], found[a.RUNNING]) == ("Running", "true", "true")
    ready(world, False)
    assert annotations(world)[a.POD_READY] == "false"


@pytest.mark.parametrize(
    ("way", "text"), [("direct", "Upload Successful"), ("populator", "Successfully uploaded into disk")]
)
def test_a_success_takes_pod_and_service_away(way: str, text: str) -> None:
    world = waiting(way)
    world.succeed('{"message": "Upload Complete", "preallocationApplied": false}')
    world.settle()
    found = annotations(world)
    assert (found[a.POD_PHASE], found[a.RUNNING_MESSAGE]) == ("Succeeded", "Upload Complete")
    assert (found[a.POD_READY], a.PRIME in found, a.PROGRESS in found) == ("false", False, False)
    assert (world.pod, world.service, world.prime) == (None, None, None)
    assert [event.message for event in world.events if event.reason == "UploadSucceeded"] == [text]


@pytest.mark.parametrize("way", WAYS)
def test_a_deadline_is_neither_success_nor_failure_and_another_server_takes_its_place(way: str) -> None:
    world = waiting(way)
    before = world.workers
    world.expire()
    world.settle()
    assert world.workers == before + 1
    assert annotations(world).get(a.POD_PHASE) == "Pending"
    assert annotations(world)[a.POD_READY] == "false"
    assert not [event for event in world.events if event.type == "Warning"]
    assert len(world.secrets) == world.workers


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_is_never_remembered(way: str) -> None:
    world = waiting(way)
    changed = annotations(world) | {a.OWN_FAILURE_POLICY: "Fail"}
    world.annotate(changed)
    world.fail("Unable to process data: [ImageCorrupt] no disk. Try: another")
    world.settle()
    assert a.FATAL not in annotations(world)
    assert world.pod is not None


def test_a_claim_that_does_not_ask_any_more_loses_pod_and_service() -> None:
    world = waiting("direct")
    world.annotate({a.UPLOAD_TARGET: None})
    world.settle()
    assert (world.pod, world.service) == (None, None)


@pytest.mark.parametrize("running", [False, True])
def test_a_service_that_somebody_deleted_is_made_again(running: bool) -> None:
    world = World("direct", work="upload")
    world.settle()
    world.bind()
    world.settle()
    if running:
        ready(world)
    world.service = None
    assert Role.SERVICE in [sort_of(action) for action in world.reconcile() if changes_something(action)]


def test_a_pod_that_waits_for_its_secret_gets_it_again() -> None:
    """Whoever made the pod may have been stopped in that moment."""
    world = World("direct", work="upload")
    world.settle()
    world.bind()
    world.settle()
    again = [action.wanted for action in world.reconcile() if isinstance(action, Create)]
    assert [item.role for item in again] == [Role.IDENTITY]
    assert world.pod is not None
    assert again[0].body["metadata"]["ownerReferences"][0]["uid"] == world.pod.metadata.uid


def test_a_refused_worker_is_asked_for_without_the_service_that_is_there() -> None:
    """That the service is granted once more would end the back-off of the pod, and wake others."""
    world = World("direct", work="upload")
    world.settle()
    world.bind()
    world.settle()
    world.remove_pod()
    assert [sort_of(action) for action in world.reconcile() if isinstance(action, Create)] == [Role.WORKER]


def test_a_service_of_somebody_else_is_told_and_not_used() -> None:
    world = World("direct", work="upload")
    world.settle()
    world.service = msgspec.convert({"metadata": {"name": "cdi-upload-disk", "namespace": "ns", "uid": "x"}}, Service)
    world.bind()
    world.settle()
    found = annotations(world)
    assert (found[a.RUNNING], found[a.RUNNING_REASON]) == ("false", "ErrStartingPod")
    assert "service cdi-upload-disk is not ours" in found[a.RUNNING_MESSAGE]
    assert world.pod is None and world.service is not None


def test_a_server_whose_deadline_has_passed_at_once_is_replaced_after_a_pause() -> None:
    world = waiting("direct")
    world.expire()
    plan = decide(dataclasses.replace(world.observed(), pod_age_s=1.0))
    assert not [action for action in plan.actions if isinstance(action, Delete)]
    assert plan.wait is not None and 0 < plan.wait < 10


def test_a_pod_that_goes_is_not_ready_any_more() -> None:
    world = waiting("direct")
    world.start_removal()
    world.reconcile()
    assert annotations(world)[a.POD_READY] == "false"
