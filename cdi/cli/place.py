"""Where a verb acts: on the volumes of this machine (``--data``, ``CDI_DATA``) or on a cluster.

Never on one instead of the other: a cluster that does not answer is an error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cdi.base.faults import Fault
from cdi.cli import names
from cdi.cli.class_row import ClassRow
from cdi.cli.names import Name
from cdi.cli.spoken import say
from cdi.cli.story import Story
from cdi.cli.view import View


class Place(Protocol):
    """All methods block. They raise Fault, ObjectNotFound with the nearest names among others."""

    def where(self, *, everywhere: bool = False) -> str:
        """The first line of a verb, for people. ``everywhere``: it acts on all namespaces."""

    @property
    def namespace(self) -> str:
        """Of names that say none."""

    @property
    def goes_on(self) -> str:
        """What becomes of a volume that nobody watches any more, for people."""

    def volumes(self, namespace: str | None) -> list[View]:
        """All volumes, of ``namespace`` or of all."""

    def volume(self, name: Name) -> View: ...

    def story(self, view: View) -> Story: ...

    def follow(self, name: Name) -> Iterator[View]:
        """The volume now and after every change, at least every few seconds; Fault ObjectDeleted when it goes."""

    def delete(self, name: Name) -> None: ...

    def classes(self) -> list[ClassRow]: ...


def add(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument(
        "--data", metavar="DIR", type=Path, help="act on the volumes of cdi run in DIR (default: $CDI_DATA)"
    )
    group.add_argument("--kubeconfig", metavar="FILE", help="act on the cluster of this file (default: as kubectl)")
    group.add_argument("--context", metavar="NAME", help="the context of the kubeconfig (default: its current one)")
    group.add_argument("-n", "--namespace", metavar="NS", help="the namespace (default: the context's, or default)")


def spelled(args: argparse.Namespace) -> str:
    """The options with which another command acts at the same place: `` --context test``. Namespaces are in names."""
    given = {f"--{name}": getattr(args, name, None) for name in ("data", "kubeconfig", "context")}
    return "".join(f" {option} {shlex.quote(str(value))}" for option, value in given.items() if value)


@contextlib.contextmanager
def chosen(args: argparse.Namespace) -> Iterator[Place]:
    """The place that the options and the environment name, after saying so on standard error."""
    named = names.stated(names.texts(args))
    if named and args.namespace and named != args.namespace:
        raise Fault("NamespacesDiffer", named=named, given=args.namespace)
    namespace = named or args.namespace
    with _opened(args, namespace) as place:
        say(place.where(everywhere=getattr(args, "all_namespaces", False)), file=sys.stderr)
        yield place


def _opened(args: argparse.Namespace, namespace: str | None) -> contextlib.AbstractContextManager[Place]:
    directory = data_directory(args)
    if directory is not None:
        from cdi.cli.local_place import LocalPlace

        return contextlib.nullcontext(LocalPlace(directory, namespace or "default"))
    from cdi.cli.cluster_place import connected

    return connected(args.kubeconfig, args.context, namespace)


def data_directory(args: argparse.Namespace) -> Path | None:
    """None: a cluster is meant. ``--kubeconfig`` and ``--context`` say so too, against CDI_DATA."""
    if args.data is not None or args.kubeconfig or args.context:
        return args.data  # type: ignore[no-any-return]
    named = os.environ.get("CDI_DATA")
    return Path(named) if named else None
