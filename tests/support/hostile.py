"""Hostile and damaged images, small in bytes, each with the code that refuses it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

KiB = 1024
MiB = 1024 * KiB
CLUSTER = 64 * KiB
COPIED = 1 << 63


class Hostile(NamedTuple):
    build: Callable[[], bytes]
    code: str


def qcow2(**changes: int) -> bytearray:
    """A sound image: 1 MiB of disk, one L2 table, one data cluster. ``changes``: header fields."""
    fields = {
        "version": 3, "backing_offset": 0, "backing_size": 0, "cluster_bits": 16, "size": MiB, "crypt": 0,
        "l1_size": 1, "l1_offset": 3 * CLUSTER, "refcount_offset": CLUSTER, "refcount_clusters": 1,
        "snapshots": 0, "snapshots_offset": 0, "incompatible": 0, "header_length": 112, "compression": 0,
    } | changes  # fmt: skip
    image = bytearray(6 * CLUSTER)
    names = list(fields)
    struct.pack_into(">4sIQIIQIIQQIIQ", image, 0, b"QFI\xfb", *(fields[name] for name in names[:12]))
    struct.pack_into(">QQQII", image, 72, fields["incompatible"], 0, 0, 4, fields["header_length"])
    image[104] = fields["compression"]
    struct.pack_into(">Q", image, 3 * CLUSTER, 4 * CLUSTER | COPIED)
    struct.pack_into(">Q", image, 4 * CLUSTER, 5 * CLUSTER | COPIED)
    image[5 * CLUSTER :] = b"data" * (CLUSTER // 4)
    return image


def _with(image: bytearray, *words: tuple[int, int]) -> bytes:
    """``image`` with big-endian 64-bit ``words`` (offset, value)."""
    for offset, value in words:
        struct.pack_into(">Q", image, offset, value)
    return bytes(image)


def _backing() -> bytes:
    image = qcow2(backing_offset=512, backing_size=11)
    image[512:523] = b"/etc/passwd"
    return bytes(image)


def _data_file_extension() -> bytes:
    image = qcow2()
    struct.pack_into(">II11s", image, 112, 0x44415441, 11, b"/etc/passwd")
    return bytes(image)


def _many_l1_to_one_table() -> bytes:
    image = qcow2(size=8192 * 512 * MiB, l1_size=8192)
    image[3 * CLUSTER : 4 * CLUSTER] = struct.pack(">Q", 4 * CLUSTER | COPIED) * 8192
    return bytes(image)


def _shared_cluster() -> bytes:
    image = qcow2(size=512 * MiB)
    image[4 * CLUSTER : 5 * CLUSTER] = struct.pack(">Q", 5 * CLUSTER | COPIED) * 8192
    return bytes(image)


def _packed_bomb() -> bytes:
    image = qcow2(size=512 * MiB)
    image[4 * CLUSTER : 5 * CLUSTER] = struct.pack(">Q", 1 << 62 | 5 * CLUSTER) * 8192
    return bytes(image)


def _subclusters(entry: int, bitmap: int) -> bytes:
    return _with(qcow2(incompatible=16), (4 * CLUSTER, entry), (4 * CLUSTER + 8, bitmap))


def vmdk(descriptor: str = "", grain: int = 128, **changes: int) -> bytearray:
    """A sound monolithicSparse image of 1 MiB with one grain."""
    fields = {
        "version": 1, "flags": 3, "capacity": 2048, "grain": grain, "at": 1, "length": 20, "entries": 512,
        "rgd": 21, "gd": 26, "overhead": 128, "unclean": 0,
    } | changes  # fmt: skip
    text = descriptor or (
        '# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="monolithicSparse"\n'
        'RW 2048 SPARSE "disk.vmdk"\n'
    )
    image = bytearray(2 * CLUSTER)
    struct.pack_into("<4sIIQQQQIQQQB4sH", image, 0, b"KDMV", *fields.values(), b"\n \r\n", 0)
    image[512 : 512 + len(text)] = text.encode()
    struct.pack_into("<I", image, 26 * 512, 30)
    struct.pack_into("<I", image, 30 * 512, 128)
    return image


def _vmdk_text(line: str, parent: str = "ffffffff") -> bytes:
    return bytes(vmdk(f'# Disk DescriptorFile\nversion=1\nparentCID={parent}\ncreateType="monolithicSparse"\n{line}\n'))


def vdi(**changes: int) -> bytearray:
    fields = {"type": 1, "map": 512, "data": 1024, "sector": 512, "size": MiB, "block": MiB, "extra": 0, "blocks": 1}
    fields |= changes
    image = bytearray(1024 + MiB)
    struct.pack_into("<IIII", image, 0x40, 0xBEDA107F, 0x10001, 400, fields["type"])
    struct.pack_into("<II", image, 0x154, fields["map"], fields["data"])
    struct.pack_into("<I", image, 0x168, fields["sector"])
    struct.pack_into("<QIII", image, 0x170, *(fields[name] for name in ("size", "block", "extra", "blocks")))
    return image


def _summed(data: bytearray, field: int) -> bytes:
    struct.pack_into(">I", data, field, 0)
    struct.pack_into(">I", data, field, ~sum(data) & 0xFFFFFFFF)
    return bytes(data)


def vhd(kind: int = 3, size: int = 2 * MiB, entries: int = 1, block: int = 2 * MiB, table: int = 1536) -> bytes:
    footer = bytearray(512)
    struct.pack_into(
        ">8sIIQI4sI4sQQII", footer, 0, b"conectix", 2, 0x10000, 512, 0, b"test", 0, b"Wi2k", size, size, 0, kind
    )
    header = bytearray(1024)
    struct.pack_into(">8sQQIII", header, 0, b"cxsparse", 1 << 64 - 1, table, 0x10000, entries, block)
    header[64:88] = "/etc/shadow\0".encode("utf-16-be")
    return _summed(footer, 64) + _summed(header, 36) + struct.pack(">I", 4).ljust(512, b"\xff") + bytes(4096)


def _damaged_vhd() -> bytes:
    image = bytearray(vhd())
    image[49] ^= 1
    return bytes(image)


def hostile_images() -> dict[str, Hostile]:
    l1, l2 = 3 * CLUSTER, 4 * CLUSTER
    return {
        "qcow2 with a backing file": Hostile(_backing, "ImageHasBackingFile"),
        "qcow2 with the external data bit": Hostile(lambda: bytes(qcow2(incompatible=4)), "ImageHasExternalData"),
        "qcow2 with a data file extension": Hostile(_data_file_extension, "ImageHasExternalData"),
        "qcow2 encrypted with AES": Hostile(lambda: bytes(qcow2(crypt=1)), "ImageEncrypted"),
        "qcow2 encrypted with LUKS": Hostile(lambda: bytes(qcow2(crypt=2)), "ImageEncrypted"),
        "qcow2 marked corrupt": Hostile(lambda: bytes(qcow2(incompatible=2)), "ImageMarkedCorrupt"),
        "qcow2 with an unknown feature": Hostile(lambda: bytes(qcow2(incompatible=1 << 40)), "ImageUnsupported"),
        "qcow2 with unknown compression": Hostile(
            lambda: bytes(qcow2(incompatible=8, compression=9)), "ImageUnsupported"
        ),
        "qcow2 with contradicting compression": Hostile(lambda: bytes(qcow2(compression=1)), "ImageInvalid"),
        "qcow of version 1": Hostile(lambda: bytes(qcow2(version=1)), "ImageUnsupported"),
        "qcow2 of version 9": Hostile(lambda: bytes(qcow2(version=9)), "ImageUnsupported"),
        "qcow2 with tiny clusters": Hostile(lambda: bytes(qcow2(cluster_bits=8)), "ImageInvalid"),
        "qcow2 with giant clusters": Hostile(lambda: bytes(qcow2(cluster_bits=63)), "ImageInvalid"),
        "qcow2 with a giant header": Hostile(lambda: bytes(qcow2(header_length=1 << 31)), "ImageInvalid"),
        "qcow2 with a giant L1 table": Hostile(lambda: bytes(qcow2(l1_size=0x7FFFFFFF)), "ImageTableTooBig"),
        "qcow2 that needs a giant L1 table": Hostile(lambda: bytes(qcow2(size=1 << 62)), "ImageTableTooBig"),
        "qcow2 larger than its L1 table maps": Hostile(lambda: bytes(qcow2(size=1 << 40)), "ImageSizeAbsurd"),
        "qcow2 of more than 8 EiB": Hostile(lambda: bytes(qcow2(size=(1 << 64) - 512)), "ImageSizeAbsurd"),
        "qcow2 of no size": Hostile(lambda: bytes(qcow2(size=0)), "ImageSizeAbsurd"),
        "qcow2 with L1 over the header": Hostile(lambda: bytes(qcow2(l1_offset=0)), "ImageTableOutside"),
        "qcow2 with a misaligned L1": Hostile(lambda: bytes(qcow2(l1_offset=l1 + 8)), "ImageTableOutside"),
        "qcow2 with L1 outside": Hostile(lambda: bytes(qcow2(l1_offset=1 << 40)), "ImageTableOutside"),
        "qcow2 with L2 outside": Hostile(lambda: _with(qcow2(), (l1, 1 << 40)), "ImageTableOutside"),
        "qcow2 with L2 over the header": Hostile(lambda: _with(qcow2(), (l1, 512)), "ImageTableOutside"),
        "qcow2 with reserved bits in L1": Hostile(lambda: _with(qcow2(), (l1, l2 | 1)), "ImageInvalid"),
        "qcow2 with reserved bits in L2": Hostile(lambda: _with(qcow2(), (l2, 5 * CLUSTER | 4)), "ImageInvalid"),
        "qcow2 with a misaligned cluster": Hostile(lambda: _with(qcow2(), (l2, 5 * CLUSTER + 512)), "ImageInvalid"),
        "qcow2 with data outside": Hostile(lambda: _with(qcow2(), (l2, 1 << 40)), "ImageTruncated"),
        "qcow2 cut before its data": Hostile(lambda: bytes(qcow2()[: 5 * CLUSTER]), "ImageTruncated"),
        "qcow2 with packed data outside": Hostile(lambda: _with(qcow2(), (l2, 1 << 62 | 1 << 40)), "ImageTruncated"),
        "qcow2 with packed data over the header": Hostile(lambda: _with(qcow2(), (l2, 1 << 62 | 8)), "ImageInvalid"),
        "qcow2 with one cluster everywhere": Hostile(_shared_cluster, "ImageClusterShared"),
        "qcow2 with one L2 table everywhere": Hostile(_many_l1_to_one_table, "ImageClusterShared"),
        "qcow2 with one packed cluster everywhere": Hostile(_packed_bomb, "ImageClusterShared"),
        "qcow2 with a subcluster both ways": Hostile(lambda: _subclusters(5 * CLUSTER, 1 << 32 | 1), "ImageInvalid"),
        "qcow2 with a subcluster nowhere": Hostile(lambda: _subclusters(0, 1), "ImageInvalid"),
        "qcow2 of only a magic": Hostile(lambda: b"QFI\xfb\0\0\0\3", "ImageInvalid"),
        "vmdk descriptor naming a file": Hostile(
            lambda: b'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "/etc/passwd" 0\n',
            "ImageHasExternalData",
        ),
        "vmdk with two extents": Hostile(
            lambda: _vmdk_text('RW 8 SPARSE "a.vmdk"\nRW 8 SPARSE "b.vmdk"'), "ImageHasExternalData"
        ),
        "vmdk with a parent": Hostile(lambda: _vmdk_text('RW 8 SPARSE "a.vmdk"', "12345678"), "ImageHasBackingFile"),
        "vmdk with a parent that has no number": Hostile(
            lambda: _vmdk_text('parentFileNameHint="/etc/passwd"'), "ImageHasBackingFile"
        ),
        "vmdk without capacity": Hostile(lambda: bytes(vmdk(capacity=0)), "ImageHasExternalData"),
        "vmdk with a giant directory": Hostile(
            lambda: bytes(vmdk(capacity=1 << 36, entries=1, grain=8)), "ImageTableTooBig"
        ),
        "vmdk of absurd size": Hostile(lambda: bytes(vmdk(capacity=1 << 50)), "ImageSizeAbsurd"),
        "vmdk with odd grains": Hostile(lambda: bytes(vmdk(grain=100)), "ImageInvalid"),
        "vmdk with the directory outside": Hostile(lambda: bytes(vmdk(gd=1 << 40)), "ImageTableOutside"),
        "vmdk without its footer": Hostile(lambda: bytes(vmdk(gd=(1 << 64) - 1)), "ImageTruncated"),
        "vdi with a parent": Hostile(lambda: bytes(vdi(type=4)), "ImageHasBackingFile"),
        "vdi with the map outside": Hostile(lambda: bytes(vdi(map=1 << 30)), "ImageTableOutside"),
        "vdi with too few blocks": Hostile(lambda: bytes(vdi(size=1 << 50)), "ImageSizeAbsurd"),
        "vdi with odd blocks": Hostile(lambda: bytes(vdi(block=12345)), "ImageInvalid"),
        "vdi cut in its data": Hostile(lambda: bytes(vdi()[:4096]), "ImageTruncated"),
        "vhd with a parent": Hostile(lambda: vhd(kind=4), "ImageHasBackingFile"),
        "vhd with a wrong checksum": Hostile(_damaged_vhd, "ImageInvalid"),
        "vhd with the table outside": Hostile(lambda: vhd(table=1 << 40), "ImageTableOutside"),
        "vhd with too few blocks": Hostile(lambda: vhd(size=1 << 40), "ImageSizeAbsurd"),
        "vhd cut in its data": Hostile(vhd, "ImageTruncated"),
        "vhdx of only a magic": Hostile(lambda: b"vhdxfile".ljust(4096, b"\0"), "ImageTableOutside"),
        "vhdx without headers": Hostile(lambda: b"vhdxfile".ljust(MiB, b"\0"), "ImageInvalid"),
        "a LUKS container": Hostile(lambda: b"LUKS\xba\xbe\0\2".ljust(4096, b"\0"), "ImageEncrypted"),
    }  # fmt: skip
