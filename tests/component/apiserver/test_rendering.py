"""Where claims are not completed, nobody asks us about claims."""

from __future__ import annotations

from collections.abc import Callable

from support.manifests import claim
from support.webhooks import Kubectl, Process, soon

from cdi.operator.installation import Installation
from cdi.operator.webhooks import rendering

RENDERING = "mutatingwebhookconfiguration/cdi-api-pvc-mutate"


def is_there(kubectl: Kubectl) -> bool:
    return kubectl.run("get", RENDERING).returncode == 0


def labelled(kubectl: Kubectl) -> str:
    """What somebody is told who makes a claim that is to be completed."""
    metadata = {"name": "disk", "labels": {"cdi.kubevirt.io/applyStorageProfile": "true"}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim("1Gi")}
    return kubectl.run("create", "--dry-run=server", "-f", "-", objects=body).stderr


def test_without_rendering_no_claim_waits_for_us(
    process: Process, kubectl: Kubectl, configure: Callable[..., None]
) -> None:
    assert is_there(kubectl)
    configure(webhookPvcRendering="Disabled")
    assert soon(lambda: not is_there(kubectl))
    assert process.stop() == 0  # with failurePolicy Fail every labelled claim would be refused from here on
    assert soon(lambda: labelled(kubectl) == "")

    with process:
        assert not is_there(kubectl)
        configure(webhookPvcRendering="Enabled")
        assert soon(lambda: is_there(kubectl))
        (found,) = kubectl.get(RENDERING)["webhooks"]
        trust = kubectl.get("mutatingwebhookconfiguration/cdi-api-datavolume-mutate")["webhooks"][0]["clientConfig"]
        assert found["clientConfig"].pop("caBundle") == trust["caBundle"]
        (wanted,) = rendering(Installation())["webhooks"]
        assert {key: found[key] for key in wanted} == wanted
        # As somebody who installs a newer version does it.
        newer = rendering(Installation())
        newer["metadata"]["labels"]["app.kubernetes.io/version"] = "later"
        kubectl.done("apply", "--server-side", "-f", "-", objects=newer)
        assert kubectl.get(RENDERING)["webhooks"][0]["clientConfig"]["caBundle"] == trust["caBundle"]


def test_no_other_configuration_may_be_made_or_removed(kubectl: Kubectl, process: Process) -> None:
    def may(*words: str) -> bool:
        account = "--as=system:serviceaccount:cdi:cdi-apiserver"
        return kubectl.run("auth", "can-i", *words, account).stdout.strip() == "yes"

    mutating, validating = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"
    for verb in ("create", "delete"):
        assert may(verb, f"{mutating}/cdi-api-pvc-mutate")
        assert not may(verb, f"{mutating}/cdi-api-datavolume-mutate")
        assert not may(verb, mutating)
        assert not may(verb, validating)
        assert not may(verb, f"{validating}/cdi-api-validate")
