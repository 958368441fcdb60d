"""The options that say how to get at a source, the same for ``inspect`` and ``import``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cdi.base.faults import Fault
from importer.sources import SourceSpec

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_STALL_TIMEOUT_S = 60.0


def add(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("source options")
    group.add_argument("--user", metavar="NAME", default="", help="user name; the password is read from CDI_PASSWORD")
    group.add_argument(
        "--header", metavar="'NAME: VALUE'", action="append", default=[], help="send this HTTP header (repeatable)"
    )
    group.add_argument(
        "--header-file",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="send the header in FILE, for secret ones (repeatable)",
    )
    group.add_argument(
        "--ca", metavar="FILE", action="append", default=[], type=Path, help="trust these CAs too (file or directory)"
    )
    group.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    group.add_argument(
        "--stall-timeout",
        metavar="SECONDS",
        type=_seconds,
        help="a connection that gives no byte for so long is broken and asked again (default 60)",
    )
    group.add_argument("--region", default="", help="S3 region (default: asked from the server)")


def spec(url: str, args: argparse.Namespace) -> SourceSpec:
    """The SourceSpec of ``url`` with the options of ``args`` and the environment (proxies, AWS_*, CDI_PASSWORD)."""
    environ = {name: value for name, value in os.environ.items() if name in _PROXY_VARIABLES or name.startswith("AWS_")}
    for path in args.ca:
        if not path.exists():
            raise Fault("FileUnreadable", source=str(path), cause="No such file or directory")
    return SourceSpec(
        url=url,
        user=args.user,
        password=os.environ.get("CDI_PASSWORD", ""),
        session_token=os.environ.get("AWS_SESSION_TOKEN", "") if args.user else "",
        region=args.region,
        headers=tuple(args.header),
        secret_headers=tuple(_read_header(path) for path in args.header_file),
        ca_files=tuple(args.ca),
        insecure=args.insecure,
        environ=environ,
        stall_timeout_s=args.stall_timeout or _STALL_TIMEOUT_S,
    )


def _seconds(text: str) -> float:
    seconds = float(text)  # argparse turns the ValueError into a usage message
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text}: give more than 0 and at most 3600 seconds")
    return seconds


def _read_header(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Fault("FileUnreadable", source=str(path), cause=error.strerror) from error
