"""A DataVolume with an http source: what a person applies, and what is in the volume afterwards."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable

import pytest
from support.corpus import Corpus
from support.faultserver import FaultServer, Route
from support.hostile import hostile_images
from support.isolation import isolated
from support.kinds import Namespace, Object, annotations, condition
from support.manifests import IMMEDIATE, V1ALPHA1, V1BETA1, claim, config_map, datavolume, http, secret, storage
from support.nginx import PASSWORD, USER, Nginx
from support.volumes import Content, read_volume, run_beside

MiB = 1024 * 1024
PRIME = "cdi.kubevirt.io/storage.populator.pvcPrime"
VIRTUAL_FORMATS = ["disk.vmdk", "disk.vhd", "disk.vhdx", "disk.vdi"]


def check(content: Content, corpus: Corpus) -> None:
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_the_manifest_of_the_readme_ends_in_a_verified_sparse_disk(
    space: Namespace, web: Nginx, corpus: Corpus, class_name: str
) -> None:
    pvc = claim("128Mi", class_name, "ReadWriteMany")
    space.create(datavolume("rootdisk-vm1", http(web.url("disk.qcow2")), version=V1ALPHA1, pvc=pvc))
    done = space.wait_phase("rootdisk-vm1", "Succeeded")

    content = read_volume(space, "rootdisk-vm1", corpus.size)
    check(content, corpus)
    assert (content.mode, content.group) == ("660", 107)
    assert content.allocated < corpus.size
    assert done["status"]["progress"] == "100.0%"


@pytest.mark.parametrize("populator", ["true", "false"], ids=["populator", "direct"])
@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
@pytest.mark.parametrize("version", [V1ALPHA1, V1BETA1])
def test_the_bytes_are_the_same_in_both_ways_and_modes_and_versions(
    space: Namespace, web: Nginx, corpus: Corpus, version: str, mode: str, populator: str
) -> None:
    use = {"cdi.kubevirt.io/storage.usePopulator": populator}
    if version == V1ALPHA1:
        spec = {"pvc": claim("128Mi", "csi", "ReadWriteMany", volumeMode=mode)}
    else:
        spec = {"storage": storage("128Mi", "csi", volumeMode=mode)}
    space.create(datavolume("disk", http(web.url("disk.qcow2")), version=version, annotations=use, **spec))
    space.wait_phase("disk", "Succeeded")
    check(read_volume(space, "disk", corpus.size, block=mode == "Block"), corpus)


def test_a_size_and_a_class_are_enough_where_no_driver_helps(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    check(read_volume(space, "disk", corpus.size), corpus)
    # Nobody knows what its provisioner can do, so the gate's default holds.
    assert space.get("PersistentVolumeClaim", "disk")["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("block", [False, True], ids=["filesystem", "block"])
def test_a_size_is_all_that_spec_storage_needs(space: Namespace, web: Nginx, corpus: Corpus, block: bool) -> None:
    mode = {"volumeMode": "Block"} if block else {}
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("512Mi", **mode)))
    space.wait_phase("disk", "Succeeded")

    content = read_volume(space, "disk", corpus.size, block=block)
    check(content, corpus)
    # A small file system takes more than the 6 % that are added for it; the disk is as large as there is room.
    assert content.size >= (512 if block else 440) * MiB


@pytest.mark.parametrize(
    "name",
    ["disk.raw", "disk.raw.gz", "disk.raw.xz", "disk.raw.zst", "disk.qcow2.gz", *VIRTUAL_FORMATS],
)
def test_every_format_needs_one_pod_and_no_scratch(space: Namespace, web: Nginx, corpus: Corpus, name: str) -> None:
    space.create(datavolume("disk", http(web.url(name)), storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    check(read_volume(space, "disk", corpus.size), corpus)
    assert not [found for found in space.list("PersistentVolumeClaim") if "scratch" in found["metadata"]["name"]]


@pytest.mark.parametrize("populator", ["true", "false"])
def test_a_device_gets_scratch_space_for_what_cannot_be_written_on_arrival(
    space: Namespace, web: Nginx, corpus: Corpus, populator: str
) -> None:
    """A server without ranges, and a format whose tables are anywhere."""
    use = {"cdi.kubevirt.io/storage.usePopulator": populator}
    block = storage("128Mi", "csi", volumeMode="Block")
    space.create(datavolume("disk", http(web.url("disk.vhdx", "stream")), annotations=use, storage=block))
    worked_on = "disk" if populator == "false" else _prime(space, "disk")
    scratch = space.wait("PersistentVolumeClaim", f"{worked_on}-scratch", lambda _: True)
    assert scratch["spec"]["accessModes"] == ["ReadWriteOnce"]
    space.wait_phase("disk", "Succeeded", timeout_s=120)
    check(read_volume(space, "disk", corpus.size, block=True), corpus)
    space.wait_gone("PersistentVolumeClaim", f"{worked_on}-scratch")


def _prime(space: Namespace, name: str) -> str:
    found = space.wait("PersistentVolumeClaim", name, lambda claim: PRIME in annotations(claim))
    return annotations(found)[PRIME]


def test_a_finished_import_shows_what_clients_look_for(space: Namespace, web: Nginx) -> None:
    space.create(datavolume("disk", http(web.url("disk.raw")), storage=storage("128Mi", "shared")))
    done = space.wait("DataVolume", "disk", lambda found: condition(found, "Ready").get("status") == "True")

    assert done["status"]["phase"] == "Succeeded"
    assert (condition(done, "Bound")["status"], condition(done, "Bound")["message"]) == ("True", "PVC disk Bound")
    assert (condition(done, "Running")["status"], condition(done, "Running")["reason"]) == ("False", "Completed")
    assert condition(done, "Running")["message"] == "Import Complete"
    assert done["status"].get("restartCount", 0) == 0
    space.wait_event("disk", "ImportSucceeded")
    assert annotations(space.get("PersistentVolumeClaim", "disk"))["cdi.kubevirt.io/storage.pod.phase"] == ("Succeeded")


def test_labels_and_annotations_of_a_datavolume_reach_its_claim(space: Namespace, web: Nginx) -> None:
    manifest = datavolume(
        "disk",
        http(web.url("disk.raw")),
        labels={"team": "blue"},
        annotations={"example.org/note": "kept"},
        storage=storage("128Mi", "shared"),
    )
    space.create(manifest)
    found = space.wait("PersistentVolumeClaim", "disk", lambda _: True)
    assert found["metadata"]["labels"]["team"] == "blue"
    assert found["metadata"]["labels"]["alerts.k8s.io/KubePersistentVolumeFillingUp"] == "disabled"
    assert annotations(found)["example.org/note"] == "kept"


def test_an_unresolvable_host_is_held_with_a_cause(space: Namespace) -> None:
    source = http("http://no-such-host.invalid/disk.img")
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("reason") == "Error")
    assert held["status"]["phase"] == "ImportInProgress"
    assert "Unable to connect to http data source" in condition(held, "Running")["message"]
    assert condition(held, "Ready")["status"] == "False"


def test_a_missing_file_is_held_and_heals_when_it_appears(space: Namespace, host: str, corpus: Corpus) -> None:
    with FaultServer(host) as server:
        url = server.url("/later.qcow2")
        space.create(datavolume("disk", http(url), storage=storage("128Mi", "shared")))
        held = space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("reason") == "Error")
        text = "Unable to connect to http data source: expected status code 200, got 404. Status: 404"
        assert text in condition(held, "Running")["message"]
        assert "Try:" in condition(held, "Running")["message"]
        assert held["status"]["failure"]["code"] == "SourceNotFound"
        assert held["status"]["phase"] == "ImportInProgress"

        server.add("/later.qcow2", Route((corpus.files / "disk.qcow2").read_bytes()))
        done = space.wait_phase("disk", "Succeeded", timeout_s=90)
    assert done["status"]["restartCount"] >= 1
    assert "failure" not in done["status"]
    first, *_, last = done["status"]["history"]  # although its pod is gone
    assert (first["outcome"], last["outcome"]) == ("SourceNotFound", "Succeeded")
    assert first["start"] <= first["end"] <= last["start"] <= last["end"]
    assert first["node"]
    assert last["bytesDone"] > 0


def test_a_hostile_image_is_refused_and_nothing_looks_like_a_disk(space: Namespace, host: str) -> None:
    with FaultServer(host) as server:
        url = server.add("/huge.qcow2", Route(hostile_images()["qcow2 with a giant L1 table"].build()))
        space.create(datavolume("disk", http(url), storage=storage("128Mi", "shared")))
        held = space.wait(
            "DataVolume", "disk", lambda found: "L1 size too big" in condition(found, "Running").get("message", "")
        )
    assert held["status"]["phase"] == "ImportInProgress"
    assert condition(held, "Running")["reason"] == "Error"


def test_an_image_larger_than_the_volume_names_both_sizes(space: Namespace, web: Nginx) -> None:
    space.create(datavolume("disk", http(web.url("disk.qcow2")), pvc=claim("8Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda found: "too small" in condition(found, "Running").get("message", ""))
    assert "DataVolume too small to contain image" in condition(held, "Running")["message"]
    assert re.search(r"24 MiB|25165824", condition(held, "Running")["message"])


def test_a_wrong_checksum_fails_and_a_right_one_passes(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    right = {"checksum": f"sha256:{corpus.sum}"}
    wrong = {"checksum": f"sha256:{'0' * 64}"}
    space.create(datavolume("right", http(web.url("disk.raw"), **right), storage=storage("128Mi", "shared")))
    space.create(datavolume("wrong", http(web.url("disk.raw"), **wrong), storage=storage("128Mi", "shared")))
    space.wait_phase("right", "Succeeded")
    failed = space.wait_phase("wrong", "Failed")
    assert condition(failed, "Running")["reason"] == "ChecksumError"
    space.wait_event("wrong", "ImportFailed")


@pytest.mark.parametrize("kind", ["header", "secret header", "secret"])
def test_credentials_in_every_place(space: Namespace, web: Nginx, corpus: Corpus, kind: str) -> None:
    header = f"Authorization: Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
    more: dict[str, object] = {"extraHeaders": [header]}
    if kind == "secret header":
        space.create(secret("credentials", header=header))
        more = {"secretExtraHeaders": ["credentials"]}
    if kind == "secret":
        space.create(secret("credentials", accessKeyId=USER, secretKey=PASSWORD))
        more = {"secretRef": "credentials"}
    source = http(web.url("disk.qcow2", "auth"), **more)
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    check(read_volume(space, "disk", corpus.size), corpus)
    for pod in space.list("Pod"):
        assert PASSWORD not in str(pod), "a secret is in no object but its Secret"


def test_tls_with_a_ca_with_none_and_without_checking(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    space.create(config_map("ca", {"odd_name.txt": web.ca_file.read_text()}))
    url = web.url("disk.raw.zst", tls=True)
    sources = {"trusted": {"certConfigMap": "ca"}, "unchecked": {"insecureSkipVerify": True}, "unknown": {}}
    for name, more in sources.items():
        space.create(datavolume(name, http(url, **more), storage=storage("128Mi", "shared")))
    space.wait_phase("trusted", "Succeeded")
    space.wait_phase("unchecked", "Succeeded")
    held = space.wait("DataVolume", "unknown", lambda found: condition(found, "Running").get("reason") == "Error")
    assert "certificate" in condition(held, "Running")["message"]
    check(read_volume(space, "trusted", corpus.size), corpus)


def test_an_archive_is_unpacked(space: Namespace, web: Nginx) -> None:
    manifest = datavolume("tree", http(web.url("tree.tar")), contentType="archive", storage=storage("128Mi", "shared"))
    space.create(manifest)
    space.wait_phase("tree", "Succeeded")
    assert run_beside(space, "tree", "cat /volume/hello.txt /volume/sub/deep.txt") == "hello\ndeep\n"


def test_progress_is_shown_while_it_runs(space: Namespace, web: Nginx) -> None:
    source = http(web.url("disk.raw", "slow"))
    space.create(datavolume("disk", source, storage=storage("128Mi", "shared")))
    shown = space.wait(
        "DataVolume",
        "disk",
        lambda found: (
            found.get("status", {}).get("phase") == "ImportInProgress"
            and re.fullmatch(r"\d{1,3}\.?\d{1,2}%", found.get("status", {}).get("progress", "")) is not None
            and found.get("status", {}).get("progress") != "0.0%"
        ),
    )
    assert condition(shown, "Running")["status"] == "True"
    assert condition(shown, "Ready")["reason"] == "TransferRunning"
    space.wait_phase("disk", "Succeeded")


@pytest.mark.skipif("CDI_TEST_KUBECONFIG" in os.environ, reason="nft rules of another machine")
def test_progress_is_shown_where_a_policy_lets_nobody_reach_the_worker(
    space: Namespace, web: Nginx, corpus: Corpus
) -> None:
    space.create(datavolume("disk", http(web.url("disk.raw", "crawl")), storage=storage("128Mi", "shared")))
    pod = space.wait("Pod", "importer-disk", lambda found: bool(found.get("status", {}).get("podIP")))
    with isolated(pod["status"]["podIP"], egress=True):
        first = space.wait("DataVolume", "disk", lambda found: _transferred(found) > 0)
        space.wait("DataVolume", "disk", lambda found: _transferred(found) > _transferred(first))
        space.wait_phase("disk", "Succeeded", timeout_s=120)
    check(read_volume(space, "disk", corpus.size), corpus)


def _transferred(found: Object) -> int:
    return int(found.get("status", {}).get("transfer", {}).get("bytesDone", 0))


def _runs(found: Object) -> bool:
    return condition(found, "Running").get("status") == "True"


def _is_held(found: Object) -> bool:
    return found.get("status", {}).get("restartCount", 0) >= 1


def _waits(found: Object) -> bool:
    return found.get("status", {}).get("phase") == "PendingPopulation"


def _has_no_volume(found: Object) -> bool:
    return condition(found, "Bound").get("status") == "False"


def _is_done(found: Object) -> bool:
    return found.get("status", {}).get("phase") == "Succeeded"


@pytest.mark.parametrize("class_name", ["shared", "csi"])
@pytest.mark.parametrize(
    ("image", "stage"),
    [("slow/disk.raw", _runs), ("plain/nothing", _is_held), ("plain/disk.qcow2", _is_done)],
    ids=["running", "held", "done"],
)
def test_deleting_leaves_nothing(
    space: Namespace, web: Nginx, class_name: str, image: str, stage: Callable[[Object], bool]
) -> None:
    kind, name = image.split("/")
    space.create(datavolume("disk", http(web.url(name, kind)), storage=storage("128Mi", class_name)))
    space.wait("DataVolume", "disk", stage)
    _delete_and_look(space)


@pytest.mark.parametrize(
    ("class_name", "stage"), [("csi-wffc", _waits), ("nobody-has-it", _has_no_volume)], ids=["waiting", "unbound"]
)
def test_deleting_what_has_not_begun_leaves_nothing(
    space: Namespace, web: Nginx, class_name: str, stage: Callable[[Object], bool]
) -> None:
    spec = claim("128Mi", class_name)
    space.create(datavolume("disk", http(web.url("disk.qcow2")), pvc=spec))
    space.wait("DataVolume", "disk", stage)
    _delete_and_look(space)


def test_deleting_what_a_quota_holds_leaves_nothing(space: Namespace, web: Nginx) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}}
    space.create({**quota, "spec": {"hard": {"pods": "0"}}})
    space.wait("ResourceQuota", "quota", lambda found: bool(found.get("status", {}).get("hard")))
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "csi")))
    space.wait("DataVolume", "disk", lambda dv: condition(dv, "Running").get("reason") == "ErrExceededQuota")
    _delete_and_look(space)


def _delete_and_look(space: Namespace) -> None:
    space.delete("DataVolume", "disk")
    kinds = ("DataVolume", "VolumeImportSource", "Pod", "PersistentVolumeClaim")
    for kind in kinds:
        for found in space.list(kind):
            space.wait_gone(kind, found["metadata"]["name"])
    assert [found for kind in kinds for found in space.list(kind)] == []
    assert space.list("Secret") == []
    left = [found["metadata"]["name"] for found in space.list("ConfigMap")]
    assert left == ["kube-root-ca.crt"]
    volumes = [found for found in space.cluster.list("PersistentVolume") if _is_of(found, space)]
    for found in volumes:
        space.cluster.wait_gone("PersistentVolume", found["metadata"]["name"])


def _is_of(volume: Object, space: Namespace) -> bool:
    return bool(volume["spec"].get("claimRef", {}).get("namespace") == space.name)


def test_a_first_consumer_is_waited_for_unless_told_otherwise(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    source = http(web.url("disk.qcow2"))
    space.create(datavolume("waits", source, storage=storage("128Mi", "csi-wffc")))
    space.create(datavolume("goes", source, annotations=IMMEDIATE, storage=storage("128Mi", "csi-wffc")))
    space.wait_phase("goes", "Succeeded")
    space.wait_phase("waits", "PendingPopulation")
    held = condition(space.get("DataVolume", "waits"), "Bound")["message"]
    assert held.startswith("PVC waits Pending: storage class csi-wffc ")
    assert "Try: start the VM" in held
    waiting = space.get("PersistentVolumeClaim", "waits")
    assert space.find("PersistentVolumeClaim", f"prime-{waiting['metadata']['uid']}") is None

    check(read_volume(space, "waits", corpus.size), corpus)
    space.wait_phase("waits", "Succeeded")


@pytest.mark.parametrize("populator", ["true", "false"])
def test_a_wait_for_a_consumer_ends_as_its_message_says(space: Namespace, web: Nginx, populator: str) -> None:
    way = {"cdi.kubevirt.io/storage.usePopulator": populator}
    source = http(web.url("disk.qcow2"))
    space.create(datavolume("waits", source, annotations=way, storage=storage("128Mi", "csi-wffc")))
    held = space.wait(
        "DataVolume", "waits", lambda found: "bind.immediate" in condition(found, "Bound").get("message", "")
    )
    said = re.search(r"annotate the DataVolume with (\S+)=(\S+)", condition(held, "Bound")["message"])
    assert said
    space.patch("DataVolume", "waits", {"metadata": {"annotations": {said[1]: said[2]}}})
    space.wait_phase("waits", "Succeeded")
