from __future__ import annotations

from typing import Any

import pytest

from cdi.operator.installation import Installation
from cdi.operator.webhooks import webhooks

ALL = webhooks(Installation(namespace="elsewhere"))
HOOKS = {hook["clientConfig"]["service"]["path"]: hook for one in ALL for hook in one["webhooks"]}


@pytest.mark.parametrize(
    ("configuration", "path", "operations", "resources", "policy", "timeout"),
    [
        ("cdi-api-datavolume-mutate", "/datavolume-mutate", ["CREATE", "UPDATE"], ["datavolumes"], "Fail", 30),
        ("cdi-api-datavolume-validate", "/datavolume-validate", ["CREATE", "UPDATE"], ["datavolumes"], "Fail", 30),
        (
            "cdi-api-dataimportcron-validate",
            "/dataimportcron-validate",
            ["CREATE", "UPDATE"],
            ["dataimportcrons"],
            "Fail",
            30,
        ),
        (
            "cdi-api-populator-validate",
            "/populator-validate",
            ["CREATE", "UPDATE"],
            ["volumeimportsources", "volumeuploadsources"],
            "Fail",
            30,
        ),
        (
            "objecttransfer-api-validate",
            "/objecttransfer-validate",
            ["CREATE", "UPDATE"],
            ["objecttransfers"],
            "Fail",
            30,
        ),
        ("cdi-api-validate", "/cdi-validate", ["DELETE"], ["cdis"], "Ignore", 30),
        ("cdi-api-pvc-mutate", "/pvc-mutate", ["CREATE"], ["persistentvolumeclaims"], "Fail", 10),
    ],
)
def test_webhooks_are_the_contract_s(
    configuration: str, path: str, operations: list[str], resources: list[str], policy: str, timeout: int
) -> None:
    (holder,) = [one for one in ALL if HOOKS[path] in one["webhooks"]]
    (rule,) = HOOKS[path]["rules"]
    assert holder["metadata"]["name"] == configuration
    assert HOOKS[path]["name"] == f"{path[1:]}.cdi.kubevirt.io"
    assert (rule["operations"], rule["resources"]) == (operations, resources)
    assert (HOOKS[path]["failurePolicy"], HOOKS[path]["timeoutSeconds"]) == (policy, timeout)


@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
def test_every_webhook_asks_our_service_exactly_and_has_no_side_effects(hook: dict[str, Any]) -> None:
    service = hook["clientConfig"]["service"]
    assert (service["namespace"], service["name"], service["port"]) == ("elsewhere", "cdi-api", 443)
    assert (hook["matchPolicy"], hook["sideEffects"]) == ("Exact", "None")


def test_certificates_are_left_to_the_api_server() -> None:
    assert all("caBundle" not in hook["clientConfig"] for hook in HOOKS.values())


@pytest.mark.parametrize("path", ["/datavolume-mutate", "/datavolume-validate"])
def test_datavolumes_of_both_versions_are_looked_at(path: str) -> None:
    assert HOOKS[path]["rules"][0]["apiVersions"] == ["v1beta1", "v1alpha1"]


def test_only_claims_that_ask_for_it_are_completed() -> None:
    hook = HOOKS["/pvc-mutate"]
    assert hook["objectSelector"] == {"matchLabels": {"cdi.kubevirt.io/applyStorageProfile": "true"}}
    assert hook["admissionReviewVersions"] == ["v1"]
    assert hook["reinvocationPolicy"] == "Never"


def test_kinds_without_a_webhook_of_the_contract_get_one_that_can_only_warn() -> None:
    hook = HOOKS["/unserved-kind"]
    assert hook["failurePolicy"] == "Ignore"
    resources = [resource for rule in hook["rules"] for resource in rule["resources"]]
    assert resources == ["ovirtvolumepopulators", "openstackvolumepopulators"]
    assert {operation for rule in hook["rules"] for operation in rule["operations"]} == {"CREATE"}
