"""What goes away in the middle of an import, and that it ends well all the same."""

from __future__ import annotations

import hashlib
import os
import random
import signal
from collections.abc import Callable

import pytest
import support.cluster
from support.corpus import Corpus
from support.faultserver import FaultServer, Route
from support.kinds import Cluster, Namespace, Object, annotations, condition
from support.manifests import datavolume, http, storage
from support.nginx import Nginx
from support.podprocess import process_of
from support.volumes import read_volume

MiB = 1 << 20
DURABLE = "cdi.kubevirt.io/storage.import.durable"
_CONTROLLER = "cdi.kubevirt.io=cdi-deployment"


def _begun(space: Namespace, url: str, class_name: str) -> None:
    space.create(datavolume("disk", http(url), storage=storage("128Mi", class_name)))
    space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("status") == "True")


def _ends_well(space: Namespace, corpus: Corpus) -> Object:
    done = space.wait_phase("disk", "Succeeded", timeout_s=120)
    content = read_volume(space, "disk", corpus.size)
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)
    return done


def _importer(space: Namespace) -> Object:
    return next(pod for pod in space.list("Pod") if pod["metadata"]["name"].startswith("importer-"))


@pytest.mark.alone
@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_the_controller_is_replaced(
    space: Namespace, kinds: Cluster, web: Nginx, corpus: Corpus, class_name: str
) -> None:
    _begun(space, web.url("disk.raw", "crawl"), class_name)
    worker = _importer(space)["metadata"]["uid"]
    for pod in kinds.list("Pod", "cdi", _CONTROLLER):
        kinds.delete("Pod", pod["metadata"]["name"], "cdi", force=True)
    assert _importer(space)["metadata"]["uid"] == worker
    done = _ends_well(space, corpus)
    assert done["status"].get("restartCount", 0) == 0


@pytest.mark.alone
@pytest.mark.usefixtures("supervised")
def test_the_api_server_is_restarted(
    space: Namespace, cluster: support.cluster.Cluster, web: Nginx, corpus: Corpus
) -> None:
    if os.environ.get("CDI_TEST_KUBECONFIG"):
        pytest.skip("only the bed's API server may be killed")
    _begun(space, web.url("disk.raw", "crawl"), "csi")
    cluster.restart("apiserver")
    done = _ends_well(space, corpus)
    assert done["status"].get("restartCount", 0) == 0


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_a_killed_worker_goes_on_where_it_was(space: Namespace, web: Nginx, corpus: Corpus, class_name: str) -> None:
    if os.environ.get("CDI_TEST_KUBECONFIG"):
        pytest.skip("processes of another machine's containers cannot be killed")
    earlier = sum(access.bytes_sent for access in web.accesses("/crawl/disk.raw"))
    _begun(space, web.url("disk.raw", "crawl"), class_name)
    space.wait(
        "DataVolume", "disk", lambda found: found.get("status", {}).get("transfer", {}).get("bytesDone", 0) > 4 << 20
    )
    pid = process_of(_importer(space), "cdi-importer")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    done = _ends_well(space, corpus)
    assert done["status"]["restartCount"] == 1
    again = sum(access.bytes_sent for access in web.accesses("/crawl/disk.raw")) - earlier - corpus.size
    assert again < 20 << 20, "what was on its way to eight connections, no more"


def test_a_worker_pod_that_somebody_deletes_is_replaced(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    _begun(space, web.url("disk.raw", "crawl"), "shared")
    first = _importer(space)["metadata"]
    space.delete("Pod", first["name"], force=True)
    space.wait("Pod", first["name"], lambda pod: pod["metadata"]["uid"] != first["uid"])
    _ends_well(space, corpus)


@pytest.mark.slow
def test_a_new_pod_goes_on_with_a_device_where_the_last_one_had_made_it_durable(space: Namespace, host: str) -> None:
    """Its journal went with the first pod: what is durable is on record at its claim."""
    body = random.Random(4).randbytes(8 * MiB) * 24
    with FaultServer(host) as server:
        url = server.add("/disk", Route(body, trickle=(128 << 10, 0.1)))
        space.create(datavolume("disk", http(url), storage=storage("256Mi", "csi", volumeMode="Block")))
        space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("status") == "True")
        worker = _importer(space)["metadata"]
        claim = worker["ownerReferences"][0]["name"]
        kept = space.wait("PersistentVolumeClaim", claim, lambda found: DURABLE in annotations(found))
        space.delete("Pod", worker["name"], force=True)
        before = server.bytes_sent
        server.add("/disk", Route(body))
        space.wait_phase("disk", "Succeeded", timeout_s=120)
        durable = _durable_bytes(annotations(kept)[DURABLE])
        assert durable > 16 * MiB
        assert server.bytes_sent - before < len(body) - durable + 8 * MiB
    content = read_volume(space, "disk", len(body), block=True)
    assert (content.sum, content.rest_is_zero) == (hashlib.sha256(body).hexdigest(), True)


def _durable_bytes(record: str) -> int:
    marks = [line.split() for line in record.splitlines() if line.startswith("W ")]
    return sum(int(end) - int(start) for _, start, end, _ in marks)


def _cut(body: bytes) -> Route:
    return Route(body, cut_at=dict.fromkeys(range(3, 12, 2), 300000))


def _reset(body: bytes) -> Route:
    return Route(body, reset_at=dict.fromkeys(range(3, 12, 2), 300000))


def _without_ranges(body: bytes) -> Route:
    return Route(body, ranges=False, chunked=True)


@pytest.mark.parametrize("route", [_cut, _reset, _without_ranges])
def test_a_server_that_misbehaves_needs_no_second_attempt(
    space: Namespace, host: str, corpus: Corpus, route: Callable[[bytes], Route]
) -> None:
    with FaultServer(host) as server:
        url = server.add("/disk.qcow2", route((corpus.files / "disk.qcow2").read_bytes()))
        space.create(datavolume("disk", http(url), storage=storage("128Mi", "csi")))
        done = _ends_well(space, corpus)
    assert done["status"].get("restartCount", 0) == 0


def test_a_wrong_url_is_corrected_in_place(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    space.create(datavolume("disk", http(web.url("nothing.qcow2")), storage=storage("128Mi", "csi")))
    space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("reason") == "Error")
    space.patch("DataVolume", "disk", {"spec": {"source": {"http": {"url": web.url("disk.qcow2")}}}})
    done = _ends_well(space, corpus)
    assert "failure" not in done["status"]


def test_a_permanent_fault_fails_where_that_is_asked_for(space: Namespace, web: Nginx) -> None:
    notes = {"cdi.kubevirt.io/failurePolicy": "Fail"}
    manifest = datavolume("disk", http(web.url("nothing.qcow2")), annotations=notes, storage=storage("64Mi", "csi"))
    space.create(manifest)
    failed = space.wait_phase("disk", "Failed")
    assert failed["status"]["failure"]["code"] == "SourceNotFound"
    space.wait_event("disk", "ImportFailed")


@pytest.mark.alone
def test_the_kubelet_is_restarted(
    space: Namespace, cluster: support.cluster.Cluster, web: Nginx, corpus: Corpus
) -> None:
    if os.environ.get("CDI_TEST_KUBECONFIG"):
        pytest.skip("only the bed's kubelet may be killed")
    _begun(space, web.url("disk.raw", "crawl"), "csi")
    worker = _importer(space)["metadata"]["uid"]
    cluster.restart("kubelet")
    assert _importer(space)["metadata"]["uid"] == worker
    done = _ends_well(space, corpus)
    assert done["status"].get("restartCount", 0) == 0


def test_two_with_one_source_do_not_disturb_each_other(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    for name, class_name in {"first": "shared", "second": "shared", "third": "csi"}.items():
        space.create(datavolume(name, http(web.url("disk.raw", "slow")), storage=storage("128Mi", class_name)))
    for name in ("first", "second", "third"):
        space.wait_phase(name, "Succeeded", timeout_s=120)
        content = read_volume(space, name, corpus.size)
        assert (content.sum, content.rest_is_zero) == (corpus.sum, True)
