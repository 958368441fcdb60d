"""A source as the worker of a DataVolume will see it: with what its Secret and ConfigMap hold, not with this shell's
keys. What the worker could not open fails here, before there is a DataVolume that waits for it."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cdi.base.faults import Fault
from cdi.cli import source_options
from cdi.cli.cluster_place import ClusterPlace
from cdi.kube.resources import CONFIG_MAPS, SECRETS, Resource
from importer.sources import SourceSpec

T = TypeVar("T")

_KEYS = ("accessKeyId", "secretKey")
# An endpoint is a place, a key is not: the worker gets keys from its Secret only.
_PLACES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")


@contextmanager
def as_the_worker_sees_it(args: argparse.Namespace, here: ClusterPlace, namespace: str) -> Iterator[SourceSpec]:
    """Raises Fault ReferredMissing, CredentialsMissing, and SizeUnknown where this user may not read what is named."""
    spec = source_options.spec(args.source, args)
    known = {name: value for name, value in spec.environ.items() if name in _PLACES or not name.startswith("AWS_")}
    spec = _with_keys(replace(spec, environ=known, password=""), args, here, namespace)
    with tempfile.TemporaryDirectory(prefix="cdi-certs-") as certificates:
        if args.ca_configmap:
            found = _referred(CONFIG_MAPS, args.ca_configmap, args, here, namespace)
            for name, text in found.data.items():
                Path(certificates, name).write_text(text)  # an API server lets no "/" into a key
            spec = replace(spec, ca_files=(Path(certificates),))
        yield spec


def _with_keys(spec: SourceSpec, args: argparse.Namespace, here: ClusterPlace, namespace: str) -> SourceSpec:
    if not args.secret:
        return spec
    found = _referred(SECRETS, args.secret, args, here, namespace)
    keys = {name: value.decode() for name, value in found.data.items()}
    missing = [name for name in _KEYS if not keys.get(name)]
    if missing:
        raise Fault("CredentialsMissing", missing=" and ".join(missing))
    return replace(
        spec,
        user=keys["accessKeyId"],
        password=keys["secretKey"],
        session_token=keys.get("sessionToken", ""),
        region=keys.get("region", ""),
    )


def _referred(resource: Resource[T], name: str, args: argparse.Namespace, here: ClusterPlace, namespace: str) -> T:
    try:
        return here.referred(resource, name, namespace)
    except Fault as fault:
        if fault.code != "ClusterRefused":
            raise
        # Whoever may make DataVolumes need not be able to read Secrets; the worker can.
        cause = f"this user may not read {resource.kind} {namespace}/{name}"
        raise Fault("SizeUnknown", source=args.source, cause=cause) from fault
