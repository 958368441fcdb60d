"""``cdi upload FILE TARGET``: a disk or archive of this machine into a DataVolume, or into a file or device."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdi.base.faults import Fault
from cdi.cli import names, output_options, place
from cdi.cli.sizes import size

_ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod")


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "upload",
        help="upload an image of this machine into a DataVolume, a file or a block device",
        description="Upload FILE into the DataVolume TARGET, which is made where it is not there. Ctrl-C stops; the "
        "same command goes on. A path as TARGET, or --data, means this machine: no cluster is asked.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the image of a disk, or with --archive a tar archive")
    parser.add_argument("target", metavar="TARGET", help="dv/[NAMESPACE/]NAME, or a path (contains / or exists)")
    parser.add_argument("--size", metavar="SIZE", type=size, help="of the volume (default: what the disk needs)")
    parser.add_argument("--preallocation", action="store_true", help="reserve all blocks of the disk")
    parser.add_argument("--archive", action="store_true", help="FILE is a tar archive, and is unpacked")
    parser.add_argument("--dry-run", action="store_true", help="show what would be made, and how it would be sent")
    output_options.add_lines(parser, "progress and result as JSON lines")
    place.add(parser)
    group = parser.add_argument_group("for a DataVolume of a cluster")
    group.add_argument("--class", dest="storage_class", metavar="NAME", help="storage class (default: the default one)")
    group.add_argument(
        "--access-mode", metavar="MODE", action="append", choices=_ACCESS_MODES, default=[], help="repeatable"
    )
    group.add_argument("--volume-mode", choices=("Filesystem", "Block"), help="(default: what suits the class best)")
    group.add_argument(
        "--upload-proxy-url",
        metavar="URL",
        help="send through this upload proxy (default: the one that the cluster names, else through its API)",
    )
    group.add_argument(
        "--ca", metavar="FILE", action="append", default=[], type=Path, help="trust these CAs of the proxy too"
    )
    group.add_argument(
        "--ready-timeout", metavar="SECONDS", type=float, default=300.0, help="for the upload server (default 300)"
    )
    group = parser.add_argument_group("for a path")
    group.add_argument("--overwrite", action="store_true", help="replace an existing target file")
    group.add_argument("--state", metavar="DIR", type=Path, help="where a device's resume journal is kept")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    if args.file.is_dir():
        raise Fault("UploadFileDirectory", source=args.file)
    if not names.is_object(args.target):
        from cdi.cli import upload_path

        return upload_path.run(args)
    directory = place.data_directory(args)
    if directory is not None:
        from cdi.cli import upload_local

        return upload_local.run(args, directory)
    from cdi.cli import upload_object

    return upload_object.run(args)
