"""What every pod of ours that touches a volume runs as: it is admitted where the restricted standard is enforced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UID = 107  # qemu, whom the disk belongs to
SECCOMP: Mapping[str, str] = {"type": "RuntimeDefault"}


def container_security() -> dict[str, Any]:
    return {
        "runAsUser": UID,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": dict(SECCOMP),
    }
