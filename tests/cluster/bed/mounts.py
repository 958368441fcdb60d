"""Mounts and loop devices below the bed's state, and how they end."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from . import place
from .command import run, succeeds

_PATIENCE_S = 30.0  # what was written must reach the disk before a file system lets go
_LAZY_S = 5.0


@dataclass(frozen=True)
class _Device:
    name: str
    goes_by_itself: bool  # when its last user does


def release_all() -> None:
    """Unmounts everything below the state and detaches the loop devices whose files are there."""
    began = time.monotonic()
    while True:
        mounted, devices = _mounted(), _devices()
        passed = time.monotonic() - began
        if not mounted and not devices:
            return
        if passed > _LAZY_S and not mounted and all(device.goes_by_itself for device in devices):
            return  # in a mount namespace that somebody else made meanwhile (`ip netns exec` does) it is still mounted
        if passed > _PATIENCE_S:
            raise RuntimeError(f"still mounted or attached: {mounted} {devices}")
        for point in mounted:
            # What something holds for long is left to the kernel: it ends with its last user.
            succeeds("umount", *(["--lazy"] if passed > _LAZY_S else []), point)
        for device in devices:
            succeeds("losetup", "--detach", device.name)
        time.sleep(0.1)  # whoever looked at a device meanwhile (blkid, another losetup) lets go by itself


def _mounted() -> list[str]:
    """Mount points, the latest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if Path(point).is_relative_to(place.STATE)]


def _devices() -> list[_Device]:
    listed = run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE,AUTOCLEAR")
    devices = json.loads(listed)["loopdevices"] if listed else []
    return [
        _Device(entry["name"], bool(entry["autoclear"]))
        for entry in devices
        if entry["back-file"] and entry["back-file"].startswith(f"{place.STATE}/")
    ]
