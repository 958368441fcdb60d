"""Workers, their pods, the controller and the API server die at random moments of an import."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import pytest
import support.cluster
from support.corpus import Corpus
from support.kinds import Cluster, Namespace, Object, phase_of
from support.manifests import datavolume, http, storage
from support.nginx import Nginx
from support.podprocess import process_of
from support.volumes import read_volume

KILLS = 4
MiB = 1 << 20
ON_ITS_WAY = 20 * MiB  # to eight connections, with what is in the buffers of their sockets

pytestmark = [
    pytest.mark.alone,
    pytest.mark.slow,
    pytest.mark.usefixtures("supervised"),
    pytest.mark.skipif("CDI_TEST_KUBECONFIG" in os.environ, reason="processes of another machine cannot be killed"),
]


def _worker(space: Namespace) -> Object | None:
    return next((pod for pod in space.list("Pod") if pod["metadata"]["name"].startswith("importer-")), None)


def _kill_container(space: Namespace) -> None:
    pod = _worker(space)
    pid = process_of(pod, "cdi-importer") if pod else None
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def _delete_pod(space: Namespace) -> None:
    pod = _worker(space)
    if pod is not None:
        space.delete("Pod", pod["metadata"]["name"], force=True)


def _kill_controller(kinds: Cluster) -> None:
    for pod in kinds.list("Pod", "cdi", "cdi.kubevirt.io=cdi-deployment"):
        kinds.delete("Pod", pod["metadata"]["name"], "cdi", force=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
@pytest.mark.parametrize("image", ["disk.raw", "disk.qcow2"])
def test_whatever_dies_whenever_the_disk_is_whole_in_the_end(
    space: Namespace,
    kinds: Cluster,
    cluster: support.cluster.Cluster,
    web: Nginx,
    corpus: Corpus,
    image: str,
    mode: str,
    seed: int,
) -> None:
    choose = random.Random(f"{image} {mode} {seed}")
    killers: dict[str, Callable[[], None]] = {
        "container": lambda: _kill_container(space),
        "pod": lambda: _delete_pod(space),
        "controller": lambda: _kill_controller(kinds),
        "API server": lambda: cluster.restart("apiserver"),
    }
    order = choose.sample(sorted(killers), KILLS)
    before = sum(access.bytes_sent for access in web.accesses(f"/crawl/{image}"))
    space.create(datavolume("disk", http(web.url(image, "crawl")), storage=storage("128Mi", "csi", volumeMode=mode)))
    space.wait("DataVolume", "disk", lambda found: bool(phase_of(found)))
    for victim in order:
        time.sleep(choose.uniform(0, 4))  # the moment is the input of this test; nothing is awaited by it
        if phase_of(space.get("DataVolume", "disk")) == "Succeeded":
            break
        killers[victim]()

    space.wait_phase("disk", "Succeeded", timeout_s=300)
    content = read_volume(space, "disk", corpus.size, block=mode == "Block")
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True), order
    if mode == "Filesystem":  # its journal is in the volume: what was written is not fetched again
        sent = sum(access.bytes_sent for access in web.accesses(f"/crawl/{image}")) - before
        assert sent <= (web.root / image).stat().st_size + 2 * ON_ITS_WAY, order
