"""The header of a qcow2 image, versions 2 and 3. Spec: docs/interop/qcow2 of the QEMU project.

Everything that would make the image depend on another file or on a key, or that is not fully understood, is refused
here, before any table is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.formats import Kind
from importer.formats.window import printable

MAGIC = b"QFI\xfb"
HEAD_SIZE = 64 * KiB  # more than any header with its extensions needs
L1_LIMIT = 32 * MiB  # bytes; the limit qemu itself keeps (QCOW_MAX_L1_SIZE)
_SIZE_LIMIT = (1 << 63) - 1  # a file offset is signed

_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_DIRTY, _CORRUPT, _EXTERNAL_DATA, _COMPRESSION, _EXTENDED_L2 = (1 << bit for bit in range(5))
_KNOWN = _DIRTY | _CORRUPT | _EXTERNAL_DATA | _COMPRESSION | _EXTENDED_L2
_END, _FEATURE_NAMES, _DATA_FILE = 0, 0x6803F857, 0x44415441
_CIPHERS = {1: "AES", 2: "LUKS"}


@dataclass(frozen=True, slots=True)
class Header:
    version: int
    cluster_bits: int
    virtual_size: int
    l1_offset: int
    l1_entries: int  # as many as the virtual size needs; the table may be longer
    refcount_offset: int
    refcount_clusters: int
    extended_l2: bool
    compression: Kind

    @property
    def cluster_size(self) -> int:
        return 1 << self.cluster_bits

    @property
    def granule(self) -> int:
        """Alignment of what is allocated, in bytes of disk: with extended L2 entries each cluster has 32 parts."""
        return self.cluster_size // 32 if self.extended_l2 else self.cluster_size

    @property
    def entry_size(self) -> int:
        """Bytes of an L2 entry."""
        return 16 if self.extended_l2 else 8

    @property
    def l2_coverage(self) -> int:
        """Bytes of disk that one L2 table maps."""
        return (self.cluster_size // self.entry_size) << self.cluster_bits


def parse_header(head: bytes) -> Header:
    """The header from the first bytes of the file: HEAD_SIZE of them, or the whole file when it is shorter. Pure."""
    if len(head) < _V2.size or head[:4] != MAGIC:
        raise _invalid("the header is incomplete")
    version = int.from_bytes(head[4:8], "big")
    if version not in (2, 3):
        raise _unsupported("the old qcow format, version 1" if version == 1 else f"qcow2 version {version}")
    fields = _V2.unpack_from(head)
    _, _, backing_offset, backing_size, cluster_bits, size, crypt, l1_size, l1_offset, refcount, blocks, _, _ = fields
    if not 9 <= cluster_bits <= 21:
        raise _invalid(f"clusters of 2^{cluster_bits} bytes")
    incompatible, length = _version_3(head, cluster_bits) if version == 3 else (0, _V2.size)
    extensions = _extensions(head, length, backing_offset, cluster_bits)
    _refuse_features(incompatible, extensions)
    _refuse_references(head, backing_offset, backing_size, crypt)
    header = Header(
        version=version,
        cluster_bits=cluster_bits,
        virtual_size=size,
        l1_offset=l1_offset,
        l1_entries=0,
        refcount_offset=refcount,
        refcount_clusters=blocks,
        extended_l2=bool(incompatible & _EXTENDED_L2),
        compression=_compression(head, incompatible, length),
    )
    return _with_l1(header, l1_size)


def _version_3(head: bytes, cluster_bits: int) -> tuple[int, int]:
    """(incompatible feature bits, header length)."""
    if len(head) < _V2.size + _V3.size:
        raise _invalid("the header is incomplete")
    incompatible, _, _, _, length = _V3.unpack_from(head, _V2.size)
    if length < _V2.size + _V3.size or length > 1 << cluster_bits or length > len(head):
        raise _invalid(f"a header of {length} bytes")
    return incompatible, length


def _extensions(head: bytes, start: int, backing_offset: int, cluster_bits: int) -> dict[int, bytes]:
    """The header extensions by type. They end with type 0, the backing file's name, or the first cluster."""
    end = min(backing_offset or 1 << cluster_bits, 1 << cluster_bits)
    found: dict[int, bytes] = {}
    position = start
    while position + 8 <= min(end, len(head)):
        kind, length = struct.unpack_from(">II", head, position)
        if kind == _END:
            break
        if position + 8 + length > end:
            raise _invalid(f"a header extension of {length} bytes does not fit")
        found[kind] = head[position + 8 : position + 8 + length]
        position += 8 + (length + 7) // 8 * 8
    return found


