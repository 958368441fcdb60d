"""Quotas: what is refused says so, and goes on when there is room again."""

from __future__ import annotations

from support.kinds import Namespace, Object, condition
from support.manifests import datavolume, http, storage
from support.nginx import Nginx


def _quota(**hard: str) -> Object:
    spec = {"hard": {key.replace("_", "."): value for key, value in hard.items()}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": spec}


def _raise(space: Namespace, **hard: str) -> None:
    space.patch("ResourceQuota", "quota", {"spec": _quota(**hard)["spec"]})


def _in_force(found: Object) -> bool:
    return bool(found.get("status", {}).get("hard"))


def test_a_storage_quota_holds_the_claim_and_lets_it_go(space: Namespace, web: Nginx) -> None:
    space.create(_quota(requests_storage="10Mi"))
    space.wait("ResourceQuota", "quota", _in_force)
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda dv: condition(dv, "Bound").get("reason") == "ErrExceededQuota")
    assert held["status"]["phase"] == "Pending"
    assert "exceeded quota" in condition(held, "Bound")["message"]
    assert condition(held, "Ready")["reason"] == "ErrExceededQuota"
    space.wait_event("disk", "ErrExceededQuota")

    _raise(space, requests_storage="10Gi")
    space.wait_phase("disk", "Succeeded", timeout_s=120)


def test_a_storage_quota_without_room_for_a_second_claim_says_so(space: Namespace, web: Nginx) -> None:
    """A populator needs a claim of its own beside the one that the user asked for."""
    space.create(_quota(requests_storage="100Mi"))
    space.wait("ResourceQuota", "quota", _in_force)
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "csi")))
    held = space.wait("DataVolume", "disk", lambda dv: "exceeded quota" in condition(dv, "Bound").get("message", ""))
    assert condition(held, "Bound")["status"] == "False"
    assert "exceeded quota" in space.wait_event("disk", "ErrCreatingPVCPrime")

    _raise(space, requests_storage="10Gi")
    space.wait_phase("disk", "Succeeded", timeout_s=120)
    space.wait("DataVolume", "disk", lambda dv: condition(dv, "Bound")["message"] == "PVC disk Bound")


def test_a_pod_quota_holds_the_import_and_lets_it_go(space: Namespace, web: Nginx) -> None:
    space.create(_quota(pods="0"))
    space.wait("ResourceQuota", "quota", _in_force)
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda dv: condition(dv, "Running").get("reason") == "ErrExceededQuota")
    message = condition(held, "Running")["message"]
    assert message.startswith("Error starting pod 'importer-disk': For more information, request access to ")
    assert "[ErrExceededQuota] it does not fit into the quota: " in message
    assert "exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0. " in message
    space.wait_event("disk", "ErrExceededQuota")

    _raise(space, pods="10")
    space.wait_phase("disk", "Succeeded", timeout_s=120)
