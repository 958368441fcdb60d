"""Who the driver is, for the sidecars (CSI) and for the kubelet (plugin registration)."""

from __future__ import annotations

from typing import Any

from . import stubs
from .refusal import answered

pb = stubs.load("csi_pb2")
registration = stubs.load("api_pb2")


class Identity(stubs.load("csi_pb2_grpc").IdentityServicer):
    def __init__(self, name: str) -> None:
        self._name = name

    @answered
    def GetPluginInfo(self, request: Any) -> Any:  # noqa: N802 - the protocol's names, here and below
        return pb.GetPluginInfoResponse(name=self._name, vendor_version="1")

    @answered
    def Probe(self, request: Any) -> Any:  # noqa: N802
        return pb.ProbeResponse()

    @answered
    def GetPluginCapabilities(self, request: Any) -> Any:  # noqa: N802
        one = pb.PluginCapability
        return pb.GetPluginCapabilitiesResponse(
            capabilities=[
                one(service=one.Service(type="CONTROLLER_SERVICE")),
                one(volume_expansion=one.VolumeExpansion(type="ONLINE")),
            ]
        )


class Registration(stubs.load("api_pb2_grpc").RegistrationServicer):
    """What the node-driver-registrar sidecar does for others: the kubelet finds this socket and asks."""

    def __init__(self, name: str, endpoint: str) -> None:
        self._name = name
        self._endpoint = endpoint

    @answered
    def GetInfo(self, request: Any) -> Any:  # noqa: N802
        return registration.PluginInfo(
            type="CSIPlugin", name=self._name, endpoint=self._endpoint, supported_versions=["1.0.0"]
        )

    @answered
    def NotifyRegistrationStatus(self, request: Any) -> Any:  # noqa: N802
        print("registered" if request.plugin_registered else f"not registered: {request.error}", flush=True)
        return registration.RegistrationStatusResponse()
