"""What is certainly no disk, and that nothing else is taken for it."""

from __future__ import annotations

import bz2
import io
import random
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.packed import tool

from cdi.base.faults import Fault
from importer.formats.foreign import document, packing, refuse_unread_formats

KiB = 1024


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("disk.img", bytes(4096))
    return out.getvalue()


def tarred(*names: str, format: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = 700
            archive.addfile(entry, io.BytesIO(bytes(700)))
    return out.getvalue()


def lz4_behind_a_skippable_frame() -> bytes:
    return b"\x5a\x2a\x4d\x18\x03\0\0\0abc" + tool("lz4 -qc", b"x" * 5000)


def lzma_of_a_stated_size(plain: bytes) -> bytes:
    packed = tool("lzma -c", plain)
    return packed[:5] + len(plain).to_bytes(8, "little") + packed[13:]


MP4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41"
PACKED = {
    "bzip2": (bz2.compress(b"x" * 5000), "packed with bzip2"),
    "bzip2 of nothing": (bz2.compress(b""), "packed with bzip2"),
    "lz4": (b"\x04\x22\x4d\x18\x64\x40\xa7" + bytes(600), "packed with lz4"),
    "zip": (zipped(), "a zip archive"),
    "7z": (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(600), "a 7z archive"),
    "rar 4": (b"Rar!\x1a\x07\x00" + bytes(600), "a rar archive"),
    "rar 5": (b"Rar!\x1a\x07\x01\x00" + bytes(600), "a rar archive"),
    "lz4 behind a skippable frame": (lz4_behind_a_skippable_frame(), "packed with lz4"),
    "old lz4": (tool("lz4 -lqc", b"x" * 5000), "packed with lz4"),
    "lzma": (tool("lzma -c", b"x" * 5000), "packed with lzma"),
    "lzma -9e": (tool("lzma -9ec", random.Random(1).randbytes(5000)), "packed with lzma"),
    "lzma of a stated size": (lzma_of_a_stated_size(b"x" * 5000), "packed with lzma"),
    "lzip": (b"LZIP\x01\x0c" + bytes(600), "packed with lzip"),
    "lzop": (b"\x89LZO\0\r\n\x1a\n" + bytes(600), "packed with lzop"),
    "lrzip": (b"LRZI\0\x06" + bytes(600), "packed with lrzip"),
    "rzip": (b"RZIP\x02\x01" + bytes(600), "packed with rzip"),
    "compress": (b"\x1f\x9d\x90" + bytes(600), "packed with compress (.Z)"),
    "pack": (b"\x1f\x1e\0\0\x13\x88\x02" + bytes(600), "packed with pack (.z)"),
    "snappy": (b"\xff\x06\0\0sNaPpY" + bytes(600), "packed with snappy"),
    "a zstd dictionary": (b"\x37\xa4\x30\xec" + bytes(600), "a dictionary of zstd"),
    "zstd 0.7": (b"\x27\xb5\x2f\xfd" + bytes(600), "packed with zstd before version 0.8"),
    "xar": (b"xar!\0\x1c\0\x01" + bytes(600), "a xar archive"),
    "cab": (b"MSCF\0\0\0\0" + bytes(600), "a cabinet archive"),
    "wim": (b"MSWIM\0\0\0" + bytes(600), "a Windows image (wim)"),
    "lha": (b"\x23\x11-lh5-" + bytes(600), "a lha archive"),
    "cpio": (b"070701" + b"0" * 600 + bytes(4), "a cpio archive"),
    "deb": (b"!<arch>\ndebian-binary   " + bytes(600), "an ar archive"),
    "rpm": (b"\xed\xab\xee\xdb\x03\0" + bytes(600), "an rpm package"),
    "Android sparse": (b"\x3a\xff\x26\xed\x01\0\0\0" + bytes(600), "an Android sparse image"),
    "EWF": (b"EVF\x09\x0d\x0a\xff\0\x01" + bytes(600), "a forensic image (EWF)"),
    "partclone": (b"partclone-image\0" + bytes(600), "an image of partclone"),
    "bzip3": (b"BZ3v1" + bytes(600), "packed with bzip3"),
    "lzfse": (b"bvx2" + bytes(600), "packed with lzfse"),
    "zpaq": (b"7kSt\xa0\x31\x83\xd3zPQ\x02\x01" + bytes(600), "a zpaq archive"),
    "zip in parts": (b"PK\x07\x08PK\x03\x04" + bytes(600), "a zip archive in parts"),
    "ace": (b"\1\2\3\4\5\6\7**ACE**" + bytes(600), "an ace archive"),
    "FreeArc": (b"ArC\x01" + bytes(600), "a FreeArc archive"),
    "zoo": (b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd" + bytes(600), "a zoo archive"),
    "arj": (b"\x60\xea\x2c\0\x22" + bytes(600), "an arj archive"),
    "partimage": (b"PaRtImAgE-VoLuMe" + bytes(600), "an image of partimage"),
    "vma": (b"VMA\0\0\0\0\x01" + bytes(600), "a backup of Proxmox (vma)"),
    "xva": (tarred("ova.xml", "Ref:7/00000000"), "an OVA (a tar archive that begins with 'ova.xml')"),
    "ova": (tarred("vm.ovf", "vm.mf", "disk.vmdk"), "an OVA (a tar archive that begins with 'vm.ovf')"),
    "ova, disk first": (tarred("./Disk.VMDK"), "an OVA (a tar archive that begins with './Disk.VMDK')"),
    "ova, sums first": (tarred("a.mf", format=tarfile.GNU_FORMAT), "an OVA (a tar archive that begins with 'a.mf')"),
}
DOCUMENTS = {
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\n" + bytes(600), "a PDF document", "%PDF-1.7"),
    "mp4": (MP4 + bytes(600), "an MP4 video", "??? ftypisom"),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_in_another_way_is_named_with_what_to_do(name: str) -> None:
    head, kind = PACKED[name]
    found = packing(head)
    assert found is not None
    assert found.kind == kind
    assert "unpack" in found.advice
    assert document(head, whole=True) is None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_none_of_a_disk_s_beginnings(name: str) -> None:
    head, kind, line = DOCUMENTS[name]
    assert document(head, whole=False) == (kind, line)
    assert packing(head) is None


@pytest.mark.parametrize(
    ("offset", "sign"),
    [(510, b"\x55\xaa"), (512, b"EFI PART"), (4096, b"EFI PART"), (32769, b"CD001"), (32769, b"BEA01")],
)
@pytest.mark.parametrize("name", [*PACKED, *DOCUMENTS])
def test_a_sign_of_a_disk_counts_for_more_than_any_signature(name: str, offset: int, sign: bytes) -> None:
    disk = bytearray((PACKED | DOCUMENTS)[name][0].ljust(64 * KiB, b"\0"))
    disk[offset : offset + len(sign)] = sign
    assert packing(bytes(disk)) is None
    assert document(bytes(disk), whole=True) is None


@pytest.mark.parametrize(
    "head",
    [
        bytes(4096),
        tarred("hello.txt", "vm.ovf"),
        tarred("vm.ovf/inside"),
        tarred("vmovf"),
        b"BZh9" + bytes(600),
        b"BZh01AY&SY" + bytes(600),
        b"\x04\x22\x4d\x18" + bytes(600),
        b"PK\x05\x06" + bytes(600),
        b"PK\x03\x04\x14\x01" + bytes(600),
        b"%PDF-x" + bytes(600),
        b"\0\0\0\x20ftyp\0\0\0\0" + bytes(600),
        b"\0" + bz2.compress(b"x"),
        b"",
    ],
)
def test_what_only_resembles_them_is_a_disk(head: bytes) -> None:
    assert packing(head) is None
    assert document(head, whole=True) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"not found, sorry\n", "not found, sorry"),
        (b"\xef\xbb\xbf\r\n  Fichier\xc2\xa0introuvable\r\nadieu", "Fichier introuvable"),
        ("見つかりません".encode(), "見つかりません"),
        (b"a" * 10 + b" bbbbbbbbb" * 9, "aaaaaaaaaa bbbbbbbbb bbbbbbbbb bbbbbbbbb"),
        (b"x", "x"),
    ],
)
def test_a_short_text_is_told_by_its_beginning(text: bytes, line: str) -> None:
    assert document(text, whole=True) == (f"a text of {len(text)} bytes", line)
    assert document(text, whole=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "Invalid token: hunter2 was refused",
        "Authorization: Basic hunter2",
        "bearer hunter2 expired",
        "no access with password=hunter2",
        "GET /disk?sig=hunter2 is refused",
        "https://me:hunter2@host/ is not here",
        "the id hunter2hunter2hunter2 is unknown",
    ],
)
def test_what_may_be_a_credential_is_not_shown(text: str) -> None:
    found = document(text.encode(), whole=True)
    assert found is not None
    assert "hunter2" not in found[1]
    assert "***" in found[1]


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 64 * KiB,
        b"text with a NUL\0",
        b"latin-1: \xe9t\xe9",
        b"an escape \x1b[31m",
        b" \n\t",
        b"cut in a character \xe8\xa6",
    ],
)
def test_what_is_not_surely_a_short_text_is_a_disk(data: bytes) -> None:
    assert document(data, whole=True) is None


