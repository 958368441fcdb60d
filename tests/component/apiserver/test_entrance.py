"""Only what came through an API server is answered with a clone token: whoever else reaches the port gets none."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import re
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from support.apiserver import ApiServer
from support.controller import wait_until
from support.manifests import V1BETA1, claim, datavolume
from support.webhooks import NAMESPACE, Kubectl, Process, install

from cdi.operator.installation import Installation
from cdi.operator.webhooks import webhooks

MUTATING = "mutatingwebhookconfiguration/cdi-api-datavolume-mutate"
TOKEN = "cdi.kubevirt.io/storage.clone.token"
CLONE = datavolume("disk", {"pvc": {"namespace": "vault", "name": "secret"}}, pvc=claim("1Gi"))


def segment(kubectl: Kubectl) -> str:
    """Where API servers are led to, as an administrator sees it."""
    (hook,) = kubectl.get(MUTATING)["webhooks"]
    path, _, found = hook["clientConfig"]["url"].rpartition("/")
    assert path.endswith("/datavolume-mutate")
    return str(found)


def forge(process: Process, path: str, **request: Any) -> tuple[int, Any]:
    """What anybody gets who reaches the port, and says that an administrator asks. Status and response."""
    who = {"username": "admin", "groups": ["system:masters", "system:authenticated"]}
    resource = {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"}
    asked = {"uid": "1", "operation": "CREATE", "namespace": "team", "name": "disk", "userInfo": who, "object": CLONE}
    review = {"apiVersion": "admission.k8s.io/v1", "request": {**asked, "resource": resource, **request}}
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", process.port, timeout=30, context=context)
    try:
        connection.request("POST", path, json.dumps(review))
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body)["response"] if answer.status == 200 else body
    finally:
        connection.close()


def patched(response: Any) -> str:
    return base64.b64decode(response.get("patch", "")).decode()


@pytest.fixture(scope="module")
def team(kubectl: Kubectl, process: Process) -> str:
    """alice may do everything there, and clone from ``vault``."""
    for name in ("team", "vault"):
        kubectl.done("create", "namespace", name)
    for place, role in (("team", "edit"), ("vault", "clone-sourcer")):
        kubectl.done(
            "create", "rolebinding", "alice", "-n", place, "--user=alice", f"--clusterrole=cdi.kubevirt.io:{role}"
        )
    return "team"


def test_a_forged_review_gets_no_token_by_any_path_but_one(process: Process, kubectl: Kubectl, team: str) -> None:
    right = segment(kubectl)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{30,61})[a-z0-9]", right)
    other = ("0" if right[0] != "0" else "1") + right[1:]
    around = (right[:-1], right + "0", right.upper() + "x", right + "/", right + "/" + right, "%2e%2e/" + right)
    paths = [f"/datavolume-mutate/{last}" for last in ("", "x", "0" * 40, other, *around)]
    for path in ["/datavolume-mutate", *paths]:
        for operation, version in itertools.product(("CREATE", "UPDATE"), ("v1beta1", "v1alpha1")):
            resource = {"group": "cdi.kubevirt.io", "version": version, "resource": "datavolumes"}
            status, response = forge(process, path, operation=operation, resource=resource)
            assert status in (200, 404), (path, response)
            assert status == 404 or "patch" not in response, path
    # What makes the difference is the path alone: this is why it has to stay unknown.
    assert TOKEN in patched(forge(process, f"/datavolume-mutate/{right}")[1])


def test_what_users_may_see_does_not_tell_the_path(kubectl: Kubectl, team: str) -> None:
    for what in (
        "mutatingwebhookconfigurations",
        f"secrets --namespace={NAMESPACE}",
        "secrets --namespace=kube-system",
    ):
        assert kubectl.run("auth", "can-i", "get", *what.split(), "--as=alice").stdout.strip() == "no"


def test_through_an_api_server_there_is_one(kubectl: Kubectl, team: str) -> None:
    made = kubectl.done("create", "--dry-run=server", "-o", "json", "-n", team, "--as=alice", "-f", "-", objects=CLONE)
    assert json.loads(made)["metadata"]["annotations"][TOKEN].count(".") == 2


def test_of_another_namespace_no_size_is_told(process: Process, kubectl: Kubectl, team: str) -> None:
    """Also not to who writes the namespace into a claim, and not to who forges a review of one."""
    body = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "disk",
            "namespace": "team",
            "labels": {"cdi.kubevirt.io/applyStorageProfile": "true"},
            "annotations": {"cdi.kubevirt.io/dataSourceNamespace": "vault", TOKEN: "a.b.c"},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "dataSourceRef": {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": "source"},
        },
    }
    refused = kubectl.run("create", "-n", team, "--as=admin", "--as-group=system:masters", "-f", "-", objects=body)
    text = "a clone from namespace vault needs a clone token, and claim team/disk has none that is valid"
    assert text in refused.stderr
    resource = {"group": "", "version": "v1", "resource": "persistentvolumeclaims"}
    _, before = forge(process, "/pvc-mutate", object=body, resource=resource)
    source = {"source": {"kind": "PersistentVolumeClaim", "name": "secret"}}
    metadata = {"name": "source", "namespace": "vault"}
    kubectl.done("create", "-f", "-", objects={**_kind("VolumeCloneSource"), "metadata": metadata, "spec": source})
    size = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "3Gi"}}}
    metadata = {"name": "secret", "namespace": "vault"}
    kubectl.done(
        "create", "-f", "-", objects={**_kind("PersistentVolumeClaim", "v1"), "metadata": metadata, "spec": size}
    )
    assert forge(process, "/pvc-mutate", object=body, resource=resource)[1] == before
    assert text in before["status"]["message"]


def _kind(kind: str, version: str = V1BETA1) -> dict[str, str]:
    return {"apiVersion": version, "kind": kind}


def test_what_an_outage_shows_to_users_is_worth_nothing_after_it(process: Process, kubectl: Kubectl, team: str) -> None:
    before = segment(kubectl)
    process.stop()
    try:
        failed = kubectl.run("create", "--dry-run=server", "-n", team, "--as=alice", "-f", "-", objects=CLONE)
        assert before in failed.stderr  # Kubernetes tells whoever asks where it did not get through
    finally:
        process.__enter__()
    assert segment(kubectl) != before

    def is_admitted() -> bool:
        made = kubectl.run("create", "--dry-run=server", "-n", team, "--as=alice", "-f", "-", objects=CLONE)
        return made.returncode == 0

    wait_until(is_admitted, "API servers come by the new path")


@pytest.fixture
def reinstalled(kubectl: Kubectl, process: Process) -> Iterator[None]:
    """Without ``--force-conflicts``: as the README has it."""
    install(kubectl, process.url)
    return


@pytest.mark.usefixtures("reinstalled")
def test_manifests_can_be_applied_again_and_clones_are_told_to_wait(
    process: Process, kubectl: Kubectl, team: str
) -> None:
    """They lead past the entrance, until cdi-apiserver has seen it: nobody gets a clone that would hang for ever."""

    def create(namespace: str) -> str:
        return kubectl.run("create", "--dry-run=server", "-n", team, "-f", "-", objects=_cloning(namespace)).stderr

    assert "denied" not in create("team")  # by whichever path
    refused = create("vault")
    assert "denied" not in refused or "try again in a minute" in refused
    wait_until(lambda: "denied" not in create("vault"), "API servers are led to the entrance again")
    assert segment_or_none(kubectl) is not None


def _cloning(namespace: str) -> dict[str, Any]:
    return datavolume("disk", {"pvc": {"namespace": namespace, "name": "secret"}}, pvc=claim("1Gi"))


def segment_or_none(kubectl: Kubectl) -> str | None:
    (hook,) = kubectl.get(MUTATING)["webhooks"]
    found = hook["clientConfig"]["url"].rpartition("/")[2]
    return None if found == "datavolume-mutate" else str(found)


@pytest.mark.parametrize("name", [one["metadata"]["name"] for one in webhooks(Installation())])
def test_what_we_change_belongs_to_who_installs(kubectl: Kubectl, process: Process, name: str) -> None:
    kind = "mutating" if name in ("cdi-api-datavolume-mutate", "cdi-api-pvc-mutate") else "validating"
    wait_until(lambda: segment_or_none(kubectl) is not None, "it leads to the entrance")
    found = kubectl.get(f"{kind}webhookconfiguration/{name}", "--show-managed-fields")
    managers = [(entry["manager"], entry["operation"]) for entry in found["metadata"]["managedFields"]]
    assert ("kubectl", "Apply") in managers
    assert ("cdi", "Update") not in managers


def test_processes_that_run_side_by_side_admit_each_others_segments(
    api: ApiServer, process: Process, kubectl: Kubectl, team: str, tmp_path: Any
) -> None:
    with Process(api, kubectl, tmp_path) as other:
        made = segment(kubectl)
        for one in (process, other):
            assert TOKEN in patched(forge(one, f"/datavolume-mutate/{made}")[1])
