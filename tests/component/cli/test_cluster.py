"""The command against a real API server: one without our kinds, a user with few rights, a restart on the way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from support import importing
from support.apiserver import ApiServer
from support.controller import install, storage_class
from support.importing import Outcome
from support.webhooks import Kubectl

OK, USAGE = 0, 2
URL = "http://127.0.0.1:1/disk.img"
WAITS = {"volumeBindingMode": "WaitForFirstConsumer"}


@pytest.fixture(scope="module")
def kubectl(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    made = Kubectl(api, tmp_path_factory.mktemp("kubectl"))
    # Before anything is installed, which happens once.
    before = importing.cdi("get", "dv", env={"KUBECONFIG": str(api.kubeconfig())})
    assert before.status == USAGE
    assert "[ClusterLacksCdi]" in before.stderr
    install(made)
    return made


@pytest.fixture
def admin(api: ApiServer, kubectl: Kubectl) -> dict[str, str]:
    return {"KUBECONFIG": str(api.kubeconfig())}


def started(*words: str, env: dict[str, str]) -> Outcome:
    """An import that nobody waits for."""
    return importing.cdi("import", URL, *words, "--size", "1Gi", "--detach", env=env)


def test_the_class_is_the_one_that_the_controller_takes(kubectl: Kubectl, admin: dict[str, str]) -> None:
    """For a disk the default of virtualization, for an archive Kubernetes' own."""
    mistyped = started("dv/disk", "--class", "standard", env=admin)
    assert (mistyped.status, "there is no storage class standard" in mistyped.stderr) == (USAGE, True)
    none = started("dv/none", env=admin)
    assert (none.status, "[DefaultClassMissing]" in none.stderr) == (USAGE, True)

    virt, plain = "storageclass.kubevirt.io/is-default-virt-class", "storageclass.kubernetes.io/is-default-class"
    first, last = storage_class("a-files"), storage_class("z-disks") | WAITS
    first["metadata"] = {"name": "a-files", "annotations": {plain: "true"}}
    last["metadata"] = {"name": "z-disks", "annotations": {virt: "true"}}
    kubectl.done("apply", "-f", "-", objects={"apiVersion": "v1", "kind": "List", "items": [first, last]})

    assert "class z-disks waits for a first consumer" in started("dv/disk", env=admin).stderr
    assert "waits" not in started("dv/files", "--archive", env=admin).stderr
    listed = importing.cdi("storage", env=admin).stdout
    assert re.search(r"a-files \(default of archives\).*\nz-disks \(default\)", listed)

    missing = started("dv/typo/disk", env=admin)
    assert (missing.status, "[NamespaceUnknown]" in missing.stderr) == (USAGE, True)
    assert "kubectl create namespace typo" in missing.stderr


def test_who_may_edit_one_namespace_can_import_there(kubectl: Kubectl, api: ApiServer) -> None:
    kubectl.done("apply", "-f", "-", objects=storage_class("fast"))
    profile = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "StorageProfile", "metadata": {"name": "fast"}}
    kubectl.done("apply", "-f", "-", objects=profile | {"spec": {}})
    kubectl.done("create", "namespace", "team")
    kubectl.done("create", "serviceaccount", "somebody", "-n", "team")
    binding = ["rolebinding", "edits", "--clusterrole=cdi.kubevirt.io:edit", "--serviceaccount=team:somebody"]
    kubectl.done("create", *binding, "-n", "team")
    token = kubectl.done("create", "token", "somebody", "-n", "team").strip()
    somebody = {"KUBECONFIG": str(api.kubeconfig(token))}

    outcome = started("dv/team/disk", "--class", "fast", env=somebody)
    assert outcome.status == OK, outcome.stderr
    assert "you may not read StorageClasses: if the class waits for a first consumer, bound at once" in outcome.stderr
    made = kubectl.get("dv", "disk", "-n", "team")
    assert made["metadata"]["annotations"]["cdi.kubevirt.io/storage.bind.immediate.requested"] == "true"
    listed = importing.cdi("storage", env=somebody)
    assert listed.status == OK
    assert "You may not read StorageClasses" in listed.stdout


def test_a_watch_outlives_a_restart_of_the_api_server(kubectl: Kubectl, api: ApiServer, admin: dict[str, str]) -> None:
    body: dict[str, Any] = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume"}
    body |= {"metadata": {"name": "kept"}, "spec": {"source": {"blank": {}}, "storage": {}}}
    kubectl.done("apply", "-f", "-", objects=body)
    process = importing.start("watch", "dv/kept", env=admin)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "kept: new\n"
        api.kill()
        api.start()
        done = json.dumps({"status": {"phase": "Succeeded"}})
        kubectl.done("patch", "dv", "kept", "--subresource=status", "--type=merge", "-p", done)
        assert process.stdout.read() == "kept: Succeeded\n"
        assert process.wait(30) == OK
    finally:
        importing.kill(process)