def _refuse_features(incompatible: int, extensions: dict[int, bytes]) -> None:
    if incompatible & _CORRUPT:
        raise Fault("ImageMarkedCorrupt", format="qcow2")
    if incompatible & _EXTERNAL_DATA or _DATA_FILE in extensions:
        reference = printable(extensions.get(_DATA_FILE, b""))
        raise Fault("ImageHasExternalData", format="qcow2", reference=reference)
    unknown = incompatible & ~_KNOWN
    if unknown:
        bit = (unknown & -unknown).bit_length() - 1
        name = _feature_name(extensions.get(_FEATURE_NAMES, b""), bit)
        raise _unsupported(f"the unknown incompatible feature {name} (bit {bit})")


def _feature_name(table: bytes, bit: int) -> str:
    """What the image itself calls incompatible feature ``bit``; quoted, since nobody vouches for it."""
    for start in range(0, len(table) - 47, 48):
        if table[start] == 0 and table[start + 1] == bit:
            return repr(printable(table[start + 2 : start + 48].rstrip(b"\0")))
    return "without a name"


def _refuse_references(head: bytes, backing_offset: int, backing_size: int, crypt: int) -> None:
    if backing_offset and backing_size:
        name = printable(head[backing_offset : backing_offset + min(backing_size, 1023)])
        raise Fault("ImageHasBackingFile", format="qcow2", reference=name)
    if crypt:
        raise Fault("ImageEncrypted", format="qcow2", method=_CIPHERS.get(crypt, f"method {crypt}"))


def _compression(head: bytes, incompatible: int, length: int) -> Kind:
    kind = head[104] if length > 104 else 0
    if bool(incompatible & _COMPRESSION) != bool(kind):
        raise _invalid("compression type and its feature bit disagree")
    if kind > 1:
        raise _unsupported(f"compression type {kind}")
    return Kind.ZSTD if kind else Kind.DEFLATE


def _with_l1(header: Header, l1_size: int) -> Header:
    """``header`` with the number of L1 entries in use; the L1 table is checked as far as the header says."""
    if header.extended_l2 and header.cluster_bits < 14:
        raise _invalid("subclusters need clusters of 16 KiB or more")
    if not 0 < header.virtual_size <= _SIZE_LIMIT:
        raise Fault("ImageSizeAbsurd", format="qcow2", virtual=header.virtual_size)
    needed = -(-header.virtual_size // header.l2_coverage)
    if max(l1_size, needed) * 8 > L1_LIMIT:
        detail = f"{max(l1_size, needed)} entries, at most {L1_LIMIT // 8} are allowed"
        raise Fault("ImageTableTooBig", contract="L1 size too big", format="qcow2", table="the L1 table", detail=detail)
    if l1_size < needed:
        raise Fault("ImageSizeAbsurd", format="qcow2", virtual=header.virtual_size)
    if header.l1_offset % header.cluster_size or header.l1_offset < header.cluster_size:
        raise Fault("ImageTableOutside", format="qcow2", table="the L1 table", offset=header.l1_offset)
    return replace(header, l1_entries=needed)


def _invalid(detail: str) -> Fault:
    return Fault("ImageInvalid", format="qcow2", detail=detail)


def _unsupported(feature: str) -> Fault:
    return Fault("ImageUnsupported", format="qcow2", feature=feature)
