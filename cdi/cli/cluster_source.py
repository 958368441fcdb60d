"""A source as the worker of a DataVolume will see it: with what its Secret and ConfigMap hold, not with this shell's
keys. What the worker could not open fails here, before there is a DataVolume that waits for it."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cdi.base.faults import Fault
from cdi.base.wire.environment import CERTIFICATES, CREDENTIALS
from cdi.cli import source_options, unfit
from cdi.cli.cluster_place import ClusterPlace
from cdi.kube.resources import CONFIG_MAPS, SECRETS, Resource
from cdi.sources.kind import kind_of, needs_of
from cdi.sources.needs import Files, Key
from importer.sources import SourceSpec

T = TypeVar("T")

# An endpoint is a place, a key is not: the worker gets keys from its Secret only.
_PLACES = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")


def member_of(args: argparse.Namespace) -> Any:  # noqa: ANN401  each source has its own type
    """What the DataVolume has in ``spec.source``, from the options that the source has a member for."""
    kind = kind_of(unfit.source_of(args.source))
    given = {
        "url": kind.url(args.source, os.environ),
        "secret_ref": args.secret,
        "cert_config_map": args.ca_configmap,
        "checksum": args.checksum,
        "extra_headers": args.header,
        "insecure_skip_verify": args.insecure,
    }
    return kind.spec(**{name: value for name, value in given.items() if value and name in kind.spec.__struct_fields__})


@contextmanager
def as_the_worker_sees_it(args: argparse.Namespace, here: ClusterPlace, namespace: str) -> Iterator[SourceSpec]:
    """Raises Fault ReferredMissing, CredentialsMissing, and SizeUnknown where this user may not read what is named."""
    needs = needs_of(kind_of(unfit.source_of(args.source)).parameters(member_of(args)))
    spec = source_options.spec(args.source, args)
    known = {name: value for name, value in spec.environ.items() if name in _PLACES or not name.startswith("AWS_")}
    told = dict(needs.variables) | _keys(needs.keys, args, here, namespace)
    with tempfile.TemporaryDirectory(prefix="cdi-certs-") as private:
        for files in needs.files:
            directory = Path(private, files.volume)
            directory.mkdir()
            for name, content in _contents(files, args, here, namespace).items():
                (directory / name).write_bytes(content)  # an API server lets no "/" into a key
            told |= files.variables(str(directory))
        login = {key: told.get(variable, "") for key, variable in CREDENTIALS.items()}
        yield replace(
            spec,
            user=login["accessKeyId"],
            password=login["secretKey"],
            session_token=login["sessionToken"],
            region=login["region"],
            ca_files=(Path(told[CERTIFICATES]),) if CERTIFICATES in told else (),
            environ=known | told,
        )


def _keys(keys: tuple[Key, ...], args: argparse.Namespace, here: ClusterPlace, namespace: str) -> dict[str, str]:
    """Variable -> value."""
    found = {name: _referred(SECRETS, name, args, here, namespace).data for name in {key.secret for key in keys}}
    values = {key: found[key.secret].get(key.key, b"").decode(errors="surrogateescape") for key in keys}
    missing = [key.key for key, value in values.items() if not (value or key.optional)]
    if missing:
        raise Fault("CredentialsMissing", missing=" and ".join(missing))
    return {key.variable: value for key, value in values.items() if value}


def _contents(files: Files, args: argparse.Namespace, here: ClusterPlace, namespace: str) -> Mapping[str, bytes]:
    if files.kind == "Secret":
        return _referred(SECRETS, files.name, args, here, namespace).data
    texts = _referred(CONFIG_MAPS, files.name, args, here, namespace).data
    return {name: text.encode() for name, text in texts.items()}


def _referred(resource: Resource[T], name: str, args: argparse.Namespace, here: ClusterPlace, namespace: str) -> T:
    try:
        return here.referred(resource, name, namespace)
    except Fault as fault:
        if fault.code != "ClusterRefused":
            raise
        # Whoever may make DataVolumes need not be able to read Secrets; the worker can.
        cause = f"this user may not read {resource.kind} {namespace}/{name}"
        raise Fault("SizeUnknown", source=args.source, cause=cause) from fault
