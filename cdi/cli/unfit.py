"""Options of ``cdi import`` that a target has no use for: refused before anything else happens, never ignored."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from cdi.base.faults import Fault

_HERE = "it is about a path on this machine"
_THERE = "a worker gets credentials and certificates from the cluster: --secret and --ca-configmap name them"
_OBJECT = {
    "overwrite": _HERE,
    "state": _HERE,
    "user": _THERE,
    "header_file": _THERE,
    "ca": _THERE,
    "region": "a worker asks the server for the region",
    "connections": "a worker takes as many connections as help",
    "retries": "a worker is started again for as long as the DataVolume is there",
    "stall_timeout": "a worker waits 60 s",
}
_S3_OBJECT = {
    "header": "the s3 source of a DataVolume has no headers",
    "insecure": "the s3 source of a DataVolume is always verified; --ca-configmap names the certificates",
}
_CLUSTER = "it is about a DataVolume of a cluster, dv/NAME"
_PATH = dict.fromkeys(
    ("storage_class", "secret", "ca_configmap", "detach", "kubeconfig", "context", "namespace"), _CLUSTER
)
_SPELLED = {"storage_class": "--class"}


def check_object(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a DataVolume of a cluster cannot honour."""
    _check(args, _OBJECT)
    url: str = args.source
    if url.startswith("s3://"):
        _check(args, _S3_OBJECT)
    elif not url.startswith(("http://", "https://")):
        raise Fault("SourceOfThisMachine", source=url)


def check_path(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a file or device of this machine cannot honour."""
    _check(args, _PATH)


def of_objects() -> str:
    """For --help: what cannot be given for a DataVolume."""
    return f"Not for dv/NAME: {_listed(_OBJECT)}; with an s3 source also {_listed(_S3_OBJECT)}."


def _check(args: argparse.Namespace, reasons: Mapping[str, str]) -> None:
    for name, reason in reasons.items():
        if _is_given(getattr(args, name)):
            raise Fault("OptionUnfit", option=_spelled(name), target=args.target, reason=reason)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(_spelled(name) for name in names)


def _spelled(name: str) -> str:
    return _SPELLED.get(name, f"--{name.replace('_', '-')}")


def _is_given(value: object) -> bool:
    """A 0 is given; what argparse leaves in the place of an absent option is not."""
    return value is not None and value is not False and value not in ("", [])
