"""The CSI protocol in Python: generated from csi.proto of the pinned Go module, kept in the cache by content."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from tests.cluster.bed import place, tools


def load(name: str) -> ModuleType:
    """``csi_pb2``, ``csi_pb2_grpc``, ``api_pb2``, ``api_pb2_grpc`` (the kubelet's plugin registration)."""
    directory = str(_directory())
    if directory not in sys.path:
        sys.path.insert(0, directory)  # generated code imports its siblings as top-level modules
    return importlib.import_module(name)


def _directory() -> Path:
    protocols = (tools.files("csi") / "csi.proto", tools.files("kube") / "api.proto")
    content = b"".join(path.read_bytes() for path in protocols) + version("grpcio-tools").encode()
    directory = place.CACHE / hashlib.sha256(content).hexdigest() / "stubs"
    if not directory.exists():
        unfinished = directory.with_suffix(f".{os.getpid()}")
        unfinished.mkdir(parents=True)
        for path in protocols:
            _generate(path, unfinished)
        unfinished.rename(directory)
    return directory


def _generate(protocol: Path, directory: Path) -> None:
    from grpc_tools import protoc

    standard = files("grpc_tools") / "_proto"
    words = [f"-I{protocol.parent}", f"-I{standard}", f"--python_out={directory}", f"--grpc_python_out={directory}"]
    if protoc.main(["protoc", *words, str(protocol)]) != 0:
        raise RuntimeError(f"protoc refused {protocol}")
