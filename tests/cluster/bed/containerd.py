"""containerd: sandboxes and containers by Debian's runc, networks by Debian's CNI plugins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from . import network, place, processes
from .command import run
from .processes import Program
from .tools import program

_HOME = place.STATE / "containerd"
SOCKET = _HOME / "containerd.sock"
PAUSE_IMAGE = "localhost/pause:1"
_CONFIGURATION = place.STATE / "containerd.toml"
_BIN = place.STATE / "bin"


def start() -> None:
    _CONFIGURATION.write_text(_configuration())
    _BIN.mkdir()
    # containerd looks for its shim by name in PATH.
    for name in ("containerd", "containerd-shim-runc-v2", "ctr"):
        (_BIN / name).symlink_to(program(name))
    processes.start(itself())
    processes.wait("containerd", SOCKET.is_socket)


def itself() -> Program:
    path = f"{_BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"
    return Program("containerd", (program("containerd"), "-c", _CONFIGURATION), {"PATH": path})


def load_image(archive: Path) -> None:
    """Imports what ``buildah push docker-archive:`` wrote. The kubelet sees it at once."""
    run(*_ctr(), "import", "--local=true", archive, timeout_s=300)


def has_image(name: str) -> bool:
    return name in run(*_ctr(), "list", "--quiet", f"name=={name}").split()


def tag_image(name: str, also: str) -> None:
    run(*_ctr(), "tag", "--force", name, also)


def _ctr() -> list[str | Path]:
    return [program("ctr"), "-a", SOCKET, "-n", "k8s.io", "images"]


def _configuration() -> str:
    assert shutil.which("runc", path=os.environ["PATH"] + ":/usr/sbin"), "runc is missing: make setup-test"
    return f"""\
version = 3
root = "{_HOME}/root"
state = "{_HOME}/state"
[grpc]
  address = "{SOCKET}"
[ttrpc]
  address = "{SOCKET}.ttrpc"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  # Block volumes belong to the pod's user, as on OpenShift: CDI's workers are not root.
  device_ownership_from_security_context = true
  # Without CAP_SYS_RESOURCE nobody may lower oom_score_adj, and runc answers "can't get final child's PID from pipe".
  restrict_oom_score_adj = true
  # Below `state`, so that `down` finds them.
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      Root = "{_HOME}/runc"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{network.PLUGINS}"]
    conf_dir = "{network.CONFIGURATION}"
"""
