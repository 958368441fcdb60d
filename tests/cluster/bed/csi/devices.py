"""Loop devices, and file systems on them."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.bed.command import run, succeeds

_BLOCK = 4096
# Nothing to discard in a new sparse file, and nothing to reserve for root in a volume of one disk.
_EXT4 = ("-q", "-m", "0", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1")


def attached(image: Path) -> Path | None:
    listed = run("losetup", "--associated", image, "--noheadings", "--output", "NAME")
    return Path(listed.split()[0]) if listed else None


def attach(image: Path) -> Path:
    return attached(image) or Path(run("losetup", "--find", "--show", image))


def detach(image: Path) -> None:
    if device := attached(image):
        run("losetup", "--detach", device)


def is_mounted(path: Path) -> bool:
    return succeeds("mountpoint", "-q", path) or any(
        line.split()[4] == str(path).replace(" ", "\\040")  # a bind mount of a device is no directory
        for line in Path("/proc/self/mountinfo").read_text().splitlines()
    )


def mount_file_system(device: Path, where: Path, kind: str, flags: list[str]) -> None:
    """Makes it when there is none, and lets it grow to the device's size: a restored snapshot may be smaller."""
    found = _file_system(device)
    if not found:
        run(f"mkfs.{kind}", *(_EXT4 if kind == "ext4" else ("-q",)), device)
    elif found == "ext4" and _ext4_size(device) < _size(device):
        # Before it is mounted: growing a mounted ext4 takes CAP_SYS_RESOURCE, which a container may lack.
        succeeds("e2fsck", "-fp", device)  # exit 1 is "repaired"; what it cannot repair resize2fs refuses
        run("resize2fs", device)
    options = ["discard", *(["nouuid"] if (found or kind) == "xfs" else []), *flags]  # a clone has its source's uuid
    where.mkdir(parents=True, exist_ok=True)
    run("mount", "-o", ",".join(options), device, where)
    if found == "xfs":
        run("xfs_growfs", where)


def grow_file_system(device: Path, where: Path) -> None:
    """While it is mounted. What is in a volume that is a device belongs to the guest."""
    run("losetup", "--set-capacity", device)
    if not where.is_dir():
        return
    match _file_system(device):
        case "ext4" if _ext4_size(device) < _size(device):
            run("resize2fs", device)
        case "xfs":
            run("xfs_growfs", where)


def _size(device: Path) -> int:
    """In whole blocks of ext4, as bytes."""
    return int(run("blockdev", "--getsize64", device)) // _BLOCK * _BLOCK


def _ext4_size(device: Path) -> int:
    lines = dict(line.split(":", 1) for line in run("tune2fs", "-l", device).splitlines() if ":" in line)
    return int(lines["Block count"]) * int(lines["Block size"]) // _BLOCK * _BLOCK


def bind(what: Path, where: Path, *, read_only: bool) -> None:
    if what.is_dir():
        where.mkdir(parents=True, exist_ok=True)
    else:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.touch()
    run("mount", "--bind", what, where)
    if read_only:
        run("mount", "-o", "remount,bind,ro", where)


def unmount(where: Path) -> None:
    if is_mounted(where):
        run("umount", where)


def _file_system(device: Path) -> str:
    # -p: blkid's cache knows what was on this loop device's number before.
    if not succeeds("blkid", "-p", device):
        return ""
    return run("blkid", "-p", "-o", "value", "-s", "TYPE", device)
