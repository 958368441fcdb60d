"""What people read who apply what cannot work; every webhook is asked by a real API server."""

from __future__ import annotations

import base64
from typing import Any

import jwt
import pytest
import yaml
from support.manifests import V1ALPHA1, V1BETA1, claim, datavolume, http, storage
from support.webhooks import NAMESPACE, Kubectl, Process

pytestmark = pytest.mark.usefixtures("process")

MODES = '"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"'
URL = "http://example.invalid/disk.img"
GOOD = claim("1Gi")
CLAIM: dict[str, Any] = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
ANYWHERE = {
    "required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]}]}
}


def a_volume(source: Any = None, **spec: Any) -> dict[str, Any]:
    return datavolume("disk", source or http(URL), **(spec or {"pvc": GOOD}))


def an_object(kind: str, spec: dict[str, Any], name: str = "one") -> dict[str, Any]:
    return {"apiVersion": V1BETA1, "kind": kind, "metadata": {"name": name}, "spec": spec}


def refusal(webhook: str, text: str) -> str:
    """The API server's words, then a blank, then that of the cause."""
    return f'admission webhook "{webhook}.cdi.kubevirt.io" denied the request:  {text}\n'


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "scheme": (a_volume(http("ftp://h/d")), "spec.source Invalid source URL scheme: ftp://h/d"),
    "no url": (a_volume(http("")), "spec.source source URL is empty"),
    "size": (a_volume(storage=storage("0")), "Storage size can't be equal or less than zero"),
    "modes": (
        a_volume(pvc={**GOOD, "accessModes": ["Sometimes"]}),
        f'Unsupported value: "Sometimes": supported values: {MODES}',
    ),
    "two sources": (a_volume({**http(URL), "blank": {}}), "Multiple Data volume sources"),
    "an empty source": (a_volume({"http": None}), "Missing Data volume source"),
}


