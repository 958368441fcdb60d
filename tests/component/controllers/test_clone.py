"""DataVolumes that are cloned, by ``cdi-controller`` as a pod runs it, against a real API server: what it makes, with
the rights of its own service account, when the source comes later, and what it leaves."""

from __future__ import annotations

import base64
import datetime
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer
from support.controller import Controller, kubeconfig, storage_class, wait_until
from support.manifests import V1BETA1
from support.webhooks import NAMESPACE, Kubectl

from cdi.base.units import GiB, parse_quantity
from cdi.contract import annotations as a
from cdi.trust.tokens import Permit, Place, Signer

DRIVER = "rook-ceph.rbd.csi.ceph.com"
FINALIZER = "cdi.kubevirt.io/dataVolumeFinalizer"
SIZE = {"resources": {"requests": {"storage": "1Gi"}}}
BLOCK = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "volumeMode": "Block"} | SIZE


@pytest.fixture(scope="module")
def controller(kubectl: Kubectl, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    kubectl.done("apply", "-f", "-", objects=storage_class("fast", DRIVER))
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {}}
    kubectl.done("apply", "-f", "-", objects=driver)
    for name in ("vms", "images"):
        kubectl.done("create", "namespace", name)
    access: Path = api.kubeconfig(kubectl.done("create", "token", "cdi-sa", "-n", NAMESPACE).strip())
    with Controller(access, tmp_path_factory.mktemp("controller")) as running:
        running.wait_until_it_leads()
        yield running


def golden(kubectl: Kubectl, namespace: str, name: str = "golden", **spec: Any) -> None:
    """A claim that is bound, as it looks when its volume is there."""
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace}}
    kubectl.done("apply", "-f", "-", objects=claim | {"spec": BLOCK | spec})
    status = '{"status":{"phase":"Bound","capacity":{"storage":"1Gi"}}}'
    kubectl.done("patch", "pvc", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", status)


def clone(name: str, source: str, *, size: bool = True, notes: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "vms", "annotations": notes or {}}
    spec = {
        "source": {"pvc": {"namespace": source, "name": f"golden-{name}"}},
        "storage": {"storageClassName": "fast"} | (SIZE if size else {}),
    }
    return {"apiVersion": V1BETA1, "kind": "DataVolume", "metadata": metadata, "spec": spec}


def found(kubectl: Kubectl, kind: str, name: str, namespace: str = "vms") -> dict[str, Any]:
    """Empty where there is none."""
    answer = kubectl.run("get", kind, name, "-n", namespace)
    return kubectl.get(kind, name, "-n", namespace) if answer.returncode == 0 else {}


def bound(kubectl: Kubectl, name: str) -> dict[str, str]:
    """Condition Bound of the DataVolume."""
    conditions = found(kubectl, "dv", name).get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] == "Bound"), {})


def test_a_source_that_comes_later_wakes_its_clone(controller: Controller, kubectl: Kubectl) -> None:
    kubectl.done("apply", "-f", "-", objects=clone("late", "vms", size=False))
    wait_until(lambda: bound(kubectl, "late").get("reason") == "CloneWithoutSource", "it says what it waits for")
    assert bound(kubectl, "late")["message"] == "The source pvc golden-late doesn't exist"
    assert found(kubectl, "dv", "late")["status"]["failure"]["code"] == "CloneSourceMissing"
    golden(kubectl, "vms", "golden-late")
    wait_until(lambda: bool(found(kubectl, "pvc", "late")), "a claim")
    claim, volume = found(kubectl, "pvc", "late"), found(kubectl, "dv", "late")
    name = f"volume-clone-source-{volume['metadata']['uid']}"
    assert claim["spec"]["dataSourceRef"]["name"] == name
    assert parse_quantity(claim["spec"]["resources"]["requests"]["storage"]) == GiB
    source = found(kubectl, "volumeclonesource", name)
    assert source["spec"]["source"] == {"kind": "PersistentVolumeClaim", "name": "golden-late"}
    assert source["metadata"]["ownerReferences"][0]["name"] == "late"


