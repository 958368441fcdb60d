"""R1 to R6, and what a claim becomes."""

from __future__ import annotations

from typing import Any

import pytest
from support.admission import Known, create
from support.asynchronous import asynchronous

from cdi.apiserver.claim_mutate import mutate
from cdi.apiserver.review import ALLOWED
from cdi.kube.cdi_resources import CDI_CONFIGS, STORAGE_PROFILES, VOLUME_CLONE_SOURCES
from cdi.kube.resources import CLAIMS, SNAPSHOTS, STORAGE_CLASSES, VOLUMES

GI, INFLATED = "1Gi", "1138166334"
LABEL = {"cdi.kubevirt.io/applyStorageProfile": "true"}
ARCHIVE = {"cdi.kubevirt.io/storage.contentType": "archive"}
KUBEVIRT = {"cdi.kubevirt.io/storage.contentType": "kubevirt"}
DEFAULT = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
BLOCK = {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
FILE = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}
CLONE = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeCloneSource", "name": "fedora"}


def a_claim(size: str | None = GI, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"storage": size}} if size else {}
    metadata = {"name": "disk", "labels": LABEL, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"resources": resources, **spec}}


def a_cluster(*sets: dict[str, Any], **config: Any) -> Known:
    """With one class, ``fast``, which is the default."""
    known = Known().add(STORAGE_CLASSES, "fast", metadata=DEFAULT, provisioner="csi.example")
    profile = {"claimPropertySets": list(sets), "storageClass": "fast", "provisioner": "csi.example"}
    known.add(STORAGE_PROFILES, "fast", status=profile)
    status = {"filesystemOverhead": {"global": "0.06", "storageClass": {}}}
    return known.add(CDI_CONFIGS, "config", spec=config, status=status)


async def completed(claim: dict[str, Any], known: Known) -> dict[str, Any]:
    answer = await mutate(create(claim), known)
    assert answer.allowed, answer.message
    (patch,) = answer.patch
    assert (patch["op"], patch["path"]) == ("replace", "/spec")
    spec: dict[str, Any] = patch["value"]
    return spec


async def refusal(claim: dict[str, Any], known: Known) -> str:
    answer = await mutate(create(claim), known)
    assert (answer.allowed, answer.code) == (False, 400)
    return answer.message


@asynchronous
async def test_a_claim_that_says_nothing_gets_the_first_set_of_the_default_class() -> None:
    assert await completed(a_claim(), a_cluster(BLOCK, FILE)) == {
        **BLOCK,
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "1073741824"}},
    }


@asynchronous
async def test_a_file_systems_claim_is_larger_and_what_else_it_says_is_kept() -> None:
    claim = a_claim(volumeMode="Filesystem", selector={"matchLabels": {"a": "b"}})
    claim["spec"]["resources"]["limits"] = {"storage": "9Gi"}
    assert await completed(claim, a_cluster(BLOCK, FILE)) == {
        **FILE,
        "storageClassName": "fast",
        "selector": {"matchLabels": {"a": "b"}},
        "resources": {"requests": {"storage": INFLATED}, "limits": {"storage": "9Gi"}},
    }


@asynchronous
async def test_the_placeholder_of_the_controller_means_decide_here() -> None:
    assert (await completed(a_claim(volumeMode="FromStorageProfile"), a_cluster(BLOCK)))["volumeMode"] == "Block"
    nowhere = a_claim(volumeMode="FromStorageProfile", accessModes=["ReadWriteOnce"], storageClassName="none")
    spec = await completed(nowhere, a_cluster(BLOCK))
    assert (spec["volumeMode"], spec["storageClassName"]) == ("Filesystem", "none")
    assert spec["resources"]["requests"]["storage"] == INFLATED


@asynchronous
async def test_a_profiles_minimum_size_is_kept() -> None:
    known = a_cluster(BLOCK)
    minimum = {"annotations": {"cdi.kubevirt.io/minimumSupportedPvcSize": "4Gi"}}
    known.add(STORAGE_PROFILES, "fast", metadata=minimum, status={"claimPropertySets": [BLOCK]})
    assert (await completed(a_claim(), known))["resources"]["requests"]["storage"] == str(4 << 30)