@pytest.mark.parametrize(("manifest", "text"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("version", [V1BETA1, V1ALPHA1], ids=["v1beta1", "v1alpha1"])
def test_a_wrong_datavolume_is_refused_in_both_versions(
    kubectl: Kubectl, namespace: str, manifest: dict[str, Any], text: str, version: str
) -> None:
    done = kubectl.apply({**manifest, "apiVersion": version}, words=("-n", namespace))
    assert done.returncode == 1
    assert done.stderr.endswith(refusal("datavolume-validate", text))
    assert kubectl.get("dv", "-n", namespace)["items"] == []


def test_a_size_that_is_none_is_told_before_the_schema_does(kubectl: Kubectl, namespace: str) -> None:
    done = kubectl.apply(a_volume(pvc=claim("2Ng")), words=("-n", namespace))
    text = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    assert text in done.stderr and 'webhook "datavolume-mutate.cdi.kubevirt.io"' in done.stderr


def test_a_spec_stays_until_the_import_is_held_and_metadata_changes(kubectl: Kubectl, namespace: str) -> None:
    here = ("-n", namespace)
    kubectl.done("create", "-f", "-", *here, objects=a_volume())
    kubectl.done("label", "dv/disk", "team=blue", *here)
    changed = a_volume(http(URL + ".xz"))
    done = kubectl.apply(changed, words=here)
    text = (
        "Cannot update DataVolume Spec: spec.source.http.url cannot be changed. Of an import that is held or has "
        "failed, members of its source can; for anything else delete the DataVolume and make it again"
    )
    assert done.stderr.endswith(refusal("datavolume-validate", text))
    held = '{"status":{"phase":"ImportInProgress","conditions":[{"type":"Running","status":"False","reason":"Error"}]}}'
    kubectl.done("patch", "dv/disk", "--type=merge", "--subresource=status", "-p", held, *here)
    assert kubectl.apply(changed, words=here).returncode == 0
    assert kubectl.get("dv/disk", *here)["spec"]["source"]["http"]["url"] == URL + ".xz"


def test_a_claim_of_that_name_is_in_the_way_but_for_who_adopts_it(kubectl: Kubectl, namespace: str) -> None:
    here = ("-n", namespace)
    kubectl.done("create", "-f", "-", *here, objects={**CLAIM, "metadata": {"name": "disk"}, "spec": GOOD})
    done = kubectl.apply(a_volume(), words=here)
    text = f"Destination PVC {namespace}/disk already exists"
    assert done.stderr.endswith(refusal("datavolume-validate", text))
    adopting = datavolume("disk", http(URL), pvc=GOOD, annotations={"cdi.kubevirt.io/allowClaimAdoption": "true"})
    assert kubectl.apply(adopting, words=here).returncode == 0


TOKEN = "cdi.kubevirt.io/storage.clone.token"


@pytest.fixture
def images(kubectl: Kubectl, namespace: str) -> str:
    """Another namespace; alice may do everything in ``namespace`` and nothing here."""
    kubectl.done("create", "namespace", f"{namespace}-images")
    kubectl.done(
        "create", "rolebinding", "alice", "-n", namespace, "--user=alice", "--clusterrole=cdi.kubevirt.io:edit"
    )
    return f"{namespace}-images"


def cloning(images: str) -> dict[str, Any]:
    return a_volume({"pvc": {"namespace": images, "name": "fedora"}}, storage={})


def public_key(kubectl: Kubectl) -> bytes:
    secret = kubectl.get("secret/cdi-api-signing-key", "-n", NAMESPACE)
    assert secret["metadata"]["labels"] == {"cdi.kubevirt.io": "keystore"}
    return base64.b64decode(secret["data"]["id_rsa.pub"])


def test_whoever_may_not_read_the_source_may_not_clone_it(kubectl: Kubectl, namespace: str, images: str) -> None:
    done = kubectl.apply(cloning(images), words=("-n", namespace, "--as=alice"))
    text = f"User alice has insufficient permissions in clone source namespace {images}"
    assert refusal("datavolume-mutate", text).rstrip() in done.stderr


def test_the_binding_that_a_denial_prints_gives_the_right(kubectl: Kubectl, namespace: str, images: str) -> None:
    denied = kubectl.apply(cloning(images), words=("-n", namespace, "--as=alice"))
    assert f"create datavolumes/source (group cdi.kubevirt.io) named fedora in namespace {images}" in denied.stderr
    _, printed = denied.stderr.split(" apply\n")
    kubectl.done("apply", "-f", "-", objects=yaml.safe_load(printed))
    done = kubectl.apply(cloning(images), words=("-n", namespace, "--as=alice"))
    assert done.returncode == 0, done.stderr


def test_a_clone_carries_a_token_that_says_what_into_what(kubectl: Kubectl, namespace: str, images: str) -> None:
    sourcer = ("--user=alice", "--clusterrole=cdi.kubevirt.io:clone-sourcer")
    kubectl.done("create", "rolebinding", "alice", "-n", images, *sourcer)
    done = kubectl.apply(cloning(images), words=("-n", namespace, "--as=alice"))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    token = kubectl.get("dv/disk", "-n", namespace)["metadata"]["annotations"][TOKEN]
    said = jwt.decode(token, public_key(kubectl), algorithms=["PS256"], issuer="cdi-apiserver", leeway=10)
    assert (said["operation"], said["namespace"], said["name"]) == ("Clone", images, "fedora")
    assert said["params"] == {"targetNamespace": namespace, "targetName": "disk"}
    assert said["exp"] - said["iat"] == 300


def test_a_generated_name_is_the_tokens(kubectl: Kubectl, namespace: str) -> None:
    body = a_volume({"pvc": {"namespace": namespace, "name": "fedora"}}, storage={})
    body["metadata"] = {"generateName": "disk-"}
    kubectl.done("create", "-f", "-", "-n", namespace, objects=body)
    (made,) = kubectl.get("dv", "-n", namespace)["items"]
    token = made["metadata"]["annotations"][TOKEN]
    said = jwt.decode(token, public_key(kubectl), algorithms=["PS256"], leeway=10)
    assert said["params"]["targetName"] == made["metadata"]["name"]
    assert made["metadata"]["name"].startswith("disk-")


def test_what_does_not_exist_is_told(kubectl: Kubectl, namespace: str) -> None:
    done = kubectl.apply(cloning("nowhere"), words=("-n", namespace))
    assert done.stderr.endswith('denied the request: namespaces "nowhere" not found\n')
    referring = an_object("DataVolume", {"sourceRef": {"kind": "DataSource", "name": "x"}, "storage": {}})
    done = kubectl.apply(referring, words=("-n", namespace))
    assert done.stderr.endswith('denied the request: datasources.cdi.kubevirt.io "x" not found\n')


def test_a_claim_is_completed_from_its_profile(kubectl: Kubectl, namespace: str) -> None:
    fast = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "a"}
    kubectl.done("apply", "-f", "-", objects=fast)
    kubectl.done("apply", "-f", "-", objects=an_object("StorageProfile", {}, "fast"))
    sets = '{"status":{"claimPropertySets":[{"accessModes":["ReadWriteMany"],"volumeMode":"Block"}]}}'
    kubectl.done("patch", "storageprofile/fast", "--type=merge", "--subresource=status", "-p", sets)
    labels = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    spec = {"storageClassName": "fast", "volumeMode": "FromStorageProfile", **storage("1Gi")}
    body = {**CLAIM, "metadata": {"name": "disk", "labels": labels}, "spec": spec}
    kubectl.done("create", "-f", "-", "-n", namespace, objects=body)
    made = kubectl.get("pvc/disk", "-n", namespace)["spec"]
    assert (made["accessModes"], made["volumeMode"]) == (["ReadWriteMany"], "Block")
    nowhere = {**body, "metadata": {"name": "other", "labels": labels}, "spec": storage("1Gi")}
    done = kubectl.apply(nowhere, words=("-n", namespace))
    assert "PVC spec is missing accessMode and no storageClass to choose profile" in done.stderr


@pytest.mark.parametrize("name", ["by-hand", ""])
def test_a_claim_of_a_class_without_an_object_is_completed_from_its_volumes(
    kubectl: Kubectl, namespace: str, name: str
) -> None:
    labels = {"cdi.kubevirt.io/applyStorageProfile": "true"}
    spec = {"storageClassName": name, "volumeMode": "FromStorageProfile", **storage("1Gi")}
    body = {**CLAIM, "metadata": {"name": "disk", "labels": labels}, "spec": spec}
    done = kubectl.apply(body, words=("-n", namespace))
    assert "PVC spec is missing accessMode and no storageClass to choose profile" in done.stderr
    volume = {"accessModes": ["ReadOnlyMany"], "volumeMode": "Block", "capacity": {"storage": "1Gi"}}
    volume |= {"storageClassName": name, "local": {"path": "/dev/one"}, "nodeAffinity": ANYWHERE}
    metadata = {"name": f"one-{namespace}"}
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": volume}
    kubectl.done("create", "-f", "-", objects=made)
    available = '{"status":{"phase":"Available"}}'
    kubectl.done("patch", "pv", metadata["name"], "--type=merge", "--subresource=status", "-p", available)
    kubectl.done("create", "-f", "-", "-n", namespace, objects=body)
    completed = kubectl.get("pvc/disk", "-n", namespace)["spec"]
    assert (completed["accessModes"], completed["volumeMode"]) == (["ReadOnlyMany"], "Block")
    assert completed["storageClassName"] == name


CRON = {"template": {"spec": {"source": {"registry": {"url": "docker://h/i"}}, "storage": storage("1Gi")}}}
CRON |= {"schedule": "@daily", "managedDataSource": "fedora"}
TRANSFER = {"source": {"kind": "DataVolume", "namespace": "a", "name": "b"}, "target": {"name": "c"}}
WARNED: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "cron": ("DataImportCron", CRON, ("DataImportCron is ",)),
    "transfer": (
        "ObjectTransfer",
        TRANSFER,
        ("ObjectTransfer feature is deprecated, and will be deleted soon", "ObjectTransfer is "),
    ),
    "import": ("VolumeImportSource", {"source": {"registry": {"url": "docker://h/i"}}}, ("source registry is ",)),
}


