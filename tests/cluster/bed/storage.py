"""The storage classes, what provisions them, and one XFS file system with reflinks that holds every volume.

shared    RWX, Filesystem; a directory per claim (provisioner.py); no CSI
csi       default; Filesystem and Block, RWO and RWX; expands, snapshots, clones (csi/, under the real sidecars)
csi-wffc  the same with WaitForFirstConsumer
manual    static volumes: directories and loop devices of this node
unknown   a provisioner that is in nobody's table; makes what `shared` makes
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

from . import kubectl, place, processes, tools
from .command import run
from .processes import Program

DRIVER = "csi.bed.test"
_IMAGE = place.STATE / "volumes.img"
_SIZE = 64 << 30  # sparse: takes what is written
_DIRECTORIES = place.VOLUMES / "directories"
_STATIC = place.VOLUMES / "static"
_SOCKET = place.KUBELET / "plugins" / DRIVER / "csi.sock"
_REGISTRATION = place.KUBELET / "plugins_registry" / f"{DRIVER}-reg.sock"
SIDECARS = ("csi-provisioner", "csi-resizer", "csi-snapshotter")
PROGRAMS = ("csi-driver", "snapshot-controller", "provisioner", *SIDECARS)


def make_file_system() -> None:
    place.VOLUMES.mkdir()
    with _IMAGE.open("wb") as image:
        image.truncate(_SIZE)
    run("mkfs.xfs", "-q", "-m", "reflink=1", _IMAGE)
    run("mount", "-o", "loop,discard", _IMAGE, place.VOLUMES)
    for directory in (_DIRECTORIES, _STATIC):
        directory.mkdir()


def start() -> None:
    """Needs the API server and, for the driver to be of use, the kubelet. Does not wait for the programs."""
    kubectl.kubectl("apply", "--server-side", "-f", str(tools.files("csi")))
    kubectl.apply(*_classes(), _csi_driver())
    for program in programs():
        processes.start(program)
    kubectl.kubectl("wait", "--for=condition=Established", "crd/volumesnapshotclasses.snapshot.storage.k8s.io")
    kubectl.apply(_snapshot_class())


def wait_until_ready() -> None:
    processes.wait("csi-driver", _driver_is_registered)
    static_volume("manual-filesystem", 1 << 30, "Filesystem")
    static_volume("manual-block", 1 << 30, "Block")


def programs() -> list[Program]:
    as_client = f"--kubeconfig={place.KUBECONFIG}"
    generous = ("--kube-api-qps=100", "--kube-api-burst=200")  # 100 claims at once are a test, not an attack
    socket = (f"--csi-address={_SOCKET}", "--timeout=300s")
    python = {"PYTHONPATH": str(place.REPOSITORY), "PYTHONUNBUFFERED": "1"}
    driver = (
        sys.executable, "-m", "tests.cluster.bed.csi", f"--name={DRIVER}", f"--node={place.NODE}",
        f"--state={place.VOLUMES / 'csi'}", f"--endpoint={_SOCKET}", f"--registration={_REGISTRATION}",
    )  # fmt: skip
    options: dict[str, tuple[str, ...]] = {
        "csi-provisioner": ("--default-fstype=ext4", "--retry-interval-start=200ms"),
        "csi-resizer": ("--retry-interval-start=200ms",),
        "csi-snapshotter": ("--retry-interval-start=200ms",),
    }
    return [
        Program("csi-driver", driver, python),
        *(Program(name, (tools.program(name), as_client, *socket, *generous, *options[name])) for name in SIDECARS),
        Program("snapshot-controller", (tools.program("snapshot-controller"), as_client, *generous)),
        Program("provisioner", (sys.executable, "-m", "tests.cluster.bed.provisioner", str(_DIRECTORIES)), python),
    ]


def static_volume(name: str, size: int, mode: Literal["Filesystem", "Block"]) -> None:
    """A PersistentVolume of class ``manual``, ``size`` in bytes; until ``remove_static_volume``, or the bed's end."""
    path = _STATIC / name
    if mode == "Block":
        with path.open("wb") as image:
            image.truncate(size)
        path = Path(run("losetup", "--find", "--show", path))
    else:
        path.mkdir()
        os.chown(path, 0, 107)
        path.chmod(0o2770)
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [place.NODE]}
    kubectl.apply({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": str(size)},
            "local": {"path": str(path)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "manual",
            "volumeMode": mode,
        },
    })  # fmt: skip


def remove_static_volume(name: str) -> None:
    """Waits until no claim has it."""
    kubectl.kubectl("delete", "persistentvolume", name, "--wait")
    path = _STATIC / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        if device := run("losetup", "--associated", path, "--noheadings", "--output", "NAME"):
            run("losetup", "--detach", device)
        path.unlink()


def _classes() -> list[dict[str, Any]]:
    return [
        _class("shared", "shared.bed.test"),
        _class("unknown", "unknown.bed.test"),
        _class("manual", "kubernetes.io/no-provisioner"),
        _class("csi", DRIVER, default=True, expands=True),
        _class("csi-wffc", DRIVER, binding="WaitForFirstConsumer", expands=True),
    ]


def _class(
    name: str, provisioner: str, *, binding: str = "Immediate", default: bool = False, expands: bool = False
) -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": annotations},
        "provisioner": provisioner,
        "volumeBindingMode": binding,
        "allowVolumeExpansion": expands,
    }


def _csi_driver() -> dict[str, Any]:
    # fsGroupPolicy File: a volume many pods write gets its group too, which the default leaves out.
    spec = {"attachRequired": False, "podInfoOnMount": False, "fsGroupPolicy": "File"}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": spec}


def _snapshot_class() -> dict[str, Any]:
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": "csi", "annotations": {"snapshot.storage.kubernetes.io/is-default-class": "true"}},
        "driver": DRIVER,
        "deletionPolicy": "Delete",
    }


def _driver_is_registered() -> bool:
    return DRIVER in kubectl.kubectl("get", "csinodes", "-o=jsonpath={.items[*].spec.drivers[*].name}").split()
