"""Whatever happens in whatever order: a plan that was carried out leaves nothing to do, and the volume is populated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.volumemodel import VolumeWorld

from cdi.contract import annotations as a

MOVES = ("bind", "start", "fail", "succeed", "correct", "remove_source", "remove_claim", "know_class", "prepare")


@given(
    has_driver=st.booleans(),
    knows_class=st.booleans(),
    moves=st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3)), max_size=12),
)
def test_it_settles_after_every_move_and_ends_populated(
    has_driver: bool, knows_class: bool, moves: list[tuple[str, int]]
) -> None:
    world = VolumeWorld(has_driver=has_driver, knows_class=knows_class)
    for move, lost in moves:
        getattr(world, move)()
        world.reconcile(lost)  # dies among its actions, or not
        world.settle()

    world.know_class()
    for _ in range(3):
        world.settle()
        world.succeed()
    world.settle()

    assert world.claim is not None
    assert world.volume["status"]["phase"] == "Succeeded"
    assert world.volume["status"]["claimName"] == "disk"
    assert world.source is None  # it has done its work
    assert world.deleted == []
    assert world.reconcile() == []


@given(has_driver=st.booleans(), corrections=st.integers(1, 3))
def test_a_correction_reaches_whoever_imports(has_driver: bool, corrections: int) -> None:
    world = VolumeWorld(has_driver=has_driver)
    world.settle()
    for _ in range(corrections):
        world.fail()
        world.correct()
        world.settle()
    url = world.volume["spec"]["source"]["http"]["url"]
    assert world.claim is not None
    asked = world.source["spec"]["source"]["http"]["url"] if world.source else None
    assert (asked or world.claim["metadata"]["annotations"][a.ENDPOINT]) == url
    assert world.claim["metadata"]["annotations"][a.CHECKSUM] == world.volume["metadata"]["annotations"][a.CHECKSUM]
