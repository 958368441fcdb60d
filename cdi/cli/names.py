"""How objects are named on the command line: ``dv NAME``, ``dv/NAME``, ``NAMESPACE/NAME``, ``dv/NAMESPACE/NAME``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

from cdi.api.datavolume import ObjectMeta
from cdi.api.validation import name_violation
from cdi.base.faults import Fault
from cdi.base.nearest import did_you_mean

KINDS = ("dv", "dvs", "datavolume", "datavolumes")


@dataclass(frozen=True, slots=True)
class Name:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def check_kind(kind: str) -> None:
    if kind.lower() not in KINDS:
        raise Fault("KindUnknown", kind=kind, hint=did_you_mean(kind.lower(), KINDS))


def is_object(text: str) -> bool:
    """Whether ``text`` starts like an object and not like a path."""
    return text.partition("/")[0].lower() in KINDS and "/" in text


def parse(text: str, namespace: str) -> Name:
    """The object that ``text`` names; ``namespace`` where it says none. Raises Fault for what cannot be a name."""
    bare = text.partition("/")[2] if is_object(text) else text
    first, slash, second = bare.partition("/")
    found = Name(first, second) if slash else Name(namespace, bare)
    broken = name_violation(ObjectMeta(name=found.name, namespace=found.namespace))
    if broken is not None:
        raise Fault("NameInvalid", name=text, cause=broken.message)
    return found


def stated(texts: Sequence[str]) -> str | None:
    """The namespace that all of ``texts`` state; None when one states none or another."""
    bare = [text.partition("/")[2] if is_object(text) else text for text in texts]
    found = {text.partition("/")[0] if "/" in text else None for text in bare}
    return found.pop() if len(found) == 1 else None


def add(parser: argparse.ArgumentParser, count: str | None = None, *, optional: bool = False) -> None:
    """The positional arguments ``dv NAME``; ``count`` is argparse's nargs of NAME. ``optional``: dv may be left out."""
    said = "the kind: dv or datavolume; dv/NAME is the same as dv NAME"
    parser.add_argument("kind", metavar="dv", nargs="?" if optional else None, default=KINDS[0], help=said)
    parser.add_argument("name", metavar="NAME", nargs=count or "?", help="NAME or NAMESPACE/NAME")


def settle(args: argparse.Namespace) -> None:
    """A word alone that is no kind is a name: for verbs that act on one volume, and know one kind only."""
    if not args.name and not is_object(args.kind) and args.kind.lower() not in KINDS:
        args.kind, args.name = KINDS[0], args.kind


def chosen(args: argparse.Namespace, namespace: str) -> list[Name]:
    """What ``add``'s arguments name: nothing, one or more. Raises Fault KindUnknown."""
    check_kind(args.kind.partition("/")[0])
    return [parse(text, namespace) for text in texts(args)]


def texts(args: argparse.Namespace) -> list[str]:
    """The names as they were typed, of any verb."""
    named = getattr(args, "name", None) or []
    _, slash, rest = getattr(args, "kind", "").partition("/")
    return ([rest] if slash else []) + ([named] if isinstance(named, str) else named)


def some(args: argparse.Namespace, namespace: str) -> list[Name]:
    """What must be named: one at least."""
    found = chosen(args, namespace)
    if not found:
        raise Fault("NameMissing", verb=args.verb)
    return found


def one(args: argparse.Namespace, namespace: str) -> Name:
    return some(args, namespace)[0]
