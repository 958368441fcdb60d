"""``cdi import SOURCE TARGET``: one image into one file or device, with a progress bar."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cdi.base.faults import Exit, Fault
from cdi.base.sources import listed, urls
from cdi.base.units import human_duration, human_size
from cdi.cli import names, output_options, source_options, unfit
from cdi.cli.sizes import size
from cdi.cli.spoken import say

if TYPE_CHECKING:
    from importer.target import Target
    from importer.transfer import Request, Result

# Not argparse's defaults: a target that has no use for them must see whether they were given.
_CONNECTIONS, _RETRIES = 8, 10


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "import",
        help="import an image into a file, a block device or a DataVolume",
        description="Import SOURCE as a raw, sparse, verified disk. Ctrl-C stops; the same command continues. "
        "Of dv/NAME it only detaches: the cluster goes on.",
    )
    parser.add_argument("source", metavar="SOURCE", help=f"{listed(urls(), 'or')} URL, or a file")
    parser.add_argument("target", metavar="TARGET", help="a path (contains / or exists), or dv/[NAMESPACE/]NAME")
    parser.add_argument("--size", metavar="SIZE", type=size, help="make the disk this large, for example 20Gi")
    parser.add_argument("--checksum", metavar="ALG:HEX", help="md5, sha1, sha256 or sha512 of the transferred bytes")
    parser.add_argument("--preallocation", action="store_true", help="reserve all blocks of the disk")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing target file")
    parser.add_argument("--archive", action="store_true", help="unpack a tar archive into the directory TARGET")
    parser.add_argument("--connections", metavar="N", type=int, help="use at most N connections (default 8)")
    parser.add_argument(
        "--retries", metavar="N", type=int, help="give up after N failures without one new byte (default 10)"
    )
    parser.add_argument("--state", metavar="DIR", type=Path, help="where a device's resume journal is kept")
    output_options.add_lines(parser, "progress and result as JSON lines")
    source_options.add(parser)
    group = parser.add_argument_group("for dv/NAME", unfit.of_objects())
    group.add_argument("--class", dest="storage_class", metavar="NAME", help="storage class (default: the default one)")
    group.add_argument(
        "--secret", metavar="NAME", help="the Secret whose accessKeyId and secretKey open the source (user, password)"
    )
    group.add_argument("--ca-configmap", metavar="NAME", help="the ConfigMap with the CAs that the source is known by")
    group.add_argument("--detach", action="store_true", help="do not wait for the end")
    group.add_argument("--kubeconfig", metavar="FILE", help="the cluster of this file (default: as kubectl)")
    group.add_argument("--context", metavar="NAME", help="the context of the kubeconfig (default: its current one)")
    group.add_argument("-n", "--namespace", metavar="NS", help="the namespace (default: the context's, or default)")
    parser.set_defaults(func=run)


def target_path(text: str) -> Path:
    """The path that ``text`` names. Raises TargetUnclear with both spellings for anything that is not clearly one."""
    if "/" in text or Path(text).exists():
        return Path(text)
    raise Fault("TargetUnclear", target=text)


def run(args: argparse.Namespace) -> int:
    if names.is_object(args.target):
        from cdi.cli import import_object

        return import_object.run(args)
    return _to_path(args)


def _to_path(args: argparse.Namespace) -> int:
    from importer.checksum import Checksum
    from importer.fetch.governor import Limits
    from importer.fetch.retry import RetryPolicy
    from importer.transfer import Request

    unfit.check_path(args)
    args.is_by_hand = True
    connections = _CONNECTIONS if args.connections is None else args.connections
    retries = _RETRIES if args.retries is None else args.retries
    if not 1 <= connections <= 16:
        raise Fault("SourceUrlInvalid", source=args.source, cause="--connections must be 1 to 16")
    target = target_of(args)
    request = Request(
        source=source_options.spec(args.source, args),
        target=target,
        checksum=Checksum.parse(args.checksum) if args.checksum else None,
        archive=args.archive,
        retry=RetryPolicy(attempts=max(1, retries)),
        connections=Limits(least=min(2, connections), most=connections),
    )
    return transferred(request, as_json=bool(args.json))


def target_of(args: argparse.Namespace) -> Target:
    """The file, device or directory of the command line. Raises Fault TargetUnclear among others."""
    from importer.target import Target

    return Target.at_path(
        target_path(args.target),
        size=args.size,
        preallocation=args.preallocation,
        overwrite=args.overwrite,
        archive=args.archive,
        state=args.state,
    )


def transferred(request: Request, *, as_json: bool) -> int:
    """Does it while somebody watches, and says what came of it. The exit code; raises Fault."""
    from cdi.cli.attended import attended
    from importer.transfer import run as transfer

    result = attended(
        lambda progress, cancel, warn: transfer(replace(request, warn=warn), progress, cancel), as_json=as_json
    )
    target = request.target
    say(json.dumps(record(result, target)) if as_json else as_text(result, target))
    return int(Exit.OK)


def record(result: Result, target: Target) -> dict[str, object]:
    return {
        "result": "imported",
        "target": str(target.path),
        "diskSize": result.disk_size,
        "bytesFetched": result.bytes_fetched,
        "bytesKept": result.bytes_kept,
        "seconds": round(result.elapsed_s, 3),
        "route": result.plan.route.value,
        "source": result.origin,
        "notes": [*result.plan.warnings, *result.notes],
    }


def as_text(result: Result, target: Target) -> str:
    rate = human_size(result.bytes_fetched / max(result.elapsed_s, 1e-3))
    kept = f", {human_size(result.bytes_kept)} of disk kept from before" if result.bytes_kept else ""
    lines = list(result.notes)
    what = "of files" if target.archive else "disk"
    lines.append(
        f"{target.path}: {human_size(result.disk_size)} {what} from {human_size(result.bytes_fetched)} "
        f"in {human_duration(result.elapsed_s)} ({rate}/s{kept})"
    )
    return "\n".join(lines)
