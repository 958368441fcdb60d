"""The key under which a storage class stands in the capability table: its provisioner, refined by parameters. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Parameters = Mapping[str, str]
_FSTYPE = "csi.storage.k8s.io/fstype"


def derived_key(provisioner: str, parameters: Parameters) -> str | None:
    """``driver.longhorn.io`` with ``migratable: "true"`` -> ``driver.longhorn.io/migratable``. None: not known."""
    rule = _RULES.get(provisioner)
    if rule is None:
        return provisioner
    suffix = rule(parameters)
    if suffix is None:
        return None
    return f"{provisioner}/{suffix}" if suffix else provisioner


def _hostpath(parameters: Parameters) -> str:
    return "overlay" if "overlayCSI" in parameters else ""


def _portworx_in_tree(parameters: Parameters) -> str:
    options = {option.strip() for option in parameters.get("sharedv4_mount_options", "").split(",")}
    return "nfs" if {"vers=3.0", "nolock"} <= options else ""


def _portworx(parameters: Parameters) -> str:
    backend = parameters.get("backend")
    if backend is None:
        return _portworx_in_tree(parameters)
    return backend if backend in ("pure_block", "pure_fa_file") else ""


def _trident(parameters: Parameters) -> str | None:
    backend = parameters.get("backendType", "")
    for kind in ("ontap-nas", "ontap-san"):
        if backend.startswith(kind):
            return kind
    selectors = (part.strip() for part in re.split("[;,]", parameters.get("selector", "")))
    return "gcnv-flex" if backend == "google-cloud-netapp-volumes" and "performance=flex" in selectors else None


def _longhorn(parameters: Parameters) -> str:
    if parameters.get("migratable") == "true":
        return "migratable"
    if parameters.get("nfsOptions"):
        return "nfs"
    return "fs" if parameters.get("fsType") else ""


def _vpc_file(parameters: Parameters) -> str:
    profile = parameters.get("profile", "")
    if profile not in ("rfs", "dp2"):
        return ""
    return f"{profile}-rwo" if parameters.get("vmState") == "true" else profile


def _vsphere(parameters: Parameters) -> str:
    return "nfs" if "nfs" in parameters.get(_FSTYPE, "").lower() else ""


def _nfs_when(parameter: str, *, any_case: bool = True) -> Callable[[Parameters], str | None]:
    def rule(parameters: Parameters) -> str:
        value = parameters.get(parameter, "")
        return "nfs" if (value.lower() if any_case else value) == "nfs" else ""

    return rule


def _one_of(parameter: str, suffixes: Mapping[str, str], otherwise: str | None) -> Callable[[Parameters], str | None]:
    return lambda parameters: suffixes.get(parameters.get(parameter, ""), otherwise)


_HYPERDISKS = ("hyperdisk-balanced", "hyperdisk-balanced-high-availability")
_EBS = {"io1": "io1", "io2": "io2", "gp2": "gp", "gp3": "gp"}
_SYNOLOGY = {"": "iscsi", "iscsi": "iscsi", "smb": "smb", "nfs": "nfs", "nfs_treeq": "nfs"}
_INFINIBOX = {
    "iscsi": "iscsiorfibrechannel",
    "fc": "iscsiorfibrechannel",
    "nvme": "nvme",
    "nfs": "nfs",
    "nfs_treeq": "nfs",
}

# A rule gives the suffix, "" for the provisioner itself, or None when such parameters are not known.
_RULES: dict[str, Callable[[Parameters], str | None]] = {
    "kubevirt.io.hostpath-provisioner": _hostpath,
    "kubernetes.io/portworx-volume": _portworx_in_tree,
    "pxd.portworx.com": _portworx,
    "csi.trident.netapp.io": _trident,
    "infinibox-csi-driver": _one_of("storage_protocol", _INFINIBOX, None),
    "csi.vsphere.vmware.com": _vsphere,
    "csi-powerstore.dellemc.com": _nfs_when(_FSTYPE),
    "csi-vxflexos.dellemc.com": _nfs_when(_FSTYPE),
    "csi-powermax.dellemc.com": _nfs_when(_FSTYPE),
    "csi-unity.dellemc.com": _nfs_when("protocol"),
    "csi.huawei.com": _nfs_when("protocol", any_case=False),
    "driver.longhorn.io": _longhorn,
    "ebs.csi.aws.com": _one_of("type", _EBS, ""),
    "pd.csi.storage.gke.io": _one_of("type", dict.fromkeys(_HYPERDISKS, "hyperdisk"), ""),
    "csi.san.synology.com": _one_of("protocol", _SYNOLOGY, None),
    "vpc.file.csi.ibm.io": _vpc_file,
}
