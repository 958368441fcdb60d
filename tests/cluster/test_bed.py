"""The test cluster itself: what the other tests take for granted."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.cluster import CORE, Cluster, Namespace, claim, shell_pod
from support.isolation import isolated

from tests.cluster.bed import tools

_SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1"
_WRITE = "echo written > /volume/file; cat /volume/file"
_WRITE_DEVICE = "echo written | dd of=/volume bs=512 conv=sync,fsync status=none; head -c 8 /volume"
_READ = "cat /volume/file"


def test_a_node_is_ready(cluster: Cluster) -> None:
    nodes = cluster.get(f"{CORE}/nodes")

    assert nodes
    ready = [one["status"] for node in nodes["items"] for one in node["status"]["conditions"] if one["type"] == "Ready"]
    assert ready == ["True"] * len(nodes["items"])


def test_a_pod_runs_and_finds_services_by_name(namespace: Namespace) -> None:
    script = """python3 -c '
import socket
socket.create_connection(("kubernetes.default.svc", 443), 5).close()
print("connected")'"""

    assert namespace.run("names", script) == "connected\n"


def test_helper_pods_may_use_arrays_in_sh(namespace: Namespace) -> None:
    """As scripts do that clients wrote for images in which sh is bash."""
    script = """words=(one two); /bin/sh -c 'inner=(three "four five"); echo "${inner[1]}"'; echo "${words[*]}" end"""

    assert namespace.run("helper", script) == "four five\none two end\n"


def test_a_pod_reaches_its_neighbour_through_a_service(namespace: Namespace) -> None:
    server = shell_pod("server", "python3 -m http.server 8080")
    server["metadata"]["labels"] = {"app": "server"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    namespace.apply(service, server)
    namespace.cluster.wait(namespace.path("endpoints", "server"), lambda one: bool(one.get("subsets")))
    script = """python3 -c '
import http.client, time
for attempt in range(50):
    try:
        connection = http.client.HTTPConnection("server", timeout=2)
        connection.request("GET", "/")
        print(connection.getresponse().status)
        break
    except OSError:
        time.sleep(0.1)'"""

    assert namespace.run("client", script) == "200\n"


@pytest.mark.skipif("CDI_TEST_KUBECONFIG" in os.environ, reason="nft rules of another machine")
def test_an_isolated_pod_is_reached_by_nobody_and_its_log_is_read(namespace: Namespace) -> None:
    namespace.apply(shell_pod("server", "python3 -u -m http.server 8080"))
    path = namespace.path("pods", "server")
    address = namespace.cluster.wait(path, lambda pod: pod["status"]["phase"] == "Running")["status"]["podIP"]
    namespace.cluster.kubectl("wait", "-n", namespace.name, "--for=condition=Ready", "pod/server")

    with isolated(address), pytest.raises(TimeoutError):
        socket.create_connection((address, 8080), 1)
    with isolated(address):
        assert namespace.cluster.log(namespace.name, "server") is not None


def test_a_pod_outside_the_restricted_standard_is_refused(namespace: Namespace) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "rootful"},
        "spec": {"containers": [{"name": "shell", "image": "localhost/cdi:test"}]},
    }

    with pytest.raises(AssertionError, match="violates PodSecurity"):
        namespace.apply(pod)


@pytest.mark.parametrize(
    ("storage_class", "access"),
    [
        ("shared", "ReadWriteMany"),
        ("csi", "ReadWriteOnce"),
        ("csi", "ReadWriteMany"),
        ("csi-wffc", "ReadWriteOnce"),
        ("unknown", "ReadWriteOnce"),
    ],
)
def test_a_file_system_claim_binds_and_qemu_may_write_to_it(
    namespace: Namespace, storage_class: str, access: str
) -> None:
    namespace.apply(claim("volume", storage_class, access=access))

    assert namespace.run("writer", _WRITE, "volume") == "written\n"
    assert namespace.run("reader", _READ, "volume") == "written\n"


