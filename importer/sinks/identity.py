"""What tells one file or block device from every other, across attachments and reboots where that can be known."""

from __future__ import annotations

import os
from pathlib import Path

from importer.sinks import kernel

# First of these that says something. Kernel ABI: Documentation/ABI/*/sysfs-block*, sysfs-devices.
_LASTING = ("dm/uuid", "wwid", "device/wwid", "serial", "device/serial", "md/uuid")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Changes with every boot of the kernel; empty where it is hidden."""
    return _first_line(_BOOT_ID)


def file_identity(fd: int) -> str:
    """Inode and birth time: inode numbers alone are given again, and device numbers change when a volume is attached
    elsewhere. Without a birth time, device and inode. Raises OSError."""
    facts = os.fstat(fd)
    born = kernel.birth(fd).born_ns
    return f"{facts.st_ino}:{born}" if born else f"{facts.st_dev}:{facts.st_ino}"


def device_identity(fd: int, size: int) -> str:
    """A lasting name of the device, else one that holds for this boot and this attachment only.

    Device numbers alone are given to another device after the next attachment.
    """
    number = os.fstat(fd).st_rdev
    major, minor = os.major(number), os.minor(number)
    place = Path(f"/sys/dev/block/{major}:{minor}")
    for name in _LASTING:
        if value := _first_line(place / name):
            return f"{value}:{size}"
    return f"{boot_id()}:{major}:{minor}:{_first_line(place / 'diskseq')}:{size}"


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
