"""Entry point of the size detection pod: how large the disk in a volume is, as decimal text for the controller.

A volume's ``disk.img`` is a raw disk, so its size is the file's. The bytes are not asked: they belong to a guest, and
one that wrote a qcow2 header to its first sector would choose the size of every clone.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from enum import IntEnum
from pathlib import Path
from typing import NoReturn


class Outcome(IntEnum):
    """Exit codes of the contract; the controller turns them into event reasons."""

    OK = 0
    BAD_ARGUMENTS = 1
    INVALID_FILE = 2
    INVALID_PATH = 3
    BAD_TERMINATION_FILE = 4
    UNKNOWN = 5


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Outcome.BAD_ARGUMENTS, f"{self.prog}: {message}\n")


class _Undetected(Exception):
    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


def _disk_size(path: Path) -> int:
    """Bytes of the disk at ``path``."""
    try:
        status = path.lstat()  # whoever owns the volume may have made a link to something of this pod
    except OSError as error:
        raise _Undetected(Outcome.INVALID_PATH, f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise _Undetected(Outcome.INVALID_FILE, f"{path} is not a regular file")
    if status.st_size == 0:
        raise _Undetected(Outcome.INVALID_FILE, f"{path} is empty")
    return status.st_size


def _report(size: int, path: Path) -> None:
    try:
        path.write_text(str(size))
    except OSError as error:
        raise _Undetected(Outcome.BAD_TERMINATION_FILE, f"{path}: {error.strerror}") from error


def main() -> int:
    parser = _Parser(prog="cdi-image-size-detection", description="Report the size of a volume's disk in bytes.")
    parser.add_argument("-image-path", "--image-path", type=Path, required=True, metavar="FILE")
    image: Path = parser.parse_args().image_path
    try:
        size = _disk_size(image)
        _report(size, Path(os.environ.get("CDI_TERMINATION_LOG", "/dev/termination-log")))
    except _Undetected as error:
        print(f"cdi-image-size-detection: {error}", file=sys.stderr)
        return error.outcome
    except Exception as error:  # noqa: BLE001  the contract has a code for whatever else there may be
        print(f"cdi-image-size-detection: {error!r}", file=sys.stderr)
        return Outcome.UNKNOWN
    print(size)
    return Outcome.OK


if __name__ == "__main__":
    sys.exit(main())
