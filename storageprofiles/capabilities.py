"""What known provisioners can do: claim property sets, advised clone strategy, smallest claim. Pure data and lookup.

The rows are the contract's table. A set is written ``mode/V``: RWX, RWO, ROX, and B for Block, F for Filesystem; each
becomes a ``ClaimPropertySet`` with that one access mode, best first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cdi.base.units import GiB
from storageprofiles.parameters import derived_key
from storageprofiles.rendering import ClaimPropertySet

_ROWS: dict[str, str] = {
    "RWO/F": """kubevirt.io.hostpath-provisioner kubevirt.io/hostpath-provisioner k8s.io/minikube-hostpath
        kubernetes.io/storageos storageos driver.longhorn.io/fs directpv-min-io vpc.file.csi.ibm.io/dp2-rwo
        vpc.file.csi.ibm.io/rfs-rwo""",
    "RWX/F": """kubevirt.io.hostpath-provisioner/overlay nfs.csi.k8s.io k8s-sigs.io/nfs-subdir-external-provisioner
        kubernetes.io/azure-file file.csi.azure.com manila.csi.openstack.org""",
    "RWX/F RWO/F": """cephfs.csi.ceph.com rook-ceph.cephfs.csi.ceph.com openshift-storage.cephfs.csi.ceph.com
        efs.csi.aws.com spectrumscale.csi.ibm.com vpc.file.csi.ibm.io vpc.file.csi.ibm.io/dp2 vpc.file.csi.ibm.io/rfs
        kubernetes.io/portworx-volume/nfs pxd.portworx.com/nfs pxd.portworx.com/pure_fa_file
        csi.trident.netapp.io/ontap-nas csi.trident.netapp.io/gcnv-flex infinibox-csi-driver/nfs
        driver.longhorn.io/nfs csi.san.synology.com/nfs csi.san.synology.com/smb""",
    "RWX/F RWO/F ROX/F": """csi-unity.dellemc.com/nfs csi-vxflexos.dellemc.com/nfs csi-isilon.dellemc.com
        csi-powermax.dellemc.com/nfs csi-powerstore.dellemc.com/nfs csi.huawei.com/nfs""",
    "RWX/B RWO/B RWO/F": """kubernetes.io/rbd rbd.csi.ceph.com rook-ceph.rbd.csi.ceph.com
        openshift-storage.rbd.csi.ceph.com ebs.csi.aws.com/io2 pd.csi.storage.gke.io/hyperdisk hspc.csi.hitachi.com
        csi.hpe.com block.csi.ibm.com pxd.portworx.com/pure_block infinibox-csi-driver/iscsiorfibrechannel
        infinibox-csi-driver/nvme blockvolume.csi.oraclecloud.com csi.san.synology.com/iscsi""",
    "RWX/B RWO/B RWO/F ROX/B ROX/F": """linstor.csi.linbit.com csi-unity.dellemc.com csi-vxflexos.dellemc.com
        csi.huawei.com""",
    "RWX/B RWO/B RWO/F ROX/B": "csi-powermax.dellemc.com csi-powerstore.dellemc.com",
    "RWX/B ROX/B RWO/B RWO/F": "kubesan.gitlab.io",
    "RWX/B RWX/F RWO/B RWO/F": "kubernetes.io/portworx-volume pxd.portworx.com",
    "RWX/B RWO/B": "driver.longhorn.io/migratable",
    "RWX/B": "csi.trident.netapp.io/ontap-san",
    "RWX/F RWO/B RWO/F": "csi.vsphere.vmware.com/nfs",
    "RWO/B": """kubernetes.io/aws-ebs ebs.csi.aws.com ebs.csi.aws.com/io1 ebs.csi.aws.com/gp kubernetes.io/azure-disk
        disk.csi.azure.com driver.longhorn.io""",
    "RWO/B RWO/F": """kubernetes.io/gce-pd pd.csi.storage.gke.io vpc.block.csi.ibm.io topolvm.cybozu.com topolvm.io
        cinder.csi.openstack.org csi.ovirt.org csi.vsphere.vmware.com""",
}

_STRATEGIES: dict[str, str] = {
    "csi-clone": """csi-vxflexos.dellemc.com csi-isilon.dellemc.com csi-powermax.dellemc.com hspc.csi.hitachi.com
        csi.hpe.com spectrumscale.csi.ibm.com block.csi.ibm.com rbd.csi.ceph.com rook-ceph.rbd.csi.ceph.com
        openshift-storage.rbd.csi.ceph.com cephfs.csi.ceph.com rook-ceph.cephfs.csi.ceph.com
        openshift-storage.cephfs.csi.ceph.com pxd.portworx.com pxd.portworx.com/nfs pxd.portworx.com/pure_block
        pxd.portworx.com/pure_fa_file infinibox-csi-driver/iscsiorfibrechannel infinibox-csi-driver/nvme
        infinibox-csi-driver/nfs kubesan.gitlab.io csi.san.synology.com/iscsi csi.san.synology.com/nfs
        csi.san.synology.com/smb blockvolume.csi.oraclecloud.com""",
    "copy": "csi-powerstore.dellemc.com vpc.block.csi.ibm.io topolvm.cybozu.com topolvm.io",
    "snapshot": """vpc.file.csi.ibm.io vpc.file.csi.ibm.io/dp2 vpc.file.csi.ibm.io/rfs vpc.file.csi.ibm.io/dp2-rwo
        vpc.file.csi.ibm.io/rfs-rwo csi.trident.netapp.io/ontap-nas csi.trident.netapp.io/ontap-san
        csi.trident.netapp.io/gcnv-flex pd.csi.storage.gke.io pd.csi.storage.gke.io/hyperdisk""",
}

_MINIMUM_SIZES: dict[int, str] = {
    4 * GiB: "pd.csi.storage.gke.io/hyperdisk ebs.csi.aws.com/io1 ebs.csi.aws.com/io2",
    GiB: """ebs.csi.aws.com/gp csi.san.synology.com/iscsi csi.san.synology.com/nfs csi.san.synology.com/smb
        csi.trident.netapp.io/gcnv-flex vpc.file.csi.ibm.io/rfs vpc.file.csi.ibm.io/rfs-rwo xspc.csi.hpe.com
        hspc.csi.hitachi.com""",
    10 * GiB: "vpc.file.csi.ibm.io/dp2 vpc.file.csi.ibm.io/dp2-rwo",
}

# Serve no disks for virtual machines: nobody is told that their profile is incomplete.
WITHOUT_DISKS = frozenset(
    [
        "openshift-storage.noobaa.io/obc",
        "openshift-storage.ceph.rook.io/bucket",
        "rook-ceph.ceph.rook.io/bucket",
        "stork-snapshot",
        "kubernetes.io/no-provisioner",
    ]
)

_MODES = {"RWO": "ReadWriteOnce", "RWX": "ReadWriteMany", "ROX": "ReadOnlyMany"}
_VOLUMES = {"B": "Block", "F": "Filesystem"}


_SNAPSHOT_FORMAT = frozenset(
    [
        "rook-ceph.rbd.csi.ceph.com",
        "openshift-storage.rbd.csi.ceph.com",
        "csi.trident.netapp.io/ontap-nas",
        "csi.trident.netapp.io/ontap-san",
        "csi.trident.netapp.io/gcnv-flex",
        "pd.csi.storage.gke.io",
        "pd.csi.storage.gke.io/hyperdisk",
        "vpc.file.csi.ibm.io",
        "vpc.file.csi.ibm.io/dp2",
        "vpc.file.csi.ibm.io/rfs",
        "vpc.file.csi.ibm.io/dp2-rwo",
        "vpc.file.csi.ibm.io/rfs-rwo",
    ]
)


# New block volumes read as zeroes: what was never written is a hole, by the design of the storage (an RBD image is made
# of objects that come into being when they are written). Not here: what only usually does so (LVM hands out blocks with
# what was in them; thin pools, arrays and clouds have settings for it). For those an administrator can say it.
_ZEROED = frozenset(
    ["kubernetes.io/rbd", "rbd.csi.ceph.com", "rook-ceph.rbd.csi.ceph.com", "openshift-storage.rbd.csi.ceph.com"]
)


# A DataImportCron's volumes are written by one node there, and its snapshots are of the class for images.
_CRON_IMAGES = frozenset(["pd.csi.storage.gke.io", "pd.csi.storage.gke.io/hyperdisk"])


def _sets(text: str) -> tuple[ClaimPropertySet, ...]:
    pairs = (word.split("/") for word in text.split())
    return tuple(ClaimPropertySet((_MODES[mode],), _VOLUMES[volume]) for mode, volume in pairs)


_SETS = {key: _sets(row) for row, keys in _ROWS.items() for key in keys.split()}
_STRATEGY = {key: strategy for strategy, keys in _STRATEGIES.items() for key in keys.split()}
_MINIMUM = {key: size for size, keys in _MINIMUM_SIZES.items() for key in keys.split()}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """``sets`` is empty for what is not recognized; ``reason`` and ``message`` are those of the Recognized condition.

    ``clone_strategy`` is advice, empty where the table has none. ``minimum_size``: bytes, 0 for none.
    """

    sets: tuple[ClaimPropertySet, ...]
    reason: str
    message: str
    clone_strategy: str = ""
    minimum_size: int = 0
    snapshot_format: bool = False  # a DataImportCron keeps snapshots rather than volumes
    zeroed: bool = False  # a new block volume reads as zeroes, if it is not encrypted
    cron_images: bool = False  # a DataImportCron's volumes are ReadWriteOnce, its snapshots of the class for images

    @property
    def recognized(self) -> bool:
        return self.reason == "RecognizedProvisioner"


def capabilities(provisioner: str, parameters: Mapping[str, str]) -> Capabilities:
    """What a storage class of ``provisioner`` with these ``parameters`` can do."""
    key = derived_key(provisioner, parameters)
    if key is None:
        message = "Storage class parameters are not recognized"
        return Capabilities((), "UnrecognizedStorageClassParameters", message)
    if key not in _SETS:
        message = "Provisioner is not recognized"
        return Capabilities((), "UnrecognizedProvisioner", message, minimum_size=_MINIMUM.get(key, 0))
    return Capabilities(
        _SETS[key],
        "RecognizedProvisioner",
        "Provisioner is recognized",
        _STRATEGY.get(key, ""),
        _MINIMUM.get(key, 0),
        key in _SNAPSHOT_FORMAT,
        zeroed=key in _ZEROED,
        cron_images=key in _CRON_IMAGES,
    )
