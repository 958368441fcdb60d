"""The network namespace: a node with one address, no way out, and no one else on its ports.

Without it packets to a Service that nobody serves would leave the machine. Programs enter with nsenter, never with
`ip netns exec`: that mounts /sys anew, which hides the cgroups, and the kubelet ends.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import place
from .command import run, succeeds

PATH = Path("/run/netns") / place.NAME
_HOME = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
_CLONE_NEWNET = 0x40000000  # <sched.h>
_BRIDGE = "node0"  # not a dummy device: many small kernels lack that driver, none that runs containers lacks bridges


def create() -> None:
    run("ip", "netns", "add", place.NAME)
    for words in (
        "ip link set lo up",
        f"ip link add {_BRIDGE} type bridge",
        f"ip address add {place.NODE_ADDRESS}/24 dev {_BRIDGE}",
        f"ip link set {_BRIDGE} up",
        f"ip route add default dev {_BRIDGE}",
        "sysctl -qw net.ipv4.ip_forward=1",
    ):
        run(*inside(*words.split()))


def delete() -> None:
    succeeds("ip", "netns", "delete", place.NAME)


def inside(*command: str | Path) -> list[str]:
    """``command`` as one that runs in the namespace. nsenter replaces itself: the process id is the program's own."""
    return ["nsenter", f"--net={PATH}", "--", *map(str, command)]


@contextmanager
def entered() -> Iterator[None]:
    """This thread, and threads and processes it starts meanwhile, are in the namespace.

    Sockets keep the namespace that they were made in; a client made inside also works outside.
    """
    there = os.open(PATH, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _switched(there):
            yield
    finally:
        os.close(there)


@contextmanager
def left() -> Iterator[None]:
    """Where this process started, for as long: for builds and installs."""
    with _switched(_HOME):
        yield


@contextmanager
def _switched(there: int) -> Iterator[None]:
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(there)
        try:
            yield
        finally:
            _setns(here)
    finally:
        os.close(here)


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
