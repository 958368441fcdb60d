"""The node: one kubelet with its files below the bed's state."""

from __future__ import annotations

import json
from typing import Any

from . import containerd, kubectl, place, processes
from .certificates import AUTHORITY, cert, key, kubeconfig
from .command import CommandFailed
from .processes import Program
from .tools import program

_CONFIGURATION = place.STATE / "kubelet.yaml"


def start() -> None:
    place.KUBELET.mkdir(exist_ok=True)
    _CONFIGURATION.write_text(json.dumps(_configuration()))
    processes.start(itself())


def itself() -> Program:
    flags = (
        f"--config={_CONFIGURATION}",
        f"--kubeconfig={kubeconfig('kubelet')}",
        f"--hostname-override={place.NODE}",
        f"--node-ip={place.NODE_ADDRESS}",
        f"--root-dir={place.KUBELET}",
    )
    return Program("kubelet", (program("kube"), "kubelet", *flags))


def wait_until_ready() -> None:
    processes.wait("kubelet", _node_is_ready)


def _node_is_ready() -> bool:
    path = "{.status.conditions[?(@.type=='Ready')].status}"
    try:
        return kubectl.kubectl("get", "node", place.NODE, f"-o=jsonpath={path}") == "True"
    except CommandFailed:  # it has not registered yet
        return False


def _configuration() -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{place.NAME}",
        "failSwapOn": False,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(AUTHORITY)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(cert("kubelet")),
        "tlsPrivateKeyFile": str(key("kubelet")),
        "containerRuntimeEndpoint": f"unix://{containerd.SOCKET}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [place.DNS_SERVICE],
        "resolvConf": "",
        "podLogsDir": str(place.STATE / "pod-logs"),
        "volumePluginDir": str(place.STATE / "volume-plugins"),
        # A developer's disk is often nearly full, and it is not the node's to clean.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "maxPods": 200,
        # 100 DataVolumes at once are one test; the defaults (50, 100) would be what it measures.
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "serializeImagePulls": False,
    }
