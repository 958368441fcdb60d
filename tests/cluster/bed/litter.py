"""What containerd and the kubelet leave outside the state, in places that nobody can choose for them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from . import place

_SOCKETS = (Path("/run/containerd/s"), Path("/var/lib/kubelet/device-plugins"))
_RESULTS = Path("/var/lib/cni/results")
_LINKS = Path("/var/log/containers")
_FOLDERS = (*_SOCKETS, _RESULTS, _LINKS, Path("/var/lib/kubelet"), Path("/var/lib/cni"))


def found() -> Iterator[Path]:
    """Files of this bed. Sockets bear no name: those that nobody listens at are nobody's."""
    for folder in _SOCKETS:
        yield from (path for path in _in(folder) if path.is_socket() and _is_dead(path))
    yield from (path for path in _in(_RESULTS) if path.name.startswith(f"{place.NAME}.pods-"))
    yield from (path for path in _in(_LINKS) if path.is_symlink() and path.readlink().is_relative_to(place.STATE))


def remove() -> None:
    """After the programs have ended."""
    for path in found():
        path.unlink(missing_ok=True)
    for folder in _FOLDERS:
        with contextlib.suppress(OSError):  # of another bed, or of somebody else
            folder.rmdir()


def _in(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_dead(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