def test_from_another_namespace_a_token_lasts_and_nothing_is_left_there(
    controller: Controller, kubectl: Kubectl
) -> None:
    golden(kubectl, "images", "golden-far")
    secret = kubectl.get("secret", "cdi-api-signing-key", "-n", NAMESPACE)
    signer = Signer(base64.b64decode(secret["data"]["id_rsa"]))
    permit = Permit(Place("images", "golden-far"), Place("vms", "far"))
    token = signer.token(permit, datetime.datetime.now(datetime.UTC))
    kubectl.done("apply", "-f", "-", objects=clone("far", "images", notes={a.CLONE_TOKEN: token}))

    def lasting(kind: str) -> bool:
        """Whether there is a token for this very object."""
        metadata = found(kubectl, kind, "far").get("metadata", {})
        said = signer.verified(metadata.get("annotations", {}).get(a.EXTENDED_CLONE_TOKEN, ""))
        return said == Permit(permit.source, permit.target, uid=metadata.get("uid", "?"))

    wait_until(lambda: lasting("dv") and lasting("pvc"), "lasting tokens on both")
    volume, claim = found(kubectl, "dv", "far"), found(kubectl, "pvc", "far")
    assert FINALIZER in volume["metadata"]["finalizers"]
    assert claim["metadata"]["annotations"][a.DATA_SOURCE_NAMESPACE] == "images"
    name = f"volume-clone-source-{volume['metadata']['uid']}"
    assert found(kubectl, "volumeclonesource", name, "images")["metadata"]["annotations"] == {
        a.OWNED_BY_VOLUME: "vms/far"
    }
    theirs = {"apiVersion": V1BETA1, "kind": "VolumeCloneSource", "metadata": {"name": name, "namespace": "vms"}}
    kubectl.done("apply", "-f", "-", objects=theirs | {"spec": {"source": {"kind": "x", "name": "y"}}})
    kubectl.done("delete", "dv", "far", "-n", "vms", "--timeout=30s")
    assert not found(kubectl, "volumeclonesource", name, "images")
    assert found(kubectl, "volumeclonesource", name)  # of that name, and not ours


def test_without_a_token_nothing_is_made(controller: Controller, kubectl: Kubectl) -> None:
    golden(kubectl, "images", "golden-alien")
    kubectl.done("apply", "-f", "-", objects=clone("alien", "images", notes={a.CLONE_TOKEN: "x.y.z"}))
    wait_until(lambda: bound(kubectl, "alien").get("reason") == "CloneNotPermitted", "it says that it may not")
    volume = found(kubectl, "dv", "alien")
    assert volume["status"]["failure"]["code"] == "CloneTokenMissing"
    assert not found(kubectl, "pvc", "alien")
    assert not found(kubectl, "volumeclonesource", f"volume-clone-source-{volume['metadata']['uid']}", "images")


def test_a_datasource_that_points_to_itself_is_said(controller: Controller, kubectl: Kubectl) -> None:
    itself = {"source": {"dataSource": {"namespace": "vms", "name": "loop"}}}
    metadata = {"name": "loop", "namespace": "vms"}
    kubectl.done(
        "apply", "-f", "-", objects={"apiVersion": V1BETA1, "kind": "DataSource", "metadata": metadata, "spec": itself}
    )
    spec = {"sourceRef": {"kind": "DataSource", "name": "loop"}, "storage": {}}
    kubectl.done(
        "apply", "-f", "-", objects={"apiVersion": V1BETA1, "kind": "DataVolume", "metadata": metadata, "spec": spec}
    )
    wait_until(lambda: "SelfReference" in bound(kubectl, "loop").get("message", ""), "it says what is wrong")
    assert found(kubectl, "dv", "loop")["status"]["failure"]["code"] == "DataSourceUnready"


def a_token(kubectl: Kubectl, name: str) -> str:
    """As the webhook gives one, which does not run here."""
    secret = kubectl.get("secret", "cdi-api-signing-key", "-n", NAMESPACE)
    permit = Permit(Place("images", f"golden-{name}"), Place("vms", name))
    return Signer(base64.b64decode(secret["data"]["id_rsa"])).token(permit, datetime.datetime.now(datetime.UTC))


def test_who_gives_up_before_the_size_is_known_leaves_no_pod(controller: Controller, kubectl: Kubectl) -> None:
    golden(kubectl, "images", "golden-brief", volumeMode="Filesystem")
    kubectl.done("annotate", "pvc", "golden-brief", "-n", "images", f"{a.CONTENT_TYPE}=kubevirt")
    permitted = {a.CLONE_TOKEN: a_token(kubectl, "brief")}
    kubectl.done("apply", "-f", "-", objects=clone("brief", "images", size=False, notes=permitted))
    name = f"size-detection-{kubectl.get('pvc', 'golden-brief', '-n', 'images')['metadata']['uid']}"
    wait_until(lambda: bool(found(kubectl, "pod", name, "images")), "a pod that looks")
    kubectl.done("delete", "dv", "brief", "-n", "vms", "--timeout=30s")
    wait_until(lambda: not found(kubectl, "pod", name, "images"), "no pod")


