"""Whatever happens in whatever order: a plan that was carried out leaves nothing to do, and the volume is populated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.populationmodel import World, changes_something

from cdi.contract import annotations as a
from cdi.kube.objects import Event

WAYS = ("direct", "populator")
WORKS = ("import", "upload")
BINDINGS = ("Immediate", "WaitForFirstConsumer")
MOVES = ("bind", "choose_node", "run", "fail", "expire", "evict", "remove_pod")


@given(
    work=st.sampled_from(WORKS),
    way=st.sampled_from(WAYS),
    binding=st.sampled_from(BINDINGS),
    moves=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3)), max_size=12),
)
def test_it_settles_after_every_move_and_ends_populated(
    work: str, way: str, binding: str, moves: list[tuple[str, int]]
) -> None:
    world = World(way, binding, work)
    for move, lost in moves:
        getattr(world, move)()
        world.reconcile(lost)  # dies among its actions, or not
    world.settle()

    world.choose_node()
    for _ in range(4):
        world.settle()
        world.bind()
        world.run()
        world.settle()
        world.succeed()
        world.settle()

    annotations = world.target.metadata.annotations
    assert world.target.status.phase == "Bound"
    assert annotations[a.POD_PHASE] == "Succeeded"
    assert (annotations[a.RUNNING], annotations[a.RUNNING_REASON]) == ("false", "Completed")
    assert (world.pod, world.service, world.prime) == (None, None, None)
    assert not [action for action in world.reconcile() if changes_something(action)]


@pytest.mark.parametrize("way", WAYS)
def test_a_success_is_not_worked_on_again_when_its_pod_goes_first(way: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.run()
    world.settle()
    made = world.workers
    world.succeed()
    world.settle()
    world.remove_pod()
    world.settle()
    assert world.workers == made == 1


@pytest.mark.parametrize("way", WAYS)
def test_no_worker_before_there_is_a_consumer(way: str) -> None:
    world = World(way, "WaitForFirstConsumer")
    world.settle()
    assert (world.pod, world.prime) == (None, None)
    world.choose_node()
    world.settle()
    world.bind()
    world.settle()
    assert world.pod is not None


@pytest.mark.parametrize("way", WAYS)
def test_a_failed_attempt_is_the_kubelets_to_repeat(way: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.fail()
    world.settle()
    annotations = world.target.metadata.annotations
    assert world.pod is not None
    assert annotations[a.RUNNING_REASON] == "Error"
    assert "[SourceNotFound]" in annotations[a.RUNNING_MESSAGE]
    assert annotations[a.POD_RESTARTS] == "1"
    assert annotations[a.POD_PHASE] == "Running"
    assert a.FATAL not in annotations


@pytest.mark.parametrize("way", WAYS)
def test_a_checksum_mismatch_is_given_up_until_the_request_changes(way: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.succeed('{"message": "Unable to process data: checksum mismatch: expected a, got b"}')
    world.settle()
    annotations = world.target.metadata.annotations
    assert (annotations[a.POD_PHASE], annotations[a.FATAL]) == ("Failed", "true")
    assert annotations[a.RUNNING_REASON] == "ChecksumError"
    assert world.pod is None
    assert world.target.spec.volume_name == ("volume" if way == "direct" else "")


@pytest.mark.parametrize("way", WAYS)
def test_scratch_is_made_only_for_a_worker_that_asks(way: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    assert world.scratch is None
    world.succeed('{"scratchSpaceRequired": true}')
    world.settle()
    assert world.workers == 2
    assert world.scratch is not None
    assert [v.name for v in world.pod.spec.volumes if "scratch" in v.name] if world.pod else False


def test_an_evicted_worker_is_replaced_and_restarts_never_go_down() -> None:
    world = World("direct")
    world.settle()
    world.bind()
    world.settle()
    world.fail()
    world.settle()
    world.evict()
    world.settle()
    assert world.workers == 2
    assert world.target.metadata.annotations[a.POD_RESTARTS] == "1"


@pytest.mark.parametrize("way", WAYS)
def test_a_failure_is_told_once_per_attempt_on_the_claim_that_people_know(way: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.fail()
    world.settle()
    world.settle()
    told = [event for event in world.events if event.reason == "ErrImportFailed"]
    assert [event.claim.name for event in told] == ["disk"]
    assert told[0].message.endswith("[SourceNotFound] gone. Try: mend it")


def test_a_success_in_a_pod_that_goes_already_counts() -> None:
    world = World()
    world.settle()
    world.bind()
    world.settle()
    world.succeed()
    world.start_removal()
    world.settle()
    assert world.target.metadata.annotations[a.POD_PHASE] == "Succeeded"
    assert world.workers == 1


@pytest.mark.parametrize(("way", "reason"), [("direct", "ImportSucceeded"), ("populator", "importSucceeded")])
def test_a_success_is_told_once(way: str, reason: str) -> None:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.succeed()
    world.settle()
    assert [event.reason for event in world.events if event.reason.lower() == "importsucceeded"] == [reason]


def test_why_the_target_is_not_bound_stays_until_it_is() -> None:
    """The newest event about PVC', also when PVC' has its volume."""
    world = World("populator")
    world.settle()
    world.event = Event(type="Normal", reason="Provisioning", message="provisioning volume")
    world.settle()
    world.event = None
    for move in (world.bind, world.run, world.fail, world.run):
        move()
        world.settle()
        annotations = world.target.metadata.annotations
        assert (annotations[a.BOUND], annotations[a.BOUND_MESSAGE]) == ("false", "provisioning volume")
    world.succeed()
    world.settle()
    assert world.target.status.phase == "Bound"
    assert a.BOUND not in world.target.metadata.annotations
