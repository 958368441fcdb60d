"""The controller service: volumes and snapshots come, grow and go."""

from __future__ import annotations

import shutil
from typing import Any

import grpc

from . import devices, stubs
from .refusal import Refused, answered, invalid, unknown
from .volumes import Origin, Record, Shelf, Store, rounded

pb = stubs.load("csi_pb2")
_CAPABILITIES = (
    "CREATE_DELETE_VOLUME", "CREATE_DELETE_SNAPSHOT", "LIST_SNAPSHOTS", "LIST_VOLUMES", "CLONE_VOLUME",
    "EXPAND_VOLUME", "GET_CAPACITY", "SINGLE_NODE_MULTI_WRITER",
)  # fmt: skip
_DEFAULT_SIZE = 1 << 30
_SMALLEST = 1 << 20


class Controller(stubs.load("csi_pb2_grpc").ControllerServicer):
    def __init__(self, store: Store) -> None:
        self._store = store

    @answered
    def ControllerGetCapabilities(self, request: Any) -> Any:  # noqa: N802 - the protocol's names, here and below
        one = pb.ControllerServiceCapability
        return pb.ControllerGetCapabilitiesResponse(
            capabilities=[one(rpc=one.RPC(type=name)) for name in _CAPABILITIES]
        )

    @answered
    def CreateVolume(self, request: Any) -> Any:  # noqa: N802
        if not request.name or not request.volume_capabilities:
            raise invalid("a volume needs a name and capabilities")
        id_ = Shelf.id_of(request.name)
        with self._store.lock(id_):
            if existing := self._store.volumes.find(id_):
                if not _fits(existing.size, request.capacity_range):
                    raise Refused(grpc.StatusCode.ALREADY_EXISTS, "it exists with another size")
                return pb.CreateVolumeResponse(volume=_volume(existing))
            return pb.CreateVolumeResponse(volume=_volume(self._create(id_, request)))

    def _create(self, id_: str, request: Any) -> Record:
        size, origin = _size(request.capacity_range), _origin(request)
        content = None
        if origin:
            shelf = self._store.snapshots if origin.kind == "snapshot" else self._store.volumes
            source = shelf.find(origin.id)
            if source is None:
                raise unknown(origin.kind)
            if source.size > size:
                raise Refused(grpc.StatusCode.OUT_OF_RANGE, "the source is larger")
            content = shelf.image(origin.id)
        # Sparse files may promise more than there is; what is larger than the whole disk never comes true.
        if shutil.disk_usage(self._store.directory).total < size:
            raise Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than the whole store")
        return self._store.volumes.add(Record(id_, request.name, size, 0, origin=origin), content)

    @answered
    def DeleteVolume(self, request: Any) -> Any:  # noqa: N802
        if not request.volume_id:
            raise invalid("which volume?")
        with self._store.lock(request.volume_id):
            if self._store.published[request.volume_id]:
                # A kubelet that has it mounted could never unmount it.
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "a pod still has it")
            if self._store.volumes.find(request.volume_id):
                devices.detach(self._store.volumes.image(request.volume_id))
                self._store.volumes.remove(request.volume_id)
        return pb.DeleteVolumeResponse()

    @answered
    def ValidateVolumeCapabilities(self, request: Any) -> Any:  # noqa: N802
        if not request.volume_id or not request.volume_capabilities:
            raise invalid("which volume, which capabilities?")
        self._known(request.volume_id)
        answer = pb.ValidateVolumeCapabilitiesResponse
        return answer(confirmed=answer.Confirmed(volume_capabilities=request.volume_capabilities))

    @answered
    def ListVolumes(self, request: Any) -> Any:  # noqa: N802
        records, token = _page(self._store.volumes.all(), request)
        entry = pb.ListVolumesResponse.Entry
        return pb.ListVolumesResponse(entries=[entry(volume=_volume(one)) for one in records], next_token=token)

    @answered
    def GetCapacity(self, request: Any) -> Any:  # noqa: N802
        return pb.GetCapacityResponse(available_capacity=shutil.disk_usage(self._store.directory).free)

    @answered
    def CreateSnapshot(self, request: Any) -> Any:  # noqa: N802
        if not request.name or not request.source_volume_id:
            raise invalid("a snapshot needs a name and a volume")
        id_ = Shelf.id_of(request.name)
        with self._store.lock(id_), self._store.lock(request.source_volume_id):
            existing = self._store.snapshots.find(id_)
            if existing and existing.source != request.source_volume_id:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, "it exists with another source")
            if not existing:
                source = self._known(request.source_volume_id)
                record = Record(id_, request.name, source.size, 0, source=source.id)
                existing = self._store.snapshots.add(record, self._store.volumes.image(source.id))
            return pb.CreateSnapshotResponse(snapshot=_snapshot(existing))

    @answered
    def DeleteSnapshot(self, request: Any) -> Any:  # noqa: N802
        if not request.snapshot_id:
            raise invalid("which snapshot?")
        self._store.snapshots.remove(request.snapshot_id)
        return pb.DeleteSnapshotResponse()

    @answered
    def ListSnapshots(self, request: Any) -> Any:  # noqa: N802
        wanted = [
            one
            for one in self._store.snapshots.all()
            if request.snapshot_id in ("", one.id) and request.source_volume_id in ("", one.source)
        ]
        records, token = _page(wanted, request)
        entry = pb.ListSnapshotsResponse.Entry
        return pb.ListSnapshotsResponse(entries=[entry(snapshot=_snapshot(one)) for one in records], next_token=token)

    @answered
    def ControllerExpandVolume(self, request: Any) -> Any:  # noqa: N802
        if not request.volume_id or not request.HasField("capacity_range"):
            raise invalid("which volume, how large?")
        with self._store.lock(request.volume_id):
            grown = self._store.volumes.grow(
                self._known(request.volume_id), rounded(request.capacity_range.required_bytes)
            )
        return pb.ControllerExpandVolumeResponse(capacity_bytes=grown.size, node_expansion_required=True)

    def _known(self, id_: str) -> Record:
        record = self._store.volumes.find(id_)
        if record is None:
            raise unknown("volume")
        return record