def test_a_pod_looks_how_large_a_disk_is_and_its_answer_is_kept(controller: Controller, kubectl: Kubectl) -> None:
    """No kubelet runs here: the test says what the pod's container said."""
    golden(kubectl, "images", "golden-sized", volumeMode="Filesystem")
    kubectl.done("annotate", "pvc", "golden-sized", "-n", "images", f"{a.CONTENT_TYPE}=kubevirt")
    permitted = {a.CLONE_TOKEN: a_token(kubectl, "sized")}
    kubectl.done("apply", "-f", "-", objects=clone("sized", "images", size=False, notes=permitted))
    source = kubectl.get("pvc", "golden-sized", "-n", "images")
    name = f"size-detection-{source['metadata']['uid']}"
    wait_until(lambda: bool(found(kubectl, "pod", name, "images")), "a pod that looks")
    assert found(kubectl, "dv", "sized")["status"]["phase"] == "CloneScheduled"
    ended = {"name": "size-detection", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    ended |= {"state": {"terminated": {"exitCode": 0, "message": "536870912"}}}
    status = json.dumps({"status": {"containerStatuses": [ended]}})
    kubectl.done("patch", "pod", name, "-n", "images", "--subresource=status", "--type=merge", "-p", status)
    wait_until(lambda: bool(found(kubectl, "pvc", "sized")), "a claim")
    claim = found(kubectl, "pvc", "sized")
    assert claim["spec"]["resources"]["requests"]["storage"] == "536870912"  # a device: nothing is added
    assert a.PERMISSIVE_CLONE in claim["metadata"]["annotations"]
    notes = kubectl.get("pvc", "golden-sized", "-n", "images")["metadata"]["annotations"]
    assert (notes[a.VIRTUAL_SIZE], notes[a.SOURCE_CAPACITY]) == ("536870912", "1Gi")
    wait_until(lambda: not found(kubectl, "pod", name, "images"), "the pod goes")


def spoken(api: ApiServer, kubectl: Kubectl, tmp_path: Path, *words: str) -> tuple[int, str]:
    """What ``cdi clone`` says to who has the controller's rights: exit code, and both outputs."""
    access = kubeconfig(api, kubectl)
    command = [sys.executable, "-m", "cdi.cli.main", "clone", *words, f"--kubeconfig={access}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    return done.returncode, done.stdout + done.stderr


def test_a_dry_run_says_how_it_would_be_cloned_and_why(
    controller: Controller, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    kubectl.done("apply", "-f", "-", objects=storage_class("slow", "csi.example.com"))
    golden(kubectl, "vms", "golden-dry", storageClassName="slow")
    words = ("vms/golden-dry", "vms/dry", "--storage-class=fast", "--dry-run")
    code, told = spoken(api, kubectl, tmp_path, *words)
    assert code == 0, told
    assert "Plan: copy, pods copy the data; at most 1 GiB" in told
    assert "not csi-clone (IncompatibleProvisioners): Provisioners are incompatible" in told
    assert not found(kubectl, "dv", "dry")
    code, told = spoken(api, kubectl, tmp_path, *words, "--size=500Mi")
    assert code == 5, told
    assert "[CloneTargetTooSmall]" in told and "500 MiB" in told
    code, told = spoken(api, kubectl, tmp_path, "vms/nothing", *words[1:])
    assert "[CloneSourceMissing]" in told


def test_without_it_the_datavolume_is_made(
    controller: Controller, kubectl: Kubectl, api: ApiServer, tmp_path: Path
) -> None:
    golden(kubectl, "vms", "golden-wet")
    code, told = spoken(api, kubectl, tmp_path, "golden-wet", "vms/wet", "--storage-class=fast")
    assert code == 0, told
    wait_until(lambda: bool(found(kubectl, "pvc", "wet")), "a claim")
    code, told = spoken(api, kubectl, tmp_path, "golden-wet", "vms/wet", "--data=.")
    assert code == 2 and "cdi run" in told