def test_a_line_without_an_end_is_looked_at_once() -> None:
    found = document(b"y" * (64 * KiB - 1), whole=True)
    assert found == ("a text of 65535 bytes", "***")


@given(st.binary(max_size=2048), st.booleans())
def test_nothing_but_a_signature_or_a_short_text_refuses(data: bytes, whole: bool) -> None:
    packed = packing(data)
    assert packed is None or packed.kind in {kind for _, kind in PACKED.values()}
    found = document(data, whole=whole)
    if found is not None and found[0].startswith("a text"):
        assert whole
        assert not set(data) & {*range(9), *range(14, 32), 127}
        data.decode()
    elif found is not None:
        assert data.startswith(b"%PDF-") or data[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("format", "head"),
    [
        ("qed", b"QED\0\0\0\x01\0\x04\0\0\0\x01\0\0\0"),
        ("parallels", b"WithoutFreeSpace\x02\0\0\0\x10\0\0\0"),
        ("parallels", b"WithouFreSpacExt\x02\0\0\0\x10\0\0\0"),
        ("bochs", b"Bochs Virtual HD Image\0".ljust(32, b"\0") + b"Redolog\0"),
        ("cloop", b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r"),
        ("vmdk", b"COWD\x01\0\0\0\x03\0\0\0"),
    ],
)
def test_a_disk_image_of_a_format_that_is_not_read_is_refused(format: str, head: bytes) -> None:
    head = head.ljust(4096, b"\0")
    with pytest.raises(Fault) as caught:
        refuse_unread_formats(head)
    assert caught.value.code == "ImageUnsupported"
    assert f"the {format} image" in caught.value.message

    refuse_unread_formats(head[:510] + b"\x55\xaa" + head[512:])


def test_noise_is_a_disk() -> None:
    chance = random.Random(11)
    for _ in range(3000):
        noise = chance.randbytes(chance.choice((512, 4096)))
        assert (packing(noise), document(noise, whole=True)) == (None, None)
