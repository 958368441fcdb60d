"""Where a verb acts: on the volumes of this machine (``--data``, ``CDI_DATA``) or on a cluster.

Never on one instead of the other: a cluster that does not answer is an error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cdi.cli.class_row import ClassRow
from cdi.cli.names import Name
from cdi.cli.story import Story
from cdi.cli.view import View


class Place(Protocol):
    """All methods block. They raise Fault, ObjectNotFound with the nearest names among others."""

    @property
    def where(self) -> str:
        """The first line of a verb, for people."""

    @property
    def namespace(self) -> str:
        """Of names that say none."""

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


@contextlib.contextmanager
def chosen(args: argparse.Namespace) -> Iterator[Place]:
    """The place that the options and the environment name, after saying so on standard error."""
    with _opened(args) as place:
        print(place.where, file=sys.stderr)
        yield place


def _opened(args: argparse.Namespace) -> contextlib.AbstractContextManager[Place]:
    directory = data_directory(args)
    if directory is not None:
        from cdi.cli.local_place import LocalPlace

        return contextlib.nullcontext(LocalPlace(directory, args.namespace or "default"))
    from cdi.cli.cluster_place import connected

    return connected(args.kubeconfig, args.context, args.namespace)


def data_directory(args: argparse.Namespace) -> Path | None:
    """None: a cluster is meant. ``--kubeconfig`` and ``--context`` say so too, against CDI_DATA."""
    if args.data is not None or args.kubeconfig or args.context:
        return args.data  # type: ignore[no-any-return]
    named = os.environ.get("CDI_DATA")
    return Path(named) if named else None
