"""``virtctl image-upload``, request by request, and what is in the volume afterwards."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from support.corpus import Corpus
from support.kinds import Namespace, annotations, condition
from support.virtctl import Proxy, Upload
from support.volumes import read_volume, run_beside

FILES = ["disk.raw", "disk.qcow2", "disk.raw.gz", "disk.raw.xz", "disk.raw.zst"]


@pytest.mark.parametrize("name", FILES)
def test_a_disk_in_any_form_ends_as_a_raw_disk(space: Namespace, proxy: Proxy, corpus: Corpus, name: str) -> None:
    upload = Upload(space, proxy, "disk")
    upload.create("128Mi", "csi")
    upload.wait_ready()
    (answer,) = upload.send_patiently(corpus.files / name)
    assert (answer.status, answer.body) == (200, "")
    upload.wait_done()
    space.wait_phase("disk", "Succeeded")
    content = read_volume(space, "disk", corpus.size)
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)
    assert (content.mode, content.group) == ("660", 107)


@pytest.mark.parametrize(("kind", "mode"), [("dv", "Block"), ("pvc", "Filesystem"), ("pvc", "Block")])
def test_claims_and_devices_too(space: Namespace, proxy: Proxy, corpus: Corpus, kind: str, mode: str) -> None:
    upload = Upload(space, proxy, "disk", kind)
    upload.create("128Mi", "csi", volumeMode=mode)
    upload.wait_ready()
    assert [answer.status for answer in upload.send_patiently(corpus.files / "disk.qcow2")] == [200]
    upload.wait_done()
    content = read_volume(space, "disk", corpus.size, block=mode == "Block")
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


def test_a_class_without_a_driver_is_written_directly(space: Namespace, proxy: Proxy, corpus: Corpus) -> None:
    upload = Upload(space, proxy, "disk")
    upload.create("128Mi", "shared")
    upload.wait_ready()
    pods = [pod["metadata"]["name"] for pod in space.list("Pod", "cdi.kubevirt.io=cdi-upload-server")]
    assert pods == ["cdi-upload-disk"]
    assert [answer.status for answer in upload.send_patiently(corpus.files / "disk.raw")] == [200]
    upload.wait_done()
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum
    space.wait_gone("Pod", "cdi-upload-disk")
    space.wait_gone("Service", "cdi-upload-disk")


def test_an_archive_is_unpacked_also_with_an_entry_for_its_root(space: Namespace, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "note.txt").write_text("hello")
    with tarfile.open(tmp_path / "tree.tar", "w") as archive:
        archive.add(tmp_path / "tree", "./")
    upload = Upload(space, proxy, "tree")
    upload.create("64Mi", "csi", archive=True)
    upload.wait_ready()
    assert [answer.status for answer in upload.send_patiently(tmp_path / "tree.tar")] == [200]
    upload.wait_done()
    assert run_beside(space, "tree", "cat /volume/deep/note.txt").strip() == "hello"


def test_what_people_see_while_it_waits_and_when_it_is_done(space: Namespace, proxy: Proxy, corpus: Corpus) -> None:
    upload = Upload(space, proxy, "disk")
    upload.create("128Mi", "csi")
    upload.wait_ready()
    waiting = space.get("DataVolume", "disk")
    running, ready = condition(waiting, "Running"), condition(waiting, "Ready")
    assert (running["status"], running["reason"]) == ("True", "Pod is running")
    assert (ready["status"], ready["reason"]) == ("False", "TransferRunning")
    assert waiting["status"]["progress"] == "N/A"
    upload.send_patiently(corpus.files / "disk.qcow2")
    done = space.wait_phase("disk", "Succeeded")
    running = condition(done, "Running")
    assert (running["status"], running["reason"], running["message"]) == ("False", "Completed", "Upload Complete")
    assert done["status"]["progress"] == "N/A"
    assert space.wait_event("disk", "UploadReady") == "Upload into disk ready"
    assert space.wait_event("disk", "UploadSucceeded") == "Successfully uploaded into disk"
    assert "cdi.kubevirt.io/storage.populator.pvcPrime" not in annotations(space.get("PersistentVolumeClaim", "disk"))


def test_an_image_that_does_not_fit_is_refused_and_another_one_taken(
    space: Namespace, proxy: Proxy, corpus: Corpus, tmp_path: Path
) -> None:
    large = tmp_path / "large.raw"
    large.touch()
    with large.open("r+b") as disk:
        disk.truncate(256 << 20)
    upload = Upload(space, proxy, "disk")
    upload.create("128Mi", "csi")
    upload.wait_ready()
    answer = upload.send(large)
    assert answer.status == 400
    assert "effective image size is larger than the reported available" in answer.body
    assert upload.phase() == "UploadReady"
    assert upload.send(corpus.files / "disk.qcow2").status == 200
    upload.wait_done()
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_a_volume_that_waits_for_its_consumer_is_forced(space: Namespace, proxy: Proxy, corpus: Corpus) -> None:
    patient, forced = Upload(space, proxy, "patient"), Upload(space, proxy, "forced")
    patient.create("128Mi", "csi-wffc")
    forced.create("128Mi", "csi-wffc", force_bind=True)
    forced.wait_ready()
    assert [answer.status for answer in forced.send_patiently(corpus.files / "disk.raw")] == [200]
    forced.wait_done()
    assert read_volume(space, "forced", corpus.size).sum == corpus.sum
    assert patient.phase() == "PendingPopulation"


def test_a_token_fits_its_claim_only_and_an_upload_ends_once(space: Namespace, proxy: Proxy, corpus: Corpus) -> None:
    upload, other = Upload(space, proxy, "disk"), Upload(space, proxy, "other")
    upload.create("128Mi", "csi")
    upload.wait_ready()
    path, file = "/v1beta1/upload", corpus.files / "disk.qcow2"
    assert proxy.ask("HEAD", path, "nonsense").status == 401
    assert proxy.ask("HEAD", path, other.token()).status == 503  # a claim that is not there
    token = upload.token()
    assert upload.send(file, token).status == 200
    upload.wait_done()
    again = upload.send(file, token)
    assert (again.status, "already finished" in again.body) == (503, True)


def test_a_killed_server_is_started_again_and_the_client_repeats(
    space: Namespace, proxy: Proxy, corpus: Corpus
) -> None:
    upload = Upload(space, proxy, "disk", "pvc")
    upload.create("128Mi", "shared")
    upload.wait_ready()
    before = space.get("Pod", "cdi-upload-disk")["metadata"]["uid"]
    space.delete("Pod", "cdi-upload-disk", force=True)
    space.wait("Pod", "cdi-upload-disk", lambda pod: pod["metadata"]["uid"] != before)
    space.wait(
        "Pod", "cdi-upload-disk", lambda pod: any(item["ready"] for item in pod["status"].get("containerStatuses", ()))
    )
    assert upload.send_patiently(corpus.files / "disk.qcow2")[-1].status == 200
    upload.wait_done()
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum
