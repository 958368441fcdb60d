"""Options of ``cdi import`` and ``cdi upload`` that a target has no use for: refused before anything else happens,
never ignored."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

from cdi.base.faults import Fault
from cdi.base.sources import ServedSource, imported, scheme_of, source_of_scheme
from cdi.sources.kind import kind_of

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
# Option -> the member that a source has to have for it, and what its lack means.
_MEMBERS = {
    "header": ("extra_headers", "has no headers"),
    "insecure": ("insecure_skip_verify", "is always verified; --ca-configmap names the certificates"),
    "secret": ("secret_ref", "has no Secret"),
    "ca_configmap": ("cert_config_map", "has no certificates of its own"),
}
_CLUSTER = "it is about a DataVolume of a cluster, dv/NAME"
_PATH = dict.fromkeys(
    ("storage_class", "secret", "ca_configmap", "detach", "kubeconfig", "context", "namespace"), _CLUSTER
)
_SPELLED = {"storage_class": "--class"}


def check_object(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a DataVolume of a cluster cannot honour."""
    _check(args, _OBJECT)
    _check(args, _lacks(source_of(args.source)))


def source_of(url: str) -> ServedSource:
    """The source of a DataVolume that ``url`` names. Raises Fault SourceOfThisMachine."""
    found = source_of_scheme(scheme_of(url))
    if found is None or not found.word:
        raise Fault("SourceOfThisMachine", source=url)
    return found


def _lacks(source: ServedSource) -> dict[str, str]:
    """Option -> why ``source`` has no use for it."""
    members = kind_of(source).spec.__struct_fields__
    return {
        option: f"the {source.name} source of a DataVolume {lack}"
        for option, (member, lack) in _MEMBERS.items()
        if member not in members
    }


def check_path(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a file or device of this machine cannot honour."""
    _check(args, _PATH)


_CLUSTERS = dict.fromkeys(
    ("storage_class", "access_mode", "volume_mode", "upload_proxy_url", "ca"), "it is about a DataVolume of a cluster"
)
_PLACES = dict.fromkeys(("kubeconfig", "context", "namespace", "data"), "it says where a DataVolume is")
_PATHS = dict.fromkeys(("overwrite", "state"), _HERE)


def check_upload_object(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a DataVolume of a cluster has no use for."""
    _check(args, _PATHS)


def check_upload_local(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a DataVolume of this machine has no use for."""
    _check(args, _PATHS | _CLUSTERS)


def check_upload_path(args: argparse.Namespace) -> None:
    """Raises Fault OptionUnfit for what a file or device has no use for."""
    _check(args, _CLUSTERS | _PLACES)


def of_objects() -> str:
    """For --help: what cannot be given for a DataVolume."""
    lacks = {source.name: _lacks(source) for source in imported() if source.schemes}
    more = (
        f"; with {_article(name)} {name} source also {_listed(options)}" for name, options in lacks.items() if options
    )
    return f"Not for dv/NAME: {_listed(_OBJECT)}{''.join(more)}."


def _article(name: str) -> str:
    return "an" if name[0] in "aeiouhs" else "a"  # http and s3 are spelled


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
