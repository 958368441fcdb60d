"""kubectl against the bed, from wherever this process is."""

from __future__ import annotations

import json
from typing import Any

from . import netns, place
from .command import CommandFailed, run
from .tools import program


def command(*words: str) -> list[str]:
    return netns.inside(program("kube"), "kubectl", f"--kubeconfig={place.KUBECONFIG}", *words)


def kubectl(*words: str, input_text: str | None = None, timeout_s: float = 120) -> str:
    return run(*command(*words), input_text=input_text, timeout_s=timeout_s)


def apply(*objects: dict[str, Any]) -> None:
    """Server-side: the objects become as given. Does not wait for what follows from that."""
    everything = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input_text=json.dumps(everything))


def server_is_ready() -> bool:
    try:
        return kubectl("get", "--raw=/readyz", "--request-timeout=2s") == "ok"
    except CommandFailed:
        return False
