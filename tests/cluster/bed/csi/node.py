"""The node service: a volume's file becomes a loop device, and that a mount or a block device in a pod."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import grpc

from . import devices, stubs
from .refusal import Refused, answered, invalid, unknown
from .volumes import Store

pb = stubs.load("csi_pb2")
_CAPABILITIES = ("STAGE_UNSTAGE_VOLUME", "EXPAND_VOLUME", "GET_VOLUME_STATS", "SINGLE_NODE_MULTI_WRITER")


class Node(stubs.load("csi_pb2_grpc").NodeServicer):
    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node

    @answered
    def NodeGetInfo(self, request: Any) -> Any:  # noqa: N802 - the protocol's names, here and below
        return pb.NodeGetInfoResponse(node_id=self._node)

    @answered
    def NodeGetCapabilities(self, request: Any) -> Any:  # noqa: N802
        one = pb.NodeServiceCapability
        return pb.NodeGetCapabilitiesResponse(capabilities=[one(rpc=one.RPC(type=name)) for name in _CAPABILITIES])

    @answered
    def NodeStageVolume(self, request: Any) -> Any:  # noqa: N802
        if not request.HasField("volume_capability"):
            raise invalid("a volume is staged for some use")
        where, image = _path(request.staging_target_path), self._image(request)
        with self._store.lock(request.volume_id):
            device = devices.attach(image)
            if request.volume_capability.HasField("mount") and not devices.is_mounted(where):
                wanted = request.volume_capability.mount
                devices.mount_file_system(device, where, wanted.fs_type or "ext4", list(wanted.mount_flags))
        return pb.NodeStageVolumeResponse()

    @answered
    def NodeUnstageVolume(self, request: Any) -> Any:  # noqa: N802
        where, image = _path(request.staging_target_path), self._image(request)
        with self._store.lock(request.volume_id):
            devices.unmount(where)
            devices.detach(image)
        return pb.NodeUnstageVolumeResponse()

    @answered
    def NodePublishVolume(self, request: Any) -> Any:  # noqa: N802
        if not request.HasField("volume_capability"):
            raise invalid("a volume is published for some use")
        target, image = _path(request.target_path), self._image(request)
        with self._store.lock(request.volume_id):
            self._take(request)
            if not devices.is_mounted(target):
                block = request.volume_capability.HasField("block")
                source = devices.attach(image) if block else _path(request.staging_target_path)
                devices.bind(source, target, read_only=request.readonly)
        return pb.NodePublishVolumeResponse()

    def _take(self, request: Any) -> None:
        others = self._store.published[request.volume_id] - {request.target_path}
        single = pb.VolumeCapability.AccessMode.SINGLE_NODE_SINGLE_WRITER
        if others and request.volume_capability.access_mode.mode == single:
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "another pod has it")
        self._store.published[request.volume_id].add(request.target_path)

    @answered
    def NodeUnpublishVolume(self, request: Any) -> Any:  # noqa: N802
        target = _path(request.target_path)
        self._image(request)
        with self._store.lock(request.volume_id):
            self._store.published[request.volume_id].discard(request.target_path)
            devices.unmount(target)
            if target.is_dir():
                target.rmdir()
            else:
                target.unlink(missing_ok=True)
        return pb.NodeUnpublishVolumeResponse()

    @answered
    def NodeExpandVolume(self, request: Any) -> Any:  # noqa: N802
        where, image = _path(request.volume_path), self._image(request)
        with self._store.lock(request.volume_id):
            devices.grow_file_system(devices.attach(image), where)
        return pb.NodeExpandVolumeResponse(capacity_bytes=image.stat().st_size)

    @answered
    def NodeGetVolumeStats(self, request: Any) -> Any:  # noqa: N802
        where, image = _path(request.volume_path), self._image(request)
        if not where.exists():
            raise unknown("path")
        usage = pb.VolumeUsage
        if stat.S_ISBLK(where.stat().st_mode):
            return pb.NodeGetVolumeStatsResponse(usage=[usage(unit="BYTES", total=image.stat().st_size)])
        now = os.statvfs(where)
        size = now.f_frsize
        space = usage(unit="BYTES", total=now.f_blocks * size, available=now.f_bavail * size,
                      used=(now.f_blocks - now.f_bfree) * size)  # fmt: skip
        files = usage(unit="INODES", total=now.f_files, available=now.f_favail, used=now.f_files - now.f_ffree)
        return pb.NodeGetVolumeStatsResponse(usage=[space, files])

    def _image(self, request: Any) -> Path:
        if not request.volume_id:
            raise invalid("which volume?")
        if not self._store.volumes.find(request.volume_id):
            raise unknown("volume")
        return self._store.volumes.image(request.volume_id)


def _path(given: str) -> Path:
    if not given:
        raise invalid("a path is missing")
    return Path(given)
