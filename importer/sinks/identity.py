"""What tells one file or block device from every other, across attachments and reboots where that can be known."""

from __future__ import annotations

import os
from hashlib import sha256
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
    if value := _lasting(number):
        return f"{value}:{size}"
    return f"{boot_id()}:{os.major(number)}:{os.minor(number)}:{_first_line(_place(number) / 'diskseq')}:{size}"


def device_label(path: Path) -> str:
    """What a file about the device can be called: the same by whatever name the device is reached, and of no two at the
    same time. What is no device has its own name."""
    try:
        number = os.stat(path).st_rdev
    except OSError:
        return path.name
    if value := _lasting(number):
        return f"device-{sha256(value.encode()).hexdigest()[:32]}"
    return _place(number).resolve().name.replace(":", "-")  # the kernel's name; where there is no sysfs its number


def _lasting(number: int) -> str:
    values = (_first_line(_place(number) / name) for name in _LASTING)
    return next(filter(None, values), "")


def _place(number: int) -> Path:
    return Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