@asynchronous
async def test_an_archive_gets_a_file_system() -> None:
    assert (await completed(a_claim(annotations=ARCHIVE), a_cluster(BLOCK, FILE)))["volumeMode"] == "Filesystem"


@pytest.mark.parametrize("name", ["", "none"])
@asynchronous
async def test_without_a_class_access_modes_must_be_said(name: str) -> None:
    text = "PVC spec is missing accessMode and no storageClass to choose profile"
    assert await refusal(a_claim(), Known()) == text
    assert await refusal(a_claim(storageClassName=name), a_cluster(BLOCK)) == text


def a_volume(known: Known, name: str, phase: str = "Available", **spec: Any) -> Known:
    return known.add(VOLUMES, name, spec=spec, status={"phase": phase})


@pytest.mark.parametrize("name", ["", "none"])
@asynchronous
async def test_without_a_class_volumes_that_name_it_say_what_there_is(name: str) -> None:
    known = a_volume(a_cluster(FILE), "of-another", storageClassName="other", **FILE)
    a_volume(known, "taken", "Bound", storageClassName=name, **FILE)
    missing = "PVC spec is missing accessMode and no storageClass to choose profile"
    assert await refusal(a_claim(storageClassName=name), known) == missing
    a_volume(known, "free", storageClassName=name, **BLOCK)
    spec = await completed(a_claim(storageClassName=name, volumeMode="FromStorageProfile"), known)
    assert (spec["accessModes"], spec["volumeMode"], spec["storageClassName"]) == (["ReadWriteMany"], "Block", name)
    assert spec["resources"]["requests"]["storage"] == str(1 << 30)
    assert await refusal(a_claim(storageClassName=name, volumeMode="Filesystem"), known) == missing


@asynchronous
async def test_a_volume_without_a_class_is_not_for_a_claim_that_names_none() -> None:
    missing = "PVC spec is missing accessMode and no storageClass to choose profile"
    assert await refusal(a_claim(), a_volume(Known(), "free", **BLOCK)) == missing


@asynchronous
async def test_a_class_without_a_profile_is_told() -> None:
    known = Known().add(STORAGE_CLASSES, "new")
    assert await refusal(a_claim(storageClassName="new"), known) == "cannot get StorageProfile new"


@asynchronous
async def test_a_profile_without_a_usable_set_is_told() -> None:
    assert await refusal(a_claim(), a_cluster()) == "no accessMode specified in StorageProfile fast"
    matching = await refusal(a_claim(volumeMode="Block"), a_cluster(FILE))
    assert matching == "no matching accessMode specified in StorageProfile fast"


@asynchronous
async def test_our_gate_gives_an_unknown_provisioner_what_any_storage_can_do() -> None:
    spec = await completed(a_claim(), a_cluster(featureGates=["DefaultClaimProperties"]))
    assert (spec["accessModes"], spec["volumeMode"]) == (["ReadWriteOnce"], "Filesystem")


@asynchronous
async def test_a_profile_that_nobody_has_written_yet_is_not_assumed() -> None:
    known = a_cluster(featureGates=["DefaultClaimProperties"])
    known.add(STORAGE_PROFILES, "fast")
    assert await refusal(a_claim(), known) == "no accessMode specified in StorageProfile fast"


@asynchronous
async def test_an_archive_cannot_be_a_device() -> None:
    claim = a_claim(annotations=ARCHIVE, volumeMode="Block")
    assert await refusal(claim, a_cluster(BLOCK)) == "ContentType Archive cannot have block volumeMode"


@asynchronous
async def test_sizes_are_needed() -> None:
    missing, small = "missing storage size", "storage size should be at least 1MiB"
    assert await refusal(a_claim(None), a_cluster(BLOCK)) == f"PVC Spec is not valid - {missing}"
    assert await refusal(a_claim("1000Ki"), a_cluster(BLOCK)) == f"PVC Spec is not valid - {small}"