@pytest.mark.parametrize(("kind", "spec", "warnings"), WARNED.values(), ids=WARNED)
def test_what_nothing_acts_on_is_accepted_with_a_warning(
    kubectl: Kubectl, namespace: str, kind: str, spec: dict[str, Any], warnings: tuple[str, ...]
) -> None:
    done = kubectl.apply(an_object(kind, spec, f"one-{namespace}"), words=("-n", namespace))
    assert done.returncode == 0, done.stderr
    assert all(f"Warning: {warning}" in done.stderr for warning in warnings)
    assert "accepted, not acted on by this version" in done.stderr


OTHERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "cron": ("DataImportCron", {**CRON, "schedule": "often"}, "Illegal cron schedule"),
    "transfer": ("ObjectTransfer", {**TRANSFER, "target": {}}, "Target namespace and/or target name must be supplied"),
    "import": ("VolumeImportSource", {"source": {}}, "Missing VolumeImport source"),
    "upload": ("VolumeUploadSource", {"contentType": "iso"}, "ContentType not one of: kubevirt, archive"),
}


@pytest.mark.parametrize(("kind", "spec", "text"), OTHERS.values(), ids=OTHERS)
def test_other_kinds_are_checked_too(
    kubectl: Kubectl, namespace: str, kind: str, spec: dict[str, Any], text: str
) -> None:
    done = kubectl.apply(an_object(kind, spec), words=("-n", namespace))
    assert done.returncode == 1 and done.stderr.endswith(f" {text}\n")


def test_the_system_is_not_removed_while_there_are_volumes(kubectl: Kubectl, namespace: str) -> None:
    kubectl.done("create", "-f", "-", "-n", namespace, objects=a_volume())
    system = an_object("CDI", {"uninstallStrategy": "BlockUninstallIfWorkloadsExist"})
    kubectl.done("create", "-f", "-", objects={**system, "status": {"phase": "Deployed"}})
    done = kubectl.run("delete", "cdi/one", "--dry-run=server")
    assert done.returncode == 1
    assert "rejecting the uninstall request, since there are still 1 DataVolumes present" in done.stderr


def test_it_ends_when_it_is_told_to(process: Process, kubectl: Kubectl, namespace: str) -> None:
    """Last: the others need it."""
    assert process.stop() == 0, process.log.read_text()
    done = kubectl.apply(a_volume(), words=("-n", namespace))
    assert "failed calling webhook" in done.stderr
