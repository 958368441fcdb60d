"""The Go programs of the bed, built by requirements/gobuild.sh once per pin."""

from __future__ import annotations

import functools
from pathlib import Path

from . import place
from .command import run

_LONGEST_BUILD_S = 3600
_PACKAGES = {
    "kube": ("kube", "tools/kube"),
    "coredns": ("coredns", "tools/coredns"),
    "pause": ("pause", "tools/pause"),
    "containerd": ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
    "ctr": ("containerd", "github.com/containerd/containerd/v2/cmd/ctr"),
    "containerd-shim-runc-v2": ("containerd", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
    "csi-provisioner": ("csi", "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner"),
    "csi-resizer": ("csi", "github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer"),
    "csi-snapshotter": ("csi", "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter"),
    "snapshot-controller": ("csi", "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller"),
    "csi-sanity": ("csi", "github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity"),
}


@functools.cache
def program(name: str) -> Path:
    """Where the program is; builds it when it is missing."""
    module, package = _PACKAGES[name]
    build = place.REPOSITORY / "requirements/gobuild.sh"
    return Path(run(build, place.TOOLS / module, package, timeout_s=_LONGEST_BUILD_S))


@functools.cache
def files(module: str) -> Path:
    """Directory of the files of Go modules that ``tools/<module>/files`` names: protocols and CRDs."""
    return Path(run(place.REPOSITORY / "requirements/gobuild.sh", place.TOOLS / module, "files", timeout_s=600))
