"""Known provisioners and what their parameters say."""

import pytest

from cdi.base.units import GiB
from storageprofiles.capabilities import capabilities


def sets_of(provisioner: str, **parameters: str) -> list[str]:
    short = {"ReadWriteOnce": "RWO", "ReadWriteMany": "RWX", "ReadOnlyMany": "ROX"}
    found = capabilities(provisioner, parameters).sets
    return [f"{short[item.access_modes[0]]}/{item.volume_mode[0]}" for item in found]


@pytest.mark.parametrize(
    ("provisioner", "parameters", "sets"),
    [
        ("rook-ceph.rbd.csi.ceph.com", {}, ["RWX/B", "RWO/B", "RWO/F"]),
        ("nfs.csi.k8s.io", {}, ["RWX/F"]),
        ("driver.longhorn.io", {}, ["RWO/B"]),
        ("driver.longhorn.io", {"migratable": "true", "fsType": "ext4"}, ["RWX/B", "RWO/B"]),
        ("driver.longhorn.io", {"nfsOptions": "vers=4.1", "fsType": "ext4"}, ["RWX/F", "RWO/F"]),
        ("driver.longhorn.io", {"fsType": "ext4"}, ["RWO/F"]),
        ("kubevirt.io.hostpath-provisioner", {"overlayCSI": ""}, ["RWX/F"]),
        ("csi.trident.netapp.io", {"backendType": "ontap-nas-economy"}, ["RWX/F", "RWO/F"]),
        (
            "csi.trident.netapp.io",
            {"backendType": "google-cloud-netapp-volumes", "selector": "zone=a; performance=flex"},
            ["RWX/F", "RWO/F"],
        ),
        ("pxd.portworx.com", {"sharedv4_mount_options": "vers=3.0, nolock"}, ["RWX/F", "RWO/F"]),
        (
            "pxd.portworx.com",
            {"backend": "x", "sharedv4_mount_options": "vers=3.0,nolock"},
            ["RWX/B", "RWX/F", "RWO/B", "RWO/F"],
        ),
        ("csi.huawei.com", {"protocol": "NFS"}, ["RWX/B", "RWO/B", "RWO/F", "ROX/B", "ROX/F"]),
        ("csi-unity.dellemc.com", {"protocol": "NFS"}, ["RWX/F", "RWO/F", "ROX/F"]),
        ("ebs.csi.aws.com", {"type": "gp3"}, ["RWO/B"]),
        ("vpc.file.csi.ibm.io", {"profile": "dp2", "vmState": "true"}, ["RWO/F"]),
        ("csi.san.synology.com", {}, ["RWX/B", "RWO/B", "RWO/F"]),
    ],
)
def test_provisioner_and_parameters_give_the_sets(
    provisioner: str, parameters: dict[str, str], sets: list[str]
) -> None:
    assert sets_of(provisioner, **parameters) == sets
    assert capabilities(provisioner, parameters).recognized


def test_what_is_not_known_says_which_part_of_it() -> None:
    assert capabilities("example.com/disks", {}).reason == "UnrecognizedProvisioner"
    unclear = capabilities("csi.trident.netapp.io", {"backendType": "solidfire-san"})
    assert (unclear.reason, unclear.sets) == ("UnrecognizedStorageClassParameters", ())


def test_smallest_claims_and_clone_strategies_are_advised() -> None:
    assert capabilities("ebs.csi.aws.com", {"type": "io2"}).minimum_size == 4 * GiB
    assert capabilities("vpc.file.csi.ibm.io", {"profile": "dp2"}).minimum_size == 10 * GiB
    assert capabilities("rbd.csi.ceph.com", {}).clone_strategy == "csi-clone"
    assert capabilities("topolvm.io", {}).clone_strategy == "copy"
    assert capabilities("nfs.csi.k8s.io", {}).clone_strategy == ""