@asynchronous
async def test_a_restored_snapshot_keeps_its_size() -> None:
    reference = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "x"}
    for field in ("dataSource", "dataSourceRef"):
        spec = await completed(a_claim(**{field: reference}), a_cluster(FILE))
        assert spec["resources"]["requests"]["storage"] == GI


def cloning(kind: str = "PersistentVolumeClaim", place: str = "team", **source: Any) -> Known:
    known = a_cluster(FILE)
    known.add(VOLUME_CLONE_SOURCES, "fedora", place, spec={"source": {"kind": kind, "name": "golden"}})
    if kind == "PersistentVolumeClaim":
        spec = {"storageClassName": "fast", "resources": {"requests": {"storage": "3Gi"}}, **source}
        metadata = {"annotations": KUBEVIRT}
        known.add(CLAIMS, "golden", place, metadata=metadata, spec=spec, status={"capacity": {"storage": "4Gi"}})
    return known


@pytest.mark.parametrize(
    ("source", "size"),
    [({}, 3 << 30), ({"storageClassName": "slow"}, 4 << 30), ({"volumeMode": "Block"}, 4 << 30)],
    ids=["alike", "another class", "another mode"],
)
@asynchronous
async def test_a_clone_is_as_large_as_its_source(source: dict[str, Any], size: int) -> None:
    spec = await completed(a_claim(None, dataSourceRef=CLONE), cloning(**source))
    assert spec["resources"]["requests"]["storage"] == str(size)


@asynchronous
async def test_a_clones_own_size_is_left_as_it_is() -> None:
    spec = await completed(a_claim(dataSourceRef=CLONE), cloning())
    assert spec["resources"]["requests"]["storage"] == GI


@asynchronous
async def test_a_clone_of_a_snapshot_is_as_large_as_that_restores_to() -> None:
    known = cloning("VolumeSnapshot", place="images").add(SNAPSHOTS, "golden", "images", status={"restoreSize": "5Gi"})
    claim = a_claim(None, {"cdi.kubevirt.io/dataSourceNamespace": "images"}, dataSourceRef=CLONE)
    assert (await completed(claim, known))["resources"]["requests"]["storage"] == str(5 << 30)


COPIED = {"cdi.kubevirt.io/cloneType": "copy"}


@pytest.mark.parametrize(
    ("claim", "known", "text"),
    [
        (a_claim(None, dataSourceRef=CLONE), a_cluster(FILE), 'volumeclonesources.cdi.kubevirt.io "fedora" not found'),
        (a_claim(None, dataSourceRef=CLONE), cloning("Pod"), "unsupported volumeCloneSource source Pod"),
        (
            a_claim(None, dataSourceRef=CLONE),
            cloning("VolumeSnapshot"),
            'volumesnapshots.snapshot.storage.k8s.io "golden" not found',
        ),
        (
            a_claim(None, dataSourceRef=CLONE),
            cloning("VolumeSnapshot").add(SNAPSHOTS, "golden", "team", status={}),
            "cannot detect the required pvc size",
        ),
        (
            a_claim(None, dataSourceRef=CLONE),
            cloning(storageClassName=None),
            "cannot get source pvc storage class",
        ),
        (
            a_claim(None, COPIED, dataSourceRef=CLONE, volumeMode="Block", accessModes=["ReadWriteOnce"]),
            cloning(),
            "cannot detect the required pvc size",
        ),
    ],
    ids=["no source object", "unknown kind", "no snapshot", "no restore size", "no class", "file to device by copy"],
)
@asynchronous
async def test_a_clone_whose_size_cannot_be_known_is_refused(claim: dict[str, Any], known: Known, text: str) -> None:
    assert await refusal(claim, known) == text


@asynchronous
async def test_nothing_is_completed_that_did_not_ask_or_while_it_is_switched_off() -> None:
    unlabelled = a_claim()
    unlabelled["metadata"]["labels"] = {}
    assert await mutate(create(unlabelled), a_cluster(BLOCK)) == ALLOWED
    assert await mutate(create(a_claim()), a_cluster(BLOCK, webhookPvcRendering="Disabled")) == ALLOWED
