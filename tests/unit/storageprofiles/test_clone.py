"""How a volume is cloned: the contract's table, and what holds for every combination."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import GiB, MiB
from storageprofiles.clone import VALIDATION, Fallback, Plan, Refusal, Rejected, choose, next_after
from storageprofiles.clone_facts import ClassFacts, Cluster, Method, Source, Target, Wishes
from storageprofiles.sizes import required
from storageprofiles.snapshot_classes import SnapshotClass

CSI, SNAPSHOT, COPY = Method.CSI_CLONE, Method.SNAPSHOT, Method.COPY
DRIVER, OTHER = "csi.example.com", "other.example.com"

SOURCE = Source(
    namespace="golden", name="disk", driver=DRIVER, volume_mode="Filesystem", requested=GiB, capacity=GiB, overhead="0"
)
TAKEN = replace(SOURCE, is_snapshot=True)
TARGET = Target(
    namespace="vms", name="root", storage_class="fast", driver=DRIVER, volume_mode="Filesystem", size=GiB, overhead="0"
)
CLUSTER = Cluster(snapshot_classes=(SnapshotClass("snaps", DRIVER),), classes=(ClassFacts("fast", DRIVER),))


def planned(
    source: Source = SOURCE, target: Target = TARGET, cluster: Cluster = CLUSTER, wishes: Wishes | None = None
) -> Plan:
    found = choose(source, target, cluster, wishes or Wishes())
    assert isinstance(found, Plan)
    return found


def refused(
    source: Source = SOURCE, target: Target = TARGET, cluster: Cluster = CLUSTER, wishes: Wishes | None = None
) -> Refusal:
    found = choose(source, target, cluster, wishes or Wishes())
    assert isinstance(found, Refusal)
    return found


def codes(found: Plan | Refusal) -> dict[Method, str]:
    return {item.method: item.code for item in found.rejected}


@pytest.mark.parametrize(
    ("override", "profile", "method", "then"),
    [
        ("", "", SNAPSHOT, (COPY,)),
        ("", "snapshot", SNAPSHOT, (COPY,)),
        ("", "csi-clone", CSI, (SNAPSHOT, COPY)),
        ("", "copy", COPY, ()),
        ("copy", "csi-clone", COPY, ()),
        ("csi-clone", "copy", CSI, (SNAPSHOT, COPY)),
        ("", "no such strategy", SNAPSHOT, (COPY,)),
    ],
)
def test_the_override_counts_most_then_the_profile(
    override: str, profile: str, method: Method, then: tuple[Method, ...]
) -> None:
    found = planned(wishes=Wishes(override=override, profile=profile))
    assert (found.method, found.then, found.fallback) == (method, then, None)


@pytest.mark.parametrize("strategy", ["snapshot", "csi-clone"])
@pytest.mark.parametrize(
    ("source", "target", "reason", "message"),
    [
        (SOURCE, replace(TARGET, driver=OTHER), "IncompatibleProvisioners", "Provisioners are incompatible"),
        (
            SOURCE,
            replace(TARGET, volume_mode="Block"),
            "IncompatibleVolumeModes",
            "The volume modes of source and target are incompatible",
        ),
        (SOURCE, replace(TARGET, size=2 * GiB), "NoVolumeExpansion", "No volume expansion is possible"),
    ],
)
def test_what_the_storage_cannot_do_is_copied(
    strategy: str, source: Source, target: Target, reason: str, message: str
) -> None:
    found = planned(source, target, wishes=Wishes(profile=strategy))
    if strategy == "snapshot" and reason == "IncompatibleProvisioners":  # no class serves both: the contract says that
        reason, message = "NoVolumeSnapshotClass", "No compatible volumesnapshotclass found"
    assert found.method is COPY
    assert found.fallback == Fallback(reason, message)


@pytest.mark.parametrize(
    "cluster",
    [
        replace(CLUSTER, has_snapshots=False),
        replace(CLUSTER, snapshot_classes=()),
        replace(CLUSTER, snapshot_classes=(SnapshotClass("snaps", OTHER),)),
    ],
)
def test_without_a_class_for_snapshots_none_are_made(cluster: Cluster) -> None:
    found = planned(cluster=cluster)
    assert found.method is COPY
    assert found.fallback == Fallback("NoVolumeSnapshotClass", "No compatible volumesnapshotclass found")
    assert planned(cluster=cluster, wishes=Wishes(profile="csi-clone")).then == (COPY,)


def test_a_class_that_grows_needs_a_pod_for_its_file_system() -> None:
    found = planned(target=replace(TARGET, size=2 * GiB, expands=True))
    assert (found.method, found.expands, found.may_need_pod) == (SNAPSHOT, True, True)
    assert planned(target=replace(TARGET, waits_for_consumer=True)).may_need_pod
    assert not planned().may_need_pod


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (TAKEN, replace(TARGET, driver=OTHER), "NoProvisionerMatch"),
        (TAKEN, replace(TARGET, size=2 * GiB), "NoVolumeExpansion"),
        (TAKEN, replace(TARGET, volume_mode="Block"), "IncompatibleVolumeModes"),
        (replace(TAKEN, volume_mode=""), replace(TARGET, volume_mode="Block"), "IncompatibleVolumeModes"),
    ],
)
def test_a_snapshot_is_restored_or_copied_from_what_was_restored(source: Source, target: Target, reason: str) -> None:
    found = planned(source, target, wishes=Wishes(override="csi-clone"))
    assert found.fallback is not None
    assert (found.method, found.fallback.reason, found.restore_class) == (COPY, reason, "fast")
    assert codes(found)[CSI] == "SourceIsSnapshot"


def test_for_a_snapshot_nobody_is_asked_about_strategies() -> None:
    assert planned(TAKEN, wishes=Wishes(override="copy", profile="copy")).method is SNAPSHOT


def test_a_snapshot_that_nothing_restores_is_refused() -> None:
    found = refused(TAKEN, replace(TARGET, driver=OTHER), replace(CLUSTER, classes=(ClassFacts("slow", OTHER),)))
    assert codes(found) == {CSI: "SourceIsSnapshot", SNAPSHOT: "NoProvisionerMatch", COPY: "NoClassRestores"}


def test_a_snapshot_is_restored_by_the_first_class_of_its_driver() -> None:
    classes = (ClassFacts("b", DRIVER), ClassFacts("c", OTHER), ClassFacts("a", DRIVER, waits_for_consumer=True))
    found = planned(TAKEN, replace(TARGET, driver=OTHER), replace(CLUSTER, classes=classes))
    assert (found.restore_class, found.may_need_pod) == ("a", True)


def test_where_no_populator_serves_the_class_it_is_copied() -> None:
    found = planned(cluster=replace(CLUSTER, by_populator=False), wishes=Wishes(profile="csi-clone"))
    assert found.method is COPY
    assert found.fallback == Fallback("NoPopulator", "In tree storage class does not support snapshot/clone")
    assert codes(found) == {CSI: "NoPopulator", SNAPSHOT: "NoPopulator"}


@pytest.mark.parametrize("method", list(Method))
def test_whoever_asks_for_a_method_gets_it_or_a_refusal(method: Method) -> None:
    found = planned(wishes=Wishes(asked=method, override="copy" if method is CSI else "csi-clone"))
    assert (found.method, found.then) == (method, ())
    assert isinstance(next_after(found, method, "no"), Refusal)


def test_a_method_that_cannot_work_across_these_classes_is_refused_at_once() -> None:
    found = refused(target=replace(TARGET, driver=OTHER), wishes=Wishes(asked="csi-clone"))
    assert found.code == "CloneImpossible"
    assert "csi-clone: Provisioners are incompatible" in found.message
    assert found.message.startswith(VALIDATION)


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    found = refused(wishes=Wishes(asked="x" * 100_000))
    assert found.code == "CloneTypeUnknown"
    assert "csi-clone, snapshot, copy" in found.text
    assert len(found.text) < 1000


def test_whoever_requires_the_storage_to_do_it_is_never_copied() -> None:
    wishes = Wishes(requires_offload=True)
    assert planned(wishes=wishes).then == ()
    found = refused(target=replace(TARGET, driver=OTHER), wishes=wishes)
    assert codes(found)[COPY] == "OffloadRequired"
    assert "OffloadRequired" in codes(refused(wishes=replace(wishes, override="copy"))).values()


def test_a_failed_method_gives_way_to_the_next_one_once() -> None:
    first = planned(wishes=Wishes(profile="csi-clone"))
    second = next_after(first, CSI, "rpc error: code = Internal desc = no")
    assert isinstance(second, Plan)
    assert (first.method, second.method) == (CSI, SNAPSHOT)
    assert second.fallback == Fallback("CloneMethodFailed", "rpc error: code = Internal desc = no")
    third = next_after(second, SNAPSHOT, "broken")
    assert isinstance(third, Plan)
    assert (third.method, third.then) == (COPY, ())
    last = next_after(third, COPY, "gone")
    assert isinstance(last, Refusal)
    assert codes(last) == dict.fromkeys(Method, "CloneMethodFailed")


def test_what_was_begun_goes_on_although_the_facts_have_changed() -> None:
    changed = replace(CLUSTER, snapshot_classes=())
    found = planned(replace(SOURCE, requested=9 * GiB), TARGET, changed, Wishes(begun=SNAPSHOT))
    assert (found.method, found.then) == (SNAPSHOT, ())
    assert planned(wishes=Wishes(begun=COPY)).method is COPY


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        (replace(SOURCE, requested=2 * GiB), TARGET, "CloneTargetTooSmall"),
        (replace(SOURCE, content_type="archive"), TARGET, "CloneContentMismatch"),
        (SOURCE, replace(TARGET, content_type="archive", volume_mode="Block"), "CloneContentMismatch"),
        (replace(TAKEN, unfit="failed to take it"), TARGET, "CloneSourceUnfit"),
    ],
)
def test_what_does_not_fit_is_refused_whatever_the_method(source: Source, target: Target, code: str) -> None:
    assert refused(source, target).code == code


def test_the_smallest_claim_of_a_class_counts_as_asked_for() -> None:
    source, target = replace(SOURCE, requested=GiB), replace(TARGET, size=GiB // 2)
    assert refused(source, replace(target, minimum_size=GiB // 4)).code == "CloneTargetTooSmall"
    assert planned(source, replace(target, minimum_size=GiB)).method is SNAPSHOT
    assert planned(source, replace(target, is_permissive=True)).method is SNAPSHOT


def test_a_disk_that_its_new_file_system_leaves_no_room_for_is_refused() -> None:
    block = replace(SOURCE, volume_mode="Block")
    target = replace(TARGET, overhead="0.06")
    found = refused(block, target)
    assert codes(found)[COPY] == "CloneTargetTooSmall"
    assert planned(block, replace(target, size=required("0.06", GiB))).method is COPY


@given(st.data())
def test_every_combination_has_one_answer_with_all_its_reasons(data: st.DataObject) -> None:
    source, target, cluster, wishes = (data.draw(item) for item in (_SOURCES, _TARGETS, _CLUSTERS, _WISHES))
    found = choose(source, target, cluster, wishes)
    rejected = [item.method for item in found.rejected]
    assert len(set(rejected)) == len(rejected)
    assert all(item.code and item.text for item in found.rejected)
    assert choose(source, target, cluster, wishes) == found
    if isinstance(found, Refusal):
        assert found.text
        return
    assert sorted([found.method, *found.then, *rejected]) == sorted(Method)  # each is taken, next, or rejected
    assert (found.moves_at_most > 0) == (found.method is COPY)
    assert found.snapshot_class is not None or found.method is not SNAPSHOT or source.is_snapshot or wishes.begun
    if wishes.begun is not None and wishes.begun not in wishes.failed:
        assert found.method is wishes.begun  # the facts may have changed since: nothing else may be possible now
        return
    _is_allowed(found, wishes)
    after = next_after(found, found.method, "failed")
    assert codes(after).get(found.method) == "CloneMethodFailed"
    assert isinstance(after, Plan) == bool(found.then)
    if isinstance(after, Plan):
        assert (after.method, after.then) == (found.then[0], found.then[1:])
        assert Rejected(found.method, "CloneMethodFailed", "failed") in after.rejected


def _is_allowed(found: Plan, wishes: Wishes) -> None:
    """Nothing that somebody has forbidden, and nothing that has failed."""
    ways = {found.method, *found.then}
    assert not ways & set(wishes.failed)
    if wishes.asked:
        assert ways == {wishes.asked}
    if wishes.requires_offload:
        assert COPY not in ways
    if wishes.override == "copy" and not wishes.asked and not found.facts.source.is_snapshot:
        assert ways == {COPY}


_MODES = st.sampled_from(["Filesystem", "Block"])
_SIZES = st.sampled_from([64 * MiB, GiB, 2 * GiB])
_SOURCES = st.builds(
    lambda mode, size, capacity, **facts: replace(
        SOURCE, volume_mode=mode, requested=size, capacity=max(size, capacity), **facts
    ),
    _MODES,
    _SIZES,
    _SIZES,
    driver=st.sampled_from([DRIVER, OTHER]),
    is_snapshot=st.booleans(),
    content_type=st.sampled_from(["", "kubevirt", "archive"]),
    overhead=st.sampled_from(["0", "0.06"]),
)
_TARGETS = st.builds(
    replace,
    st.just(TARGET),
    volume_mode=_MODES,
    size=_SIZES,
    driver=st.sampled_from([DRIVER, OTHER]),
    content_type=st.sampled_from(["kubevirt", "archive"]),
    overhead=st.sampled_from(["0", "0.06"]),
    expands=st.booleans(),
    waits_for_consumer=st.booleans(),
    is_permissive=st.booleans(),
)
_CLUSTERS = st.builds(
    replace,
    st.just(CLUSTER),
    has_snapshots=st.booleans(),
    by_populator=st.booleans(),
    snapshot_classes=st.sampled_from([(), (SnapshotClass("snaps", DRIVER),), (SnapshotClass("others", OTHER),)]),
    classes=st.sampled_from([(), (ClassFacts("fast", DRIVER), ClassFacts("slow", OTHER))]),
)
_WISHES = st.builds(
    Wishes,
    override=st.sampled_from(["", *Method]),
    profile=st.sampled_from(["", *Method, "something"]),
    asked=st.sampled_from(["", "", "", *Method, "something"]),
    requires_offload=st.booleans(),
    failed=st.dictionaries(st.sampled_from(list(Method)), st.just("failed"), max_size=2),
    begun=st.sampled_from([None, None, *Method]),
)
