"""Mounts and loop devices below the bed's state, and how they end."""

from __future__ import annotations

import json
import time
from pathlib import Path

from . import place
from .command import run, succeeds

_ROUNDS = 6  # a file system in a file in a file system on a loop device is three


def release_all() -> None:
    """Unmounts everything below the state and detaches the loop devices whose files are there."""
    for round_ in range(_ROUNDS):
        mounted, devices = _mounted(), _devices()
        if not mounted and not devices:
            return
        for point in mounted:
            # The last rounds leave what something still holds to the kernel: it ends with its last user.
            succeeds("umount", *(["--lazy"] if round_ > _ROUNDS // 2 else []), point)
        for device in devices:
            succeeds("losetup", "--detach", device)
        time.sleep(0.1 * round_)  # whoever looked at a device meanwhile (blkid, another losetup) lets go by itself
    raise RuntimeError(f"still mounted or attached: {_mounted()} {_devices()}")


def _mounted() -> list[str]:
    """Mount points, the latest first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if Path(point).is_relative_to(place.STATE)]


def _devices() -> list[str]:
    listed = run("losetup", "--list", "--json", "--output", "NAME,BACK-FILE")
    devices = json.loads(listed)["loopdevices"] if listed else []
    return [
        entry["name"] for entry in devices if entry["back-file"] and entry["back-file"].startswith(f"{place.STATE}/")
    ]
