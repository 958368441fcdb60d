"""Whose log is read: of a pod that we made, which its uid says and nothing that others can compute or copy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as with_
from support.populationmodel import World

from cdi.contract import annotations as a
from cdi.controllers.population.decide import decide
from cdi.controllers.population.outputs import changes
from cdi.controllers.population.plan import Annotate, Follow

WAYS = ("direct", "populator")


def running(way: str) -> World:
    world = World(way)
    world.settle()
    world.bind()
    world.settle()
    world.run()
    return world


def followed(world: World, *, is_made: bool = False) -> list[str]:
    """Uids of the pods that are followed; what is decided is carried out."""
    plan = decide(replace(world.observed(), pod_is_made=is_made))
    for action in plan.actions:
        world._perform(action)
    return [action.uid for action in plan.actions if isinstance(action, Follow)]


@pytest.mark.parametrize("way", WAYS)
def test_a_pod_that_looks_like_ours_in_everything_is_not_followed(way: str) -> None:
    assert followed(running(way)) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_pod_that_we_made_is_followed_also_by_the_next_leader(way: str) -> None:
    world = running(way)
    assert world.pod is not None
    uid = world.pod.metadata.uid
    assert followed(world, is_made=True) == [uid]
    assert followed(world) == [uid]


@pytest.mark.parametrize("way", WAYS)
def test_one_that_took_its_place_is_not(way: str) -> None:
    world = running(way)
    followed(world, is_made=True)
    assert world.pod is not None
    world.pod = with_(world.pod, metadata=with_(world.pod.metadata, uid="another"))
    assert followed(world) == []
    assert followed(world) == []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_of_it_is_left_when_the_work_is_done(way: str) -> None:
    world = running(way)
    followed(world, is_made=True)
    world.succeed()
    world.settle()
    assert a.OWN_WORKER not in world.target.metadata.annotations


def test_it_costs_no_write_of_its_own() -> None:
    world = running("populator")
    plan = decide(replace(world.observed(), pod_is_made=True))
    written = [action for action in plan.actions if isinstance(action, Annotate)]
    assert len({action.claim.uid for action in written}) == len(written)
    assert any(a.OWN_WORKER in changes(action.before, action.after) for action in written)