@pytest.mark.parametrize(
    ("storage_class", "access"),
    [
        ("csi", "ReadWriteOnce"),
        ("csi", "ReadWriteMany"),
        ("csi-wffc", "ReadWriteMany"),
    ],
)
def test_a_block_claim_binds_and_qemu_may_write_to_the_device(
    namespace: Namespace, storage_class: str, access: str
) -> None:
    namespace.apply(claim("volume", storage_class, access=access, block=True))

    assert namespace.run("writer", _WRITE_DEVICE, "volume", block=True) == "written\n"


def test_static_volumes_are_a_directory_and_a_device(namespace: Namespace, static_volume: Callable[[str], str]) -> None:
    namespace.apply(
        claim("files", "manual", size="1Gi", volumeName=static_volume("Filesystem")),
        claim("device", "manual", size="1Gi", volumeName=static_volume("Block"), block=True),
    )

    assert namespace.run("files", _WRITE, "files") == "written\n"
    assert namespace.run("device", _WRITE_DEVICE, "device", block=True) == "written\n"


def test_a_claim_that_waits_for_its_consumer_stays_pending(namespace: Namespace) -> None:
    namespace.apply(claim("volume", "csi-wffc"))
    waiting = namespace.cluster.kubectl(
        "wait", "-n", namespace.name, "--for=jsonpath={.status.phase}=Pending", "pvc/volume"
    )

    assert "condition met" in waiting
    assert namespace.run("writer", _WRITE, "volume") == "written\n"
    assert namespace.bound("volume")["spec"]["volumeName"]


def test_a_snapshot_becomes_a_volume_with_the_same_bytes(namespace: Namespace) -> None:
    namespace.apply(claim("source", "csi"))
    namespace.run("writer", _WRITE, "source")
    snapshot = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "snapshot"},
        "spec": {"source": {"persistentVolumeClaimName": "source"}},
    }
    namespace.apply(snapshot)
    path = namespace.path("volumesnapshots", "snapshot", _SNAPSHOTS)
    namespace.cluster.wait(path, lambda one: one.get("status", {}).get("readyToUse") is True)
    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snapshot"}
    namespace.apply(claim("restored", "csi", size="128Mi", dataSource=source))

    assert namespace.run("reader", _READ, "restored") == "written\n"
    size = namespace.run("size", "df --output=size -B1M /volume | tail -1", "restored")
    assert int(size) > 100  # MiB: it grew to the larger claim


def test_a_claim_is_cloned(namespace: Namespace) -> None:
    namespace.apply(claim("source", "csi"))
    namespace.run("writer", _WRITE, "source")
    namespace.apply(claim("copy", "csi", dataSource={"kind": "PersistentVolumeClaim", "name": "source"}))

    assert namespace.run("reader", _READ, "copy") == "written\n"


def test_a_claim_grows(namespace: Namespace) -> None:
    namespace.apply(claim("volume", "csi"))
    namespace.run("writer", _WRITE, "volume")
    namespace.apply(claim("volume", "csi", size="128Mi"))

    size = namespace.run("size", "df --output=size -B1M /volume | tail -1", "volume")
    assert int(size) > 100


def test_a_deleted_claim_takes_its_volume_along(namespace: Namespace) -> None:
    namespace.apply(claim("one", "csi"), claim("two", "shared", access="ReadWriteMany"))
    volumes = [namespace.bound(name)["spec"]["volumeName"] for name in ("one", "two")]
    for name in ("one", "two"):
        namespace.cluster.delete(namespace.path("persistentvolumeclaims", name))

    for volume in volumes:
        namespace.cluster.wait_gone(f"{CORE}/persistentvolumes/{volume}")


@pytest.mark.slow
def test_the_csi_driver_passes_csi_sanity(tmp_path: Path) -> None:
    from support.csidriver import csi_driver

    with csi_driver(tmp_path) as endpoint:
        words = (
            f"-csi.endpoint=unix://{endpoint}",
            f"-csi.mountdir={tmp_path / 'm'}",
            f"-csi.stagingdir={tmp_path / 's'}",
        )
        done = subprocess.run([tools.program("csi-sanity"), *words], capture_output=True, text=True, timeout=250)

    assert done.returncode == 0, done.stdout[-5000:]
