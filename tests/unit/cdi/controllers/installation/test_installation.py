"""What each CDI object says, by example."""

from __future__ import annotations

from typing import Any

import msgspec

from cdi.api.cdi import CDI
from cdi.contract.systems import active_of
from cdi.controllers.installation.decide import status_of
from cdi.controllers.installation.populators import volume_populators

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def system(name: str, created: str = NOW, phase: str = "", **metadata: Any) -> CDI:
    known = {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": created, **metadata}
    return msgspec.convert({"metadata": known, "status": {"phase": phase}}, CDI)


def states(found: CDI, active: CDI | None) -> dict[str, str]:
    return {item.type: item.status for item in status_of(found, active, "1.2.3", NOW).conditions}


def test_the_one_that_counts_is_deployed_at_its_version() -> None:
    only = system("a")
    status = status_of(only, only, "1.2.3", NOW)
    assert status.phase == "Deployed"
    assert {status.operator_version, status.observed_version, status.target_version} == {"1.2.3"}
    assert states(only, only) == {"Available": "True", "Progressing": "False", "Degraded": "False"}
    assert (status.conditions[0].reason, status.conditions[0].message) == ("DeployCompleted", "Deployment Completed")


def test_any_other_is_an_error_and_says_so() -> None:
    extra, active = system("b"), system("a")
    status = status_of(extra, active, "1.2.3", NOW)
    assert status.phase == "Error"
    assert states(extra, active) == {"Available": "False", "Progressing": "False", "Degraded": "True"}
    degraded = status.conditions[2]
    assert degraded.reason == "ConfigError"
    assert degraded.message == "Reconciling to error state, unwanted CDI object"


def test_the_second_one_becomes_the_first_when_that_is_gone() -> None:
    extra = system("b", phase="Error")
    active = active_of([extra])
    assert active is extra
    assert status_of(extra, active, "1.2.3", NOW).phase == "Deployed"


def test_times_change_only_with_what_they_are_about() -> None:
    only = system("a")
    only.status = status_of(only, only, "1.2.3", NOW)
    assert status_of(only, only, "1.2.3", LATER) == only.status
    upgraded = status_of(only, only, "1.2.4", LATER)
    assert upgraded.observed_version == "1.2.4"
    assert {item.last_transition_time for item in upgraded.conditions} == {NOW}
    refused = status_of(only, system("z"), "1.2.3", LATER)
    assert {item.type: item.last_transition_time for item in refused.conditions} == {
        "Available": LATER,
        "Progressing": NOW,
        "Degraded": LATER,
    }


def test_all_kinds_that_fill_claims_are_registered_and_go_with_the_system() -> None:
    found = volume_populators(system("a"))
    assert {body["metadata"]["name"]: body["sourceKind"] for body in found} == {
        kind.lower(): {"group": group, "kind": kind}
        for group, kinds in (
            ("cdi.kubevirt.io", ("VolumeImportSource", "VolumeUploadSource", "VolumeCloneSource")),
            ("forklift.cdi.kubevirt.io", ("OvirtVolumePopulator", "OpenstackVolumePopulator")),
        )
        for kind in kinds
    }
    for body in found:
        (owner,) = body["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("CDI", "a", "uid-of-a")
