"""What is compared: one import of ours and the commands that a person would use for the same job.

In a rival's script ``{curl}`` writes the image to stdout, ``{tmp}`` is a file of its own, ``{out}`` the target. It is
run by ``bash -e -o pipefail``.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.base.units import MiB

_CONVERT = "{curl} -o {tmp} && qemu-img convert -t none -O raw {tmp} {out}"
_CONVERT_DEVICE = "{curl} -o {tmp} && qemu-img convert -t none -n -O raw {tmp} {out}"
_DIRECT = "{curl} | dd of={out} oflag=direct bs=1M iflag=fullblock status=none"
_SPARSE = " | dd of={out} conv=sparse,fsync bs=1M iflag=fullblock status=none"
_NBD = "nbdkit -U - curl {url} --run 'nbdcopy --flush \"$uri\" {out}'"


@dataclass(frozen=True)
class Rival:
    name: str
    script: str


CONVERT = Rival("curl, qemu-img convert", _CONVERT)
DIRECT = Rival("curl | dd direct, same bytes", _DIRECT)
ONE_STREAM = Rival("one curl to a file", "{curl} -o {out}")


@dataclass(frozen=True)
class Case:
    """``target``: file or device. ``memory``: bytes of the cgroup that both sides run in, 0 for none."""

    name: str
    image: str
    rivals: tuple[Rival, ...] = ()
    rounds: int = 5
    transport: str = "plain"
    target: str = "file"
    connections: int = 0
    memory: int = 0

    @property
    def disk(self) -> str:
        """The image's content, raw."""
        return "small.raw" if self.image.startswith("small") else "disk.raw"


CASES = (
    Case("qcow2", "disk.qcow2", (CONVERT, DIRECT)),
    Case("raw", "disk.raw", (Rival("nbdkit curl, nbdcopy", _NBD),)),
    Case("qcow2-zlib", "disk-zlib.qcow2", (CONVERT,)),
    Case("qcow2-zstd", "disk-zstd.qcow2", (CONVERT,)),
    Case("raw.gz", "disk.raw.gz", (Rival("curl | gzip -d | dd", "{curl} | gzip -dc" + _SPARSE),), rounds=3),
    Case("raw.zst", "disk.raw.zst", (Rival("curl | zstd -d | dd", "{curl} | zstd -qdc" + _SPARSE),)),
    Case("raw.xz", "disk.raw.xz", (Rival("curl | xz -d -T2 | dd", "{curl} | xz -dc -T2" + _SPARSE),), rounds=3),
    Case("qcow2 TLS", "disk.qcow2", (CONVERT,), transport="tls"),
    Case("qcow2 S3", "disk.qcow2", (CONVERT,), transport="s3"),
    Case("qcow2 device", "disk.qcow2", (Rival(CONVERT.name, _CONVERT_DEVICE),), target="device"),
    Case("qcow2 40 MB/s", "disk.qcow2", (ONE_STREAM,), rounds=3, transport="limited"),
    Case("qcow2 40 MB/s, 4 conn.", "disk.qcow2", rounds=1, transport="limited", connections=4),
    Case("qcow2 30 ms", "disk.qcow2", (CONVERT,), rounds=3, transport="rtt"),
    Case("qcow2 S3 30 ms", "disk.qcow2", rounds=3, transport="s3-rtt"),
    Case("qcow2 S3 30 ms, 4 conn.", "disk.qcow2", rounds=1, transport="s3-rtt", connections=4),
    Case("qcow2 128 MiB cgroup", "disk.qcow2", (CONVERT,), rounds=3, memory=128 * MiB),
    Case("raw.zst 128 MiB cgroup", "disk.raw.zst", rounds=1, memory=128 * MiB),
    Case("21 MiB qcow2", "small.qcow2", (CONVERT,)),
)
