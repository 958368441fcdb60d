"""The options of the verbs that work on the data directory of ``cdi run``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cdi.cli.spoken import say

if TYPE_CHECKING:
    from cdi.local.store import Store


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", metavar="DIR", type=Path, help="the data directory (default: $CDI_DATA or ./cdi-data)"
    )
    parser.add_argument("-n", "--namespace", metavar="NS", default="default", help="the namespace (default: default)")


def store(args: argparse.Namespace) -> Store:
    """The store, after saying on standard error where this command acts."""
    from cdi.local.store import Store

    directory: Path = args.data or Path(os.environ.get("CDI_DATA", "cdi-data"))
    say(f"local: {directory.resolve()}", file=sys.stderr)
    return Store(directory)
