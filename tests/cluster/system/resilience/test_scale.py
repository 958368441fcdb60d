"""A hundred DataVolumes at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.corpus import Corpus
from support.kinds import Cluster, Namespace, Object, phase_of
from support.manifests import datavolume, http, storage
from support.nginx import Nginx
from support.podprocess import process_of
from support.volumes import read_volume

NUMBER = 100
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_at_once_all_succeed(
    space: Namespace, kinds: Cluster, web: Nginx, corpus: Corpus, record_property: Callable[[str, object], None]
) -> None:
    """Half of them blank. What the controller used is told apart from the node's time, which is most of it."""
    cpu = _controller_cpu(kinds)
    begin = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(space.create, (_volume(number, web) for number in range(NUMBER))))
    for number in range(NUMBER):
        space.wait_phase(f"disk-{number}", "Succeeded", timeout_s=600)
    wall, used = time.monotonic() - begin, _controller_cpu(kinds) - cpu
    record_property("seconds", round(wall, 1))
    record_property("controller_cpu_seconds", round(used, 2))
    print(f"{NUMBER} DataVolumes: {wall:.0f} s, controller {used:.1f} s of processor time")

    finished = space.list("DataVolume")
    assert [phase_of(found) for found in finished] == ["Succeeded"] * NUMBER
    assert sum(found["status"].get("restartCount", 0) for found in finished) == 0
    for pod in space.list("Pod"):
        space.wait_gone("Pod", pod["metadata"]["name"])
    for found in space.list("PersistentVolumeClaim"):
        if found["metadata"]["name"].startswith("prime-"):
            space.wait_gone("PersistentVolumeClaim", found["metadata"]["name"])
    assert len(space.list("PersistentVolumeClaim")) == NUMBER
    assert read_volume(space, f"disk-{NUMBER - 1}", corpus.size).sum == corpus.sum


def _volume(number: int, web: Nginx) -> Object:
    source = http(web.url("disk.qcow2")) if number % 2 else {"blank": {}}
    return datavolume(f"disk-{number}", source, storage=storage("64Mi", "csi", volumeMode="Filesystem"))


def _controller_cpu(kinds: Cluster) -> float:
    """Seconds of processor time so far; 0 where it runs on another machine."""
    (pod,) = kinds.list("Pod", "cdi", "cdi.kubevirt.io=cdi-deployment")
    pid = process_of(pod, "cdi-controller")
    if pid is None:
        return 0.0
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * _TICK_S