def _size(wanted: Any) -> int:
    size = rounded(max(wanted.required_bytes or wanted.limit_bytes or _DEFAULT_SIZE, _SMALLEST))
    if not _fits(size, wanted):
        raise Refused(grpc.StatusCode.OUT_OF_RANGE, f"{size} bytes is the smallest, and over the limit")
    return size


def _fits(size: int, wanted: Any) -> bool:
    return size >= wanted.required_bytes and (not wanted.limit_bytes or size <= wanted.limit_bytes)


def _origin(request: Any) -> Origin | None:
    match request.volume_content_source.WhichOneof("type"):
        case "snapshot":
            return Origin("snapshot", request.volume_content_source.snapshot.snapshot_id)
        case "volume":
            return Origin("volume", request.volume_content_source.volume.volume_id)
    return None


def _page(records: list[Record], request: Any) -> tuple[list[Record], str]:
    """The part asked for, and the token of the next, which is its position."""
    token = request.starting_token
    if token and (not token.isdigit() or int(token) > len(records)):
        raise Refused(grpc.StatusCode.ABORTED, "this token is none of ours")
    begin = int(token or 0)
    end = min(begin + (request.max_entries or len(records)), len(records))
    return records[begin:end], str(end) if end < len(records) else ""


def _volume(record: Record) -> Any:
    volume = pb.Volume(volume_id=record.id, capacity_bytes=record.size)
    match record.origin:
        case Origin("snapshot", id_):
            volume.content_source.snapshot.snapshot_id = id_
        case Origin("volume", id_):
            volume.content_source.volume.volume_id = id_
    return volume


def _snapshot(record: Record) -> Any:
    snapshot = pb.Snapshot(
        snapshot_id=record.id, source_volume_id=record.source, size_bytes=record.size, ready_to_use=True
    )
    snapshot.creation_time.FromNanoseconds(record.created_ns)
    return snapshot
