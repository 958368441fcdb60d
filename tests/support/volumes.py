"""What a volume of the cluster holds, seen by a pod of its own that runs nothing of ours but the shell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from support.kinds import Namespace, Object

IMAGE = os.environ.get("CDI_TEST_IMAGE", "localhost/cdi:test")
_FILE, _DEVICE = "/volume/disk.img", "/dev/volume"
# allocated: 512-byte blocks, 0 for devices. The sum covers the first `head` bytes; the rest must be zero.
_LOOK = """
set -eu
stat -Lc 'mode=%a' {path}; stat -Lc 'group=%g' {path}; stat -Lc 'blocks=%b' {path}
echo size=$({size})
echo sum=$(head -c {head} {path} | sha256sum | cut -d' ' -f1)
if tail -c +$(({head} + 1)) {path} | cmp -s -n $(({rest})) - /dev/zero; then echo rest=zero; else echo rest=other; fi
"""


@dataclass(frozen=True)
class Content:
    """``sum``: SHA-256 of the first bytes asked for. ``rest_is_zero``: everything behind them, up to ``size``.
    ``mode``: octal digits. ``allocated``: bytes that the file takes, 0 for a device."""

    size: int
    sum: str
    rest_is_zero: bool
    mode: str
    group: int
    allocated: int


def read_volume(namespace: Namespace, claim: str, head: int, *, block: bool = False) -> Content:
    """Runs a pod that mounts the claim as a launcher pod would (uid and group 107); waits for its end."""
    path = _DEVICE if block else _FILE
    size = f"cat {path} | wc -c" if block else f"stat -Lc %s {path}"
    script = _LOOK.format(path=path, size=size, head=head, rest=f"$({size}) - {head}")
    lines = run_beside(namespace, claim, script, block=block).splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return Content(
        size=int(found["size"]),
        sum=found["sum"],
        rest_is_zero=found["rest"] == "zero",
        mode=found["mode"],
        group=int(found["group"]),
        allocated=0 if block else int(found["blocks"]) * 512,
    )


def run_beside(namespace: Namespace, claim: str, script: str, *, block: bool = False, timeout_s: float = 60) -> str:
    """What ``script`` prints in a pod with the claim at /volume, or as the device /dev/volume; the pod is removed."""
    name = f"look-{claim}"[:60].rstrip("-.")
    namespace.create(looking_pod(name, claim, script, block=block))
    pod = namespace.wait("Pod", name, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), timeout_s)
    log = namespace.log(name)
    namespace.delete("Pod", name, force=True)
    assert pod["status"]["phase"] == "Succeeded", log
    return log


def looking_pod(name: str, claim: str, script: str, *, block: bool = False) -> Object:
    """A pod that the ``restricted`` standard admits; a first consumer for WaitForFirstConsumer claims."""
    container: dict[str, Any] = {
        "name": "look",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if block:
        container["volumeDevices"] = [{"name": "volume", "devicePath": _DEVICE}]
    else:
        container["volumeMounts"] = [{"name": "volume", "mountPath": "/volume"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsUser": 107,
                "runAsGroup": 107,
                "fsGroup": 107,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }
