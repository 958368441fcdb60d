"""Where the bed is: everything it makes on this machine has one of these names, and `down` removes what has them."""

from __future__ import annotations

import os
import re
from pathlib import Path


def _name(wanted: str) -> str:
    """All names begin alike: a bed that is called ``dpkg`` must not take ``/var/lib/dpkg`` for its own."""
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,30}", wanted):
        raise SystemExit(f"CDI_BED={wanted}: a bed's name is made of a-z, 0-9 and -")
    return wanted if wanted == "cdi-bed" else f"cdi-bed-{wanted}"


NAME = _name(os.environ.get("CDI_BED") or "cdi-bed")
STATE = Path("/var/lib") / NAME
"""Owned by one bed at a time, whichever clone started it; gone after ``down``."""

LOGS = STATE / "log"
PKI = STATE / "pki"
KUBELET = STATE / "kubelet"
VOLUMES = STATE / "volumes"
"""Mount point of an XFS file system with reflinks: all volumes are in it."""
KUBECONFIG = STATE / "admin.kubeconfig"

NODE = "node1"
NODE_ADDRESS = "192.168.250.1"
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
API_SERVER = "https://127.0.0.1:6443"

REPOSITORY = Path(__file__).resolve().parents[3]
TOOLS = Path(__file__).parent / "tools"
CACHE = Path(os.environ.get("CDI_TEST_CACHE") or Path.home() / ".cache/cdi-tests")
